-- Why: the visits as they stand. Grain: one row per current version. Traps: where a sender used one key twice, or took a risk away, several
-- rows of a key are current: in doubt all of them stay.
{{ config(materialized='view') }}

with versions as (
    select * from {{ ref('fct_visit_version') }}
)

select
    versions.record_key,
    versions.agency_code,
    versions.source,
    versions.contract_version,
    versions.sender_reference,
    versions.child_key,
    versions.child_reference,
    versions.visit_reference,
    versions.worker_id,
    versions.team_code,
    versions.plan_type_code,
    versions.standard_id,
    versions.visit_status_code,
    versions.visit_mode_code,
    versions.sufficiency,
    versions.plan_started_on,
    versions.plan_ended_on,
    versions.due_by_sender_on,
    versions.visited_on,
    versions.received_on,
    versions.received_at,
    versions.known_from,
    versions.occurred_at,
    versions.recorded_at,
    versions.is_withdrawal,
    versions.is_made,
    versions.is_child_seen,
    versions.is_seen_unknown,
    versions.delivery_id,
    versions.record_no,
    versions.first_delivery_id,
    versions.first_record_no,
    versions.first_received_at,
    versions.is_first_known,
    versions.is_withdrawn,
    versions.is_downgrade,
    versions.has_contradiction,
    versions.is_in_latest_extract
from versions
where versions.is_current
