-- Why: does everything get the highest grade? Twin of Q06_low_grade. Grain: one row per agency and period. Traps: neglect needs none of these facts
-- to deserve the highest grade, so this asks a question and is no rate to reduce; as first told only.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{ telling_rates('Q06_high_grade', 'highest_without_fact_count', 'lower_without_fact_count', 'unjudged_high_grade_count') }}
