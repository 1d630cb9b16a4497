-- Why: how often do the police tell later than was agreed, counted from when they knew, to sending and to our receiving? Grain: one row per agency,
-- element and period. Traps: the limit is that of the day of receipt; the same one is held against our receiving, for a notice in a queue helps
-- nobody; a time that is missing or impossible cannot be judged, and is never on time.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_grain', 'period_start'],
        indexes=[{'columns': ['agency_code', 'period_grain', 'period_start']}],
    )
}}

{{ times_taken() }},

clocks as (
    select
        clocks.*,
        clocks.limit_value * case clocks.limit_unit when 'minutes' then 1 when 'hours' then 60 when 'days' then 24 * 60 end as limit_minutes
    from {{ source('reference', 'clocks') }} as clocks
    where clocks.clock_id = 'police_known_to_sent'
),

summed as (
    select
        took.agency_code,
        took.period_grain,
        took.period_start,
        took.element,
        coalesce(sum(took.notification_count) filter (where took.minutes > clocks.limit_minutes), 0)::bigint as numerator,
        coalesce(sum(took.notification_count) filter (where took.minutes + clocks.limit_minutes is not null), 0)::bigint as denominator,
        -- Nothing is on time while no limit is known.
        coalesce(sum(took.notification_count) filter (where took.minutes + clocks.limit_minutes is null), 0)::bigint as unknown_count
    from took
    left join clocks on took.received_on >= clocks.valid_from and coalesce(took.received_on <= clocks.valid_to, true)
    group by took.agency_code, took.period_grain, took.period_start, took.element
)

select
    'Q06_lag'::text as indicator_id,
    summed.agency_code,
    'all'::text as team_code,
    summed.element,
    summed.period_grain,
    summed.period_start,
    'as_known'::text as basis,
    summed.numerator,
    summed.denominator,
    summed.unknown_count,
    arrived.input_completeness_ratio,
    clock.as_of
from summed
left join arrived
    on
        summed.agency_code = arrived.agency_code
        and summed.period_grain = arrived.period_grain
        and summed.period_start = arrived.period_start
cross join clock
