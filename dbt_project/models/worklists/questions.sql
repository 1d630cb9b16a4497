-- Why: what to ask about a child now, by telephone, in words that the sender can answer. Grain: one row per question, three at most per open
-- record. Traps: "not known" is asked again only where it decides whether the child is safe; agreement is no element, so nobody is ever asked
-- for it; a member of the public, and a layout that cannot carry an element, are not asked; what could not be judged is asked as if missing.
{{ config(materialized='view') }}

with elements as (
    select * from {{ source('quality', 'sufficiency_elements') }}
),

reach as (
    select * from {{ source('quality', 'reach') }}
),

agencies as (
    select * from {{ source('reference', 'agencies') }}
),

records as (
    {%- for feed in rooms().triage %}
    select
        '{{ feed.feed }}'::text as feed,
        facts.record_key,
        facts.agency_code,
        facts.delivery_id,
        facts.record_no,
        facts.received_at,
        facts.contract_version,
        facts.sufficiency
    from {{ ref(feed.fact) }} as facts
    where not facts.is_closed
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

ranked as (
    select
        records.record_key,
        records.feed,
        records.agency_code,
        records.delivery_id,
        records.record_no,
        records.received_at,
        elements.element,
        elements.question,
        case substr(records.sufficiency, elements.position, 1)
            when 'M' then 'missing'
            when 'U' then 'unknown'
            else 'not_judged'
        end as told_as,
        row_number() over (partition by records.delivery_id, records.record_no order by elements.ask_rank) as question_no,
        count(*) over (partition by records.delivery_id, records.record_no) as open_count
    from records
    inner join elements on records.feed = elements.feed and records.contract_version = elements.contract_version
    where
        elements.question is not null
        and coalesce(substr(records.sufficiency, elements.position, 1), '') not in ('P', 'N')
        and (elements.is_asked_again or coalesce(substr(records.sufficiency, elements.position, 1), '') <> 'U')
)

select
    ranked.record_key,
    ranked.feed,
    ranked.agency_code,
    ranked.delivery_id,
    ranked.record_no,
    ranked.question_no::integer as question_no,
    ranked.element,
    ranked.told_as,
    ranked.question,
    ranked.open_count,
    reach.number as ring_number,
    agencies.liaison_role as ring_role
from ranked
left join reach
    on
        ranked.delivery_id = reach.delivery_id
        and ranked.record_no = reach.record_no
        and ranked.received_at = reach.received_at
left join agencies on ranked.agency_code = agencies.agency_code
where ranked.question_no <= 3
