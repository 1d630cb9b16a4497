{#-
    A rate of notifications by agency and period, from what was counted by block; only the periods that the news touched. `counted`, `others`,
    `unjudged`: columns of fct_notification_telling: what the rate counts, what else it is of, and what cannot be judged and stands beside it.
-#}
{% macro telling_rates(indicator_id, counted, others, unjudged) %}
{{ block_periods(ref('fct_notification_telling')) }},

summed as (
    select
        dated.agency_code,
        dated.period_grain,
        dated.period_start,
        sum(dated.{{ counted }})::bigint as numerator,
        sum(dated.{{ counted }} + dated.{{ others }})::bigint as denominator,
        sum(dated.{{ unjudged }})::bigint as unknown_count
    from dated
    inner join touched
        on
            dated.agency_code = touched.agency_code
            and dated.period_grain = touched.period_grain
            and dated.period_start = touched.period_start
    group by dated.agency_code, dated.period_grain, dated.period_start
)

select
    '{{ indicator_id }}'::text as indicator_id,
    summed.agency_code,
    'all'::text as team_code,
    'all'::text as element,
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
{%- endmacro %}

{#-
    How many notifications took how long, by agency and period: CTEs up to `took` (element: known_to_sent or known_to_received; minutes, null
    where it cannot be judged; notification_count; received_on). A block that nothing is left of gives a row of none.
-#}
{% macro times_taken() %}
{{ block_periods(ref('fct_notification_telling')) }},

took as (
    select
        dated.agency_code,
        dated.period_grain,
        dated.period_start,
        dated.received_on,
        lags.element,
        counts.minutes,
        coalesce(counts.notification_count, 0) as notification_count
    from dated
    inner join touched
        on
            dated.agency_code = touched.agency_code
            and dated.period_grain = touched.period_grain
            and dated.period_start = touched.period_start
    cross join
        lateral (
            values
            ('known_to_sent', dated.sent_minutes, dated.sent_counts),
            ('known_to_received', dated.received_minutes, dated.received_counts)
        ) as lags (element, minutes, counts)
    left join lateral unnest(lags.minutes, lags.counts) as counts (minutes, notification_count) on true
)
{%- endmacro %}
