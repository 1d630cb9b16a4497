-- Why: does what each sender sent add up, day by day? The sender's count = raw + unread + removed; raw = on the list + superseded; on the list = decided +
-- waiting. Grain: one row per agency, feed and local day of receipt. Traps: what does not add up is named in reconciliation_breaks; a record
-- that repeats one before it, or that a later one replaced, counts as superseded; a feed without decisions has neither decided nor waiting.
{{ config(materialized='view') }}

with deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

feeds as (
    select * from {{ source('reference', 'feeds') }}
),

sent as (
    select
        deliveries.*,
        (deliveries.received_at at time zone coalesce(feeds.timezone, 'UTC'))::date as received_on
    from deliveries
    left join feeds on deliveries.feed = feeds.feed
),
{% for feed in rooms().feeds %}
{%- set is_decided_on = feed in rooms().triage %}
{{ feed.feed }}_counts as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        sent.sender_row_count,
        sent.records_in,
        sent.records_dead,
        sent.records_removed,
        arrived.raw_count,
        arrived.superseded_count,
        listed.on_list_count,
        listed.decided_count,
        listed.on_list_count - listed.decided_count as waiting_count
    from sent
    cross join
        lateral (
            select
                count(*) as raw_count,
                count(*) filter (
                    where itself.record_no is null and versions.record_no is not null and {{ is_key_listed(feed, 'readings.record_key') }}
                ) as superseded_count
            from raw.{{ feed.feed }} as raw_records
            left join {{ source('raw', feed.feed ~ '_read') }} as readings
                on
                    raw_records._delivery_id = readings._delivery_id
                    and raw_records._record_no = readings._record_no
                    and raw_records._received_at = readings._received_at
            left join {{ listed_of(feed, 'sent.delivery_id') }} as itself on raw_records._record_no = itself.record_no
            left join {{ ref(feed.fact ~ '_version') }} as versions
                on
                    raw_records._agency_code = versions.agency_code
                    and raw_records._delivery_id = versions.delivery_id
                    and raw_records._record_no = versions.record_no
            where raw_records._delivery_id = sent.delivery_id and raw_records._received_at = sent.received_at
        ) as arrived
    cross join
        lateral ( -- noqa: ST05
            select
                count(*) as on_list_count,
                {{ 'count(*) filter (where not rows_listed.is_open)' if is_decided_on else 'null::bigint' }} as decided_count
            from {{ listed_of(feed, 'sent.delivery_id') }} as rows_listed
        ) as listed
    where sent.feed = '{{ feed.feed }}'
),
{% endfor %}
counted as (
    {%- for feed in rooms().feeds %}
    select * from {{ feed.feed }}_counts
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

days as (
    select
        counted.agency_code,
        counted.feed,
        counted.received_on,
        count(*) as deliveries_count,
        sum(counted.sender_row_count)::bigint as sender_count,
        count(*) filter (where counted.sender_row_count is null) as uncounted_deliveries,
        sum(coalesce(counted.records_in, 0))::bigint as received_count,
        sum(coalesce(counted.records_dead, 0))::bigint as unread_count,
        sum(counted.records_removed)::bigint as removed_count,
        sum(counted.raw_count)::bigint as raw_count,
        sum(counted.superseded_count)::bigint as superseded_count,
        sum(counted.on_list_count)::bigint as on_list_count,
        sum(counted.decided_count)::bigint as decided_count,
        sum(counted.waiting_count)::bigint as waiting_count
    from counted
    group by counted.agency_code, counted.feed, counted.received_on
),

breaks as (
    select
        reconciliation_breaks.agency_code,
        reconciliation_breaks.feed,
        reconciliation_breaks.received_on,
        count(*) as breaks_count
    from {{ ref('reconciliation_breaks') }} as reconciliation_breaks
    group by reconciliation_breaks.agency_code, reconciliation_breaks.feed, reconciliation_breaks.received_on
)

select
    -- ids
    coalesce(days.agency_code, breaks.agency_code) as agency_code,
    coalesce(days.feed, breaks.feed) as feed,
    coalesce(days.received_on, breaks.received_on) as received_on,

    -- counts
    coalesce(days.deliveries_count, 0) as deliveries_count,
    days.sender_count,
    coalesce(days.uncounted_deliveries, 0) as uncounted_deliveries,
    coalesce(days.received_count, 0) as received_count,
    coalesce(days.unread_count, 0) as unread_count,
    coalesce(days.removed_count, 0) as removed_count,
    coalesce(days.raw_count, 0) as raw_count,
    coalesce(days.superseded_count, 0) as superseded_count,
    coalesce(days.on_list_count, 0) as on_list_count,
    days.decided_count,
    days.waiting_count,
    coalesce(breaks.breaks_count, 0) as breaks_count
from days
full join breaks
    on
        days.agency_code = breaks.agency_code
        and days.feed = breaks.feed
        and days.received_on = breaks.received_on
