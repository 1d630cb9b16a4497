-- Why: what BI tools may show. Grain: one row per indicator, agency, team, element, period and basis. Traps: counts from 1 to the disclosure
-- limit are null, and so is what they could be worked out from in the same row; other rows are not yet looked at for that.
{{
    config(
        materialized='view',
        alias='indicator_values',
    )
}}

with indicator_values as (
    select * from {{ ref('indicator_values') }}
),

thresholds as (
    select * from {{ source('reference', 'thresholds') }}
),

marked as (
    select
        indicator_values.*,
        -- Without a limit for the period nothing is shown.
        thresholds.threshold_value is null
        or coalesce(indicator_values.denominator between 1 and thresholds.threshold_value, false) as is_denominator_low,
        thresholds.threshold_value is null
        or coalesce(indicator_values.unknown_count between 1 and thresholds.threshold_value, false) as is_unknown_low,
        thresholds.threshold_value is null
        or coalesce(
            case
                -- A time is no count, but that of a few notices is theirs.
                when indicator_values.unit = 'minutes' then indicator_values.denominator between 1 and thresholds.threshold_value
                else
                    indicator_values.numerator between 1 and thresholds.threshold_value
                    or indicator_values.denominator - indicator_values.numerator between 1 and thresholds.threshold_value
            end,
            false
        ) as is_numerator_low
    from indicator_values
    left join thresholds
        on
            thresholds.threshold_id = 'disclosure_low_count'
            and indicator_values.period_start >= thresholds.valid_from
            and coalesce(indicator_values.period_start <= thresholds.valid_to, true)
)

select
    -- ids
    marked.indicator_id,
    marked.area_code,
    marked.agency_code,
    marked.team_code,
    marked.element,
    marked.period_grain,
    marked.period_start,
    marked.basis,

    -- values
    case when not marked.is_numerator_low then marked.numerator end as numerator,
    case when not marked.is_denominator_low then marked.denominator end as denominator,
    case when not marked.is_unknown_low then marked.unknown_count end as unknown_count,
    marked.unit,
    case when not (marked.is_numerator_low or marked.is_denominator_low) then marked.rate_ratio end as rate_ratio,
    case when not (marked.is_numerator_low or marked.is_denominator_low) then marked.rate_low end as rate_low,
    case when not (marked.is_numerator_low or marked.is_denominator_low) then marked.rate_high end as rate_high,
    case
        when not (marked.is_numerator_low or marked.is_denominator_low or marked.is_unknown_low) then marked.rate_if_unknown_bad
    end as rate_if_unknown_bad,

    -- trust
    marked.is_mature,
    marked.is_numerator_low or marked.is_denominator_low or marked.is_unknown_low as is_suppressed,
    marked.input_completeness_ratio,
    marked.as_of
from marked
