-- Why: within how many minutes of their knowing did half of the notices, and 95 in a hundred, reach sending and us? Grain: one row per agency,
-- element and period. Traps: the numerator is a time, the denominator how many notices have one; a notice whose time is missing or impossible
-- counts as the slowest, so the time is null where too many of them are: it cannot be said then.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{ times_taken() }},

thresholds as (
    select * from {{ source('reference', 'thresholds') }}
),

summed as (
    select
        took.agency_code,
        took.period_grain,
        took.period_start,
        took.element,
        took.minutes,
        sum(took.notification_count) as notification_count
    from took
    group by took.agency_code, took.period_grain, took.period_start, took.element, took.minutes
),

reached as (
    select
        summed.*,
        sum(summed.notification_count) over (
            partition by summed.agency_code, summed.period_grain, summed.period_start, summed.element
            order by summed.minutes asc nulls last
        ) as reached_count,
        sum(summed.notification_count) over (
            partition by summed.agency_code, summed.period_grain, summed.period_start, summed.element
        ) as total_count
    from summed
),

points as (
    select
        reached.agency_code,
        reached.period_grain,
        reached.period_start,
        reached.element || '_' || quantiles.quantile as element,
        min(reached.minutes) filter (
            where reached.notification_count > 0 and reached.reached_count >= thresholds.threshold_value * reached.total_count
        ) as numerator,
        coalesce(sum(reached.notification_count) filter (where reached.minutes is not null), 0)::bigint as denominator,
        coalesce(sum(reached.notification_count) filter (where reached.minutes is null), 0)::bigint as unknown_count
    from reached
    cross join (values ('median', 'lag_median_ratio'), ('p95', 'lag_p95_ratio')) as quantiles (quantile, threshold_id)
    left join thresholds
        on
            quantiles.threshold_id = thresholds.threshold_id
            and reached.period_start >= thresholds.valid_from
            and coalesce(reached.period_start <= thresholds.valid_to, true)
    group by reached.agency_code, reached.period_grain, reached.period_start, reached.element, quantiles.quantile
)

select
    'Q06_lag_minutes'::text as indicator_id,
    points.agency_code,
    'all'::text as team_code,
    points.element,
    points.period_grain,
    points.period_start,
    'as_known'::text as basis,
    points.numerator,
    points.denominator,
    points.unknown_count,
    arrived.input_completeness_ratio,
    clock.as_of
from points
left join arrived
    on
        points.agency_code = arrived.agency_code
        and points.period_grain = arrived.period_grain
        and points.period_start = arrived.period_start
cross join clock
