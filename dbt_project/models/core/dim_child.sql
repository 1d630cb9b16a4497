-- Why: children as their senders number them. Grain: one row per agency and child reference. Traps: the same child has a row for each agency
-- that tells of it; who is who across agencies is not decided here.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key='child_key',
    )
}}

with
{%- for feed in rooms().feeds %}
{{ feed.fact }}_versions as (
    select
        versions.child_key,
        versions.agency_code,
        versions.child_reference,
        versions.received_at
    from {{ ref(feed.fact ~ '_version') }} as versions
    {%- if is_incremental() %}
    inner join warehouse.news as news
        on
            versions.agency_code = news.agency_code
            and versions.delivery_id = news.delivery_id
            and versions.record_no between news.record_from and news.record_to
    {%- endif %}
    where versions.child_key is not null
),
{% endfor %}
told as (
    {%- for feed in rooms().feeds %}
    select * from {{ feed.fact }}_versions
    {{ 'union all' if not loop.last }}
    {%- endfor %}
    {%- if is_incremental() %}
    union all
    select
        kept.child_key,
        kept.agency_code,
        kept.child_reference,
        unnest(array[kept.first_received_at, kept.last_received_at]) as received_at
    from {{ this }} as kept
    where
        kept.child_key in (
            {%- for feed in rooms().feeds %}
            select {{ feed.fact }}_versions.child_key from {{ feed.fact }}_versions
            {{ 'union all' if not loop.last }}
            {%- endfor %}
        )
    {%- endif %}
)

select
    told.child_key,
    told.agency_code,
    min(told.child_reference) as child_reference,
    min(told.received_at) as first_received_at,
    max(told.received_at) as last_received_at
from told
group by told.child_key, told.agency_code
