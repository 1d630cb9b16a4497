-- Why: who was to send and did not, or sent nothing that can be used, so that a person rings. Grain: one row per agency, feed and source with
-- a day still open. Traps: a sender that agreed on no days is never here, though it may be silent; `is_silent` is false where something usable
-- came since, and a hole is left that an increment does not fill.
{{ config(materialized='view') }}

with days as (
    select * from {{ source('quality', 'expected_deliveries') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

agencies as (
    select * from {{ source('reference', 'agencies') }}
),

settled as (
    select
        days.agency_code,
        days.feed,
        days.source,
        max(days.expected_on) as last_settled_on
    from days
    where days.settled_at is not null
    group by days.agency_code, days.feed, days.source
),

open_days as (
    select
        days.agency_code,
        days.feed,
        days.source,
        min(days.expected_on) as since_on,
        max(days.expected_on) as last_open_on,
        count(*) filter (where days.state = 'missing') as days_missing_count,
        count(*) filter (where days.state = 'unusable') as days_unusable_count,
        min(days.raised_at) as raised_at,
        max(days.told_at) as told_at
    from days
    where days.state in ('missing', 'unusable')
    group by days.agency_code, days.feed, days.source
),

last_received as (
    select distinct on (deliveries.agency_code, deliveries.feed, deliveries.source)
        deliveries.agency_code,
        deliveries.feed,
        deliveries.source,
        deliveries.delivery_id,
        deliveries.status,
        deliveries.verdict,
        deliveries.received_at
    from deliveries
    inner join open_days
        on
            deliveries.agency_code = open_days.agency_code
            and deliveries.feed = open_days.feed
            and deliveries.source = open_days.source
    order by deliveries.agency_code asc, deliveries.feed asc, deliveries.source asc, deliveries.delivery_id desc
)

select
    open_days.agency_code,
    agencies.agency_name,
    open_days.feed,
    open_days.source,
    agencies.liaison_role as ring_role,
    open_days.last_open_on > coalesce(settled.last_settled_on, date '-infinity') as is_silent,
    open_days.since_on,
    open_days.days_missing_count,
    open_days.days_unusable_count,
    open_days.raised_at,
    open_days.told_at,
    last_received.delivery_id as last_delivery_id,
    coalesce(last_received.verdict, last_received.status) as last_delivery_state,
    last_received.received_at as last_received_at
from open_days
left join agencies on open_days.agency_code = agencies.agency_code
left join settled
    on
        open_days.agency_code = settled.agency_code
        and open_days.feed = settled.feed
        and open_days.source = settled.source
left join last_received
    on
        open_days.agency_code = last_received.agency_code
        and open_days.feed = last_received.feed
        and open_days.source = last_received.source
