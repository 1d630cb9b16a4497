-- Why: how much records told of what must be known, counted once, so that rates need not read every record again. Grain: one row per delivery
-- that first told of records, basis, contract version and pattern of letters. Traps: only deliveries that the news touches are counted again; a
-- row without a pattern and with no records keeps the place of a delivery that has none left.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'first_delivery_id'],
        indexes=[{'columns': ['agency_code', 'first_delivery_id']}],
    )
}}

with deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

agencies as (
    select * from {{ ref('dim_agency') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),
{% for feed in rooms().measured %}
{%- set versions = ref(feed.fact ~ '_version') %}
{%- if is_incremental() %}
{{ feed.feed }}_keys as (
    select distinct versions.record_key
    from {{ versions }} as versions
    inner join warehouse.news as news
        on
            versions.agency_code = news.agency_code
            and versions.delivery_id = news.delivery_id
            and versions.record_no between news.record_from and news.record_to
),

{{ feed.feed }}_touched as (
    select unnest(array[versions.delivery_id, versions.first_delivery_id]) as first_delivery_id
    from {{ feed.feed }}_keys as keys
    inner join {{ versions }} as versions on keys.record_key = versions.record_key
    where not versions.is_repeat
    union
    select news.delivery_id
    from warehouse.news as news
    where news.feed = '{{ feed.feed }}'
),
{%- else %}
{{ feed.feed }}_touched as (
    select deliveries.delivery_id as first_delivery_id
    from deliveries
    where deliveries.feed = '{{ feed.feed }}' and deliveries.published_at is not null
),
{%- endif %}

{{ feed.feed }}_patterns as (
    select
        versions.first_delivery_id,
        versions.contract_version,
        versions.sufficiency,
        count(*) filter (where versions.is_first_known) as as_known_count,
        count(*) filter (where versions.is_latest_known) as as_corrected_count
    from {{ feed.feed }}_touched as touched
    inner join {{ versions }} as versions on touched.first_delivery_id = versions.first_delivery_id
    group by versions.first_delivery_id, versions.contract_version, versions.sufficiency
),
{% endfor %}
touched as (
    {%- for feed in rooms().measured %}
    select {{ feed.feed }}_touched.first_delivery_id from {{ feed.feed }}_touched
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

patterns as (
    {%- for feed in rooms().measured %}
    select * from {{ feed.feed }}_patterns
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

counted as (
    select
        patterns.first_delivery_id,
        patterns.contract_version,
        patterns.sufficiency,
        'as_known' as basis,
        patterns.as_known_count as record_count
    from patterns
    where patterns.as_known_count > 0
    union all
    select
        patterns.first_delivery_id,
        patterns.contract_version,
        patterns.sufficiency,
        'as_corrected' as basis,
        patterns.as_corrected_count as record_count
    from patterns
    where patterns.as_corrected_count > 0
    union all
    select
        touched.first_delivery_id,
        null as contract_version,
        null as sufficiency,
        'none' as basis,
        0 as record_count
    from touched
)

select
    deliveries.agency_code,
    deliveries.feed,
    counted.first_delivery_id,
    counted.basis,
    counted.contract_version,
    counted.sufficiency,
    counted.record_count,
    (deliveries.received_at at time zone coalesce(agencies.timezone, 'UTC'))::date as received_on,
    clock.as_of
from counted
inner join deliveries on counted.first_delivery_id = deliveries.delivery_id
left join agencies on deliveries.agency_code = agencies.agency_code
cross join clock
