-- Why: every child somebody is worried about, on one list, with what is wrong with the telling beside it. Grain: one row per current record of
-- the feeds whose contract puts them here. Traps: nothing hides a row; data quality never lowers its place. The order to read it in:
-- has_protection_marker desc, is_ungraded desc, grade_ratio desc, age_reckoned_from desc nulls first, waiting_since.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key='record_key',
        indexes=[
            {'columns': ['record_key']},
            {'columns': ['delivery_id', 'record_no'], 'unique': true},
        ],
        pre_hook="{{ forget_rescued_rows() }}",
    )
}}

with findings as (
    select * from {{ source('quality', 'findings') }}
),

checks as (
    select * from {{ source('quality', 'checks') }}
),
{% for feed in rooms().triage %}
{%- set versions = ref(feed.fact ~ '_version') %}
{%- if is_incremental() %}
{{ feed.feed }}_news as (
    select distinct versions.record_key
    from {{ news_among(versions) }} as versions
),
{% endif %}
{{ feed.feed }}_records as (
    select
        records.record_key,
        '{{ feed.feed }}'::text as feed,
        records.agency_code,
        records.sender_reference,
        records.child_key,
        records.received_at,
        records.first_received_at,
        records.grade_ratio,
        records.age_reckoned_from,
        records.has_protection_marker,
        records.is_closed,
        records.is_withdrawn,
        records.delivery_id,
        records.record_no
    from {{ rows_under(ref(feed.fact), feed.feed ~ '_news') if is_incremental() else ref(feed.fact) }} as records
),
{% endfor %}
records as (
    {%- for feed in rooms().triage %}
    select * from {{ feed.feed }}_records
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

severities as (
    select
        ranked.severity,
        ranked.severity_rank
    from unnest(array['critical', 'warning', 'info']) with ordinality as ranked (severity, severity_rank)
),

defects as (
    select
        records.delivery_id,
        records.record_no,
        count(*)::integer as defect_count,
        min(severities.severity_rank) as worst_rank,
        jsonb_agg(
            jsonb_build_object(
                'rule_id', findings.rule_id,
                'severity', severities.severity,
                'sentence', coalesce(checks.sentence, findings.rule_id),
                'what_to_do', coalesce(checks.what_to_do, '')
            )
            order by severities.severity_rank, findings.rule_id
        ) as defects
    from records
    cross join
        lateral (
            select
                found.rule_id,
                found.contract_version
            from findings as found
            where
                found.delivery_id = records.delivery_id
                and found.record_no = records.record_no
                -- Waived is not mended, and neither is what nobody can mend any more.
                and (found.resolved_at is null or found.resolved_by = 'derived')
            -- Looked up record by record, whatever the planner believes.
            offset 0 -- noqa: AM09
        ) as findings
    left join checks on findings.rule_id = checks.rule_id and findings.contract_version = checks.contract_version
    -- A rule that left the catalogue is shown rather than lost.
    inner join severities on coalesce(checks.severity, 'warning') = severities.severity
    group by records.delivery_id, records.record_no
)

select
    -- ids
    records.record_key,
    records.feed,
    records.agency_code,
    records.sender_reference,
    records.child_key,

    -- what is wrong with the telling
    coalesce(defects.defect_count, 0) as defect_count,
    worst.severity as worst_severity,
    coalesce(defects.defects, '[]'::jsonb) as defects,

    -- what its place in the list comes from
    records.grade_ratio,
    records.age_reckoned_from,
    records.first_received_at as waiting_since,
    records.has_protection_marker,
    records.grade_ratio is null as is_ungraded,

    -- dates and flags
    records.received_at,
    not records.is_closed as is_open,
    records.is_withdrawn,

    -- lineage
    records.delivery_id,
    records.record_no
from records
left join defects on records.delivery_id = defects.delivery_id and records.record_no = defects.record_no
left join severities as worst on defects.worst_rank = worst.severity_rank
