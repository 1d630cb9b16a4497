-- Why: do the police grade the risk to the child? Grain: one row per agency, period and basis. Traps: a label that we cannot read is no grade; a
-- notice that names no child has nobody to grade; the adult's risk is never the child's grade.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{ sufficiency_rates('Q06_graded', 'told.present_count', among="blocks.feed = 'police'", element='grade') }}
