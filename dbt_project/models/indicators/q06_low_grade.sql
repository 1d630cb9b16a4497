-- Why: how often is the lowest grade given beside a fact that calls for a decision today (POL-022)? Grain: one row per agency and period. Traps: a
-- grade or a fact that is missing or unread cannot be judged, and stands beside the rate; as first told only, for a second telling that leaves
-- the fact out would mend it.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{ telling_rates('Q06_low_grade', 'lowest_beside_fact_count', 'higher_beside_fact_count', 'unjudged_low_grade_count') }}
