-- Why: does a decision-maker get to know what must be known? Missing and unknown count against. Grain: one row per agency, element, period and
-- basis. Traps: what could not be judged is beside the rate, not in it.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{ sufficiency_rates('Q06_sufficiency', 'told.present_count') }}
