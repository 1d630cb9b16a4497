-- Why: does a decision-maker get to know from schools, health, housing and other partners what must be known? Grain: one row per agency, element
-- and period. Traps: as first told only, so that what was asked for afterwards improves nothing here; who is a partner is told by the agency's
-- kind, never by the record.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{
    sufficiency_rates(
        'Q12_sufficiency', 'told.present_count', among="blocks.feed = 'referral' and agencies.agency_kind not in ('police', 'council')", bases=['as_known']
    )
}}
