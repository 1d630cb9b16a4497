-- Why: does the sender answer what was asked? Only what is missing counts against the sender; an unknown with its reason is an answer. Twin of
-- Q06_sufficiency. Grain: one row per agency, element, period and basis. Traps: saying unknown to everything scores well here, and only here.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{ sufficiency_rates('Q06_effort', 'told.present_count + told.unknown_count') }}
