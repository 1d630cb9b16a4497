-- Why: how often does a sender answer that it does not know? Now and then that is honest; as a habit it empties the picture and scores well as
-- effort. Twin of Q06_effort. Grain: one row per agency, element, period and basis. Traps: of answers only; what was left out is no answer and
-- stands beside the rate, so that a blank in place of an unknown is never better.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{
    sufficiency_rates(
        'Q06_unknown', 'told.unknown_count', of='told.present_count + told.unknown_count', beside='told.missing_count + told.unjudged_count'
    )
}}
