-- Why: children as their senders number them. Grain: one row per agency and child reference. Traps: the same child has a row for each agency
-- that tells of it; who is who across agencies is not decided here.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'child_key'],
    )
}}

with
{%- for feed in rooms().feeds %}
{%- set versions = ref(feed.fact ~ '_version') %}
{{ feed.fact }}_versions as (
    select
        versions.child_key,
        versions.agency_code,
        versions.child_reference,
        versions.received_at
    from {{ news_among(versions) if is_incremental() else versions }} as versions
    where versions.child_key is not null
),
{% endfor %}
told as (
    {%- for feed in rooms().feeds %}
    select * from {{ feed.fact }}_versions
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)
{%- if is_incremental() %},

children as (
    select distinct
        told.agency_code,
        told.child_key
    from told
),

told_before as (
    select
        kept.child_key,
        kept.agency_code,
        kept.child_reference,
        received.received_at
    from {{ rows_under(this, 'children', ['agency_code', 'child_key']) }} as kept
    cross join lateral (
        values
        (kept.first_received_at),
        (kept.last_received_at)
    ) as received (received_at)
),

told_ever as (
    select * from told
    union all
    select * from told_before
)
{%- endif %}

select
    told.child_key,
    told.agency_code,
    min(told.child_reference) as child_reference,
    min(told.received_at) as first_received_at,
    max(told.received_at) as last_received_at
from {{ 'told_ever' if is_incremental() else 'told' }} as told
group by told.child_key, told.agency_code
