-- What was received is listed: every record of a built delivery is in the history of its feed exactly once, and every matter of a feed with a
-- work list is on it. Rows are deliveries and counts, never a record.
with deliveries as (
    select * from {{ source('intake', 'deliveries') }}
    where built_in is not null
),
{% for feed in rooms().feeds %}
{{ feed.feed }}_received as (
    select
        records._delivery_id as delivery_id,
        count(*) as record_count
    from {{ source('raw', feed.feed ~ '_read') }} as records
    group by records._delivery_id
),

{{ feed.feed }}_versions as (
    select
        versions.delivery_id,
        count(*) as record_count
    from {{ ref(feed.fact ~ '_version') }} as versions
    group by versions.delivery_id
),
{% endfor %}
{% for feed in rooms().triage %}
{{ feed.feed }}_unlisted as (
    select
        versions.delivery_id,
        count(*) as record_count
    from {{ ref(feed.fact ~ '_version') }} as versions
    where
        not exists (
            select 1 from {{ ref('triage') }} as triage
            where triage.record_key = versions.record_key
        )
    group by versions.delivery_id
),
{% endfor %}
compared as (
    {%- for feed in rooms().feeds %}
    select
        deliveries.delivery_id,
        -- What was erased or is past its time is not missing.
        deliveries.records_loaded - deliveries.records_removed as records_loaded,
        received.record_count as read_count,
        versions.record_count as version_count,
        {{ 'unlisted.record_count' if feed in rooms().triage else 'null::bigint' }} as unlisted_count
    from deliveries
    left join {{ feed.feed }}_received as received on deliveries.delivery_id = received.delivery_id
    left join {{ feed.feed }}_versions as versions on deliveries.delivery_id = versions.delivery_id
    {%- if feed in rooms().triage %}
    left join {{ feed.feed }}_unlisted as unlisted on deliveries.delivery_id = unlisted.delivery_id
    {%- endif %}
    where deliveries.feed = '{{ feed.feed }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select *
from compared
where
    coalesce(records_loaded, 0) <> coalesce(read_count, 0)
    or coalesce(read_count, 0) <> coalesce(version_count, 0)
    or unlisted_count > 0
