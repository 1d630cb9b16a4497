-- Why: the notifications as they stand. Grain: one row per current version. Traps: where a sender used one key twice, or took a risk away, several
-- rows of a key are current: in doubt all of them stay.
{{ config(materialized='view') }}

with versions as (
    select * from {{ ref('fct_notification_version') }}
)

select
    versions.record_key,
    versions.agency_code,
    versions.source,
    versions.contract_version,
    versions.sender_reference,
    versions.child_key,
    versions.child_reference,
    versions.notification_reference,
    versions.incident_reference,
    versions.notice_type_code,
    versions.child_role_code,
    versions.sender_unit_code,
    versions.grade_code,
    versions.sufficiency,
    versions.grade_rank,
    versions.grade_ratio,
    versions.risk_facts,
    versions.age_reckoned_from,
    versions.received_on,
    versions.received_at,
    versions.known_from,
    versions.occurred_at,
    versions.known_to_sender_at,
    versions.sent_at,
    versions.is_withdrawal,
    versions.is_infant,
    versions.has_protection_marker,
    versions.is_lowest_grade,
    versions.has_urgent_fact,
    versions.is_closed,
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
