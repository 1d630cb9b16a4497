-- Why: what senders say is wrong about a finding, so that we settle it in time. Grain: one row per open dispute. Traps: the reason is the sender's
-- own text and may name a child: behind the login only. A dispute changes no list, verdict or indicator; what follows one that is upheld does.
{{ config(materialized='view') }}

with disputes as (
    select * from {{ source('quality', 'disputes') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
)

select
    disputes.dispute_id,
    disputes.delivery_id,
    deliveries.agency_code,
    deliveries.feed,
    disputes.rule_id,
    disputes.record_no,
    disputes.reason,
    disputes.by_role,
    disputes.owner_role,
    round(extract(epoch from disputes.due_at - clock.as_of) / 3600.0, 2) as hours_left,
    disputes.answered_at,
    disputes.due_at,
    clock.as_of
from disputes
inner join deliveries on disputes.delivery_id = deliveries.delivery_id
cross join clock
where disputes.answer = 'dispute' and disputes.outcome is null
