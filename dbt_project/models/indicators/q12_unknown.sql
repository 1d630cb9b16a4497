-- Why: how often do schools, health, housing and other partners answer that they do not know? Twin of Q12_effort. Grain: one row per agency,
-- element and period. Traps: as first told only; of answers only, and what was left out stands beside the rate.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{
    sufficiency_rates(
        'Q12_unknown', 'told.unknown_count', among="blocks.feed = 'referral' and agencies.agency_kind not in ('police', 'council')", bases=['as_known'],
        of='told.present_count + told.unknown_count', beside='told.missing_count + told.unjudged_count'
    )
}}
