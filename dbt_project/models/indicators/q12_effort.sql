-- Why: do schools, health, housing and other partners answer what was asked, be it with an unknown and its reason? Twin of Q12_sufficiency.
-- Grain: one row per agency, element and period. Traps: as first told only; saying unknown to everything scores well here, and only here.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{
    sufficiency_rates(
        'Q12_effort', 'told.present_count + told.unknown_count', among="blocks.feed = 'referral' and agencies.agency_kind not in ('police', 'council')", bases=['as_known']
    )
}}
