-- Why: every visit as each delivery told it, and which telling replaced which.
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
    'child_reference', 'visit_reference', 'worker_id', 'team_code', 'plan_type_code', 'standard_id', 'visit_status_code',
    'visit_mode_code', 'sufficiency', 'risk_facts', 'is_infant', 'match_forename', 'match_surname', 'match_birth_date',
    'match_matter', 'plan_started_on', 'plan_ended_on', 'due_by_sender_on', 'visited_on', 'received_on', 'received_at', 'known_from',
    'occurred_at', 'recorded_at', 'is_withdrawal', 'is_made', 'is_child_seen', 'is_seen_unknown',
] -%}

with {{ record_versions(ref('stg_visit'), 'visit', attributes, is_snapshot=true) }}

select * from versions
