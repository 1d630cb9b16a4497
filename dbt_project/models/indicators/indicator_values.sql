-- Why: every indicator in one place, with what a reader needs to trust it. Grain: one row per indicator, agency, team, element, period and basis.
-- Traps: true counts, so not for publication: bi.indicator_values is. The indicators are found by the folder they stand in (macros/rooms.sql).
{{ config(materialized='view') }}

with
{%- for indicator in rooms().indicators %}
{{ indicator }}_values as (
    select
        counted.indicator_id,
        counted.agency_code,
        counted.team_code,
        counted.element,
        counted.period_grain,
        counted.period_start,
        counted.basis,
        counted.numerator,
        counted.denominator,
        counted.unknown_count,
        counted.input_completeness_ratio,
        counted.as_of
    from {{ ref(indicator) }} as counted
),
{% endfor %}
counted as (
    {%- for indicator in rooms().indicators %}
    select * from {{ indicator }}_values
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

catalogue as (
    select * from {{ source('reference', 'indicator_catalogue') }}
),

agencies as (
    select * from {{ ref('dim_agency') }}
),

thresholds as (
    select * from {{ source('reference', 'thresholds') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),

dated as (
    select
        counted.*,
        agencies.area_code,
        catalogue.direction,
        catalogue.unknown_counts_as,
        catalogue.unit,
        -- Minutes are of so many notices, but no share of them.
        case when coalesce(catalogue.unit, 'share') <> 'minutes' then counted.numerator end as share_numerator,
        thresholds.threshold_value as standard_errors,
        case counted.period_grain
            when 'month' then (counted.period_start + interval '1 month')::date
            else counted.period_start + 7
        end + catalogue.mature_after_days as mature_from,
        (clock.as_of at time zone agencies.timezone)::date as today
    from counted
    inner join agencies on counted.agency_code = agencies.agency_code
    left join catalogue on counted.indicator_id = catalogue.indicator_id
    cross join clock
    left join thresholds
        on
            thresholds.threshold_id = 'interval_standard_errors'
            and counted.period_start >= thresholds.valid_from
            and coalesce(counted.period_start <= thresholds.valid_to, true)
)

select
    -- ids
    dated.indicator_id,
    dated.area_code,
    dated.agency_code,
    dated.team_code,
    dated.element,
    dated.period_grain,
    dated.period_start,
    dated.basis,

    -- values
    dated.numerator,
    dated.denominator,
    dated.unknown_count,
    dated.unit,
    dated.share_numerator::double precision / nullif(dated.denominator, 0) as rate_ratio,
    {{ wilson_interval('dated.share_numerator', 'dated.denominator', 'dated.standard_errors', 'low') }} as rate_low,
    {{ wilson_interval('dated.share_numerator', 'dated.denominator', 'dated.standard_errors', 'high') }} as rate_high,
    case
        when dated.unknown_counts_as = 'harm' then dated.share_numerator::double precision / nullif(dated.denominator, 0)
        when dated.direction = 'higher_is_better'
            then dated.share_numerator::double precision / nullif(dated.denominator + dated.unknown_count, 0)
        else (dated.share_numerator + dated.unknown_count)::double precision / nullif(dated.denominator + dated.unknown_count, 0)
    end as rate_if_unknown_bad,

    -- trust
    coalesce(dated.mature_from <= dated.today, false) as is_mature,
    dated.input_completeness_ratio,
    dated.as_of
from dated
