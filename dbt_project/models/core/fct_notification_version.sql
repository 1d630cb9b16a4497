-- Why: every notification as each delivery told it, and which telling replaced which.
-- Grain: one row per raw record, exactly. Traps: work follows the news; how records replace one another is told in macros/record_versions.sql.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'delivery_id', 'record_no'],
        indexes=[
            {'columns': ['record_key', 'delivery_id']},
            {'columns': ['first_delivery_id', 'first_record_no']},
            {'columns': ['child_key']},
        ],
    )
}}
{%- set attributes = [
    'record_key', 'content_hash', 'has_own_key', 'agency_code', 'source', 'contract_version', 'sender_reference', 'child_key',
    'child_reference', 'notification_reference', 'incident_reference', 'notice_type_code', 'child_role_code', 'sender_unit_code',
    'grade_code', 'sufficiency', 'grade_rank', 'grade_ratio', 'risk_facts', 'match_forename', 'match_surname', 'match_birth_date',
    'match_matter', 'age_reckoned_from', 'received_on', 'received_at', 'known_from', 'occurred_at', 'known_to_sender_at', 'sent_at',
    'is_withdrawal', 'is_infant', 'has_protection_marker', 'is_lowest_grade', 'has_urgent_fact', 'is_closed',
] -%}

with {{ record_versions(ref('stg_police'), 'police', attributes) }}

select * from versions
