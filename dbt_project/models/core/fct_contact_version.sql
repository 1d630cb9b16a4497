-- Why: every contact and referral as each delivery told it, and which telling replaced which.
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
    'child_reference', 'contact_reference', 'contact_kind', 'source_code', 'sender_service', 'level_code', 'outcome_code',
    'status_code', 'sufficiency', 'grade_rank', 'grade_ratio', 'risk_facts', 'match_forename', 'match_surname', 'match_birth_date',
    'match_matter', 'age_reckoned_from', 'received_on', 'received_at', 'known_from', 'occurred_at', 'known_to_sender_at', 'sent_at',
    'decided_at', 'closed_on', 'is_withdrawal', 'is_infant', 'has_protection_marker', 'is_closed',
] -%}

with {{ record_versions(ref('stg_referral'), 'referral', attributes) }}

select * from versions
