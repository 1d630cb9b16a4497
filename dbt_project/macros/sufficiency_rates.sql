{#-
    A score of sufficiency by agency, element and period, from what was counted by block; only the periods that the news touched. `counting`: an
    expression over told.present_count, unknown_count, missing_count. What could not be judged stands beside the rate.
-#}
{% macro sufficiency_rates(indicator_id, counting) %}
with blocks as (
    select * from {{ ref('fct_sufficiency') }}
),

dates as (
    select * from {{ ref('dim_date') }}
),

elements as (
    select * from {{ source('quality', 'sufficiency_elements') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),

dated as (
    select
        blocks.*,
        periods.period_grain,
        periods.period_start
    from blocks
    inner join dates on blocks.received_on = dates.date_day
    cross join lateral (
        values
        ('week', dates.week_start_date),
        ('month', dates.month_start_date)
    ) as periods (period_grain, period_start)
),

touched as (
    select distinct
        dated.agency_code,
        dated.period_grain,
        dated.period_start
    from dated
    {%- if is_incremental() %}
    where dated.as_of >= (select coalesce(max(kept.as_of), '-infinity') from {{ this }} as kept)
    {%- endif %}
),

told as (
    select
        dated.agency_code,
        dated.period_grain,
        dated.period_start,
        dated.basis,
        elements.element,
        sum(counts.present_count)::bigint as present_count,
        sum(counts.unknown_count)::bigint as unknown_count,
        sum(counts.missing_count)::bigint as missing_count,
        sum(counts.unjudged_count)::bigint as unjudged_count
    from dated
    inner join touched
        on
            dated.agency_code = touched.agency_code
            and dated.period_grain = touched.period_grain
            and dated.period_start = touched.period_start
    cross join lateral unnest(dated.present_counts, dated.unknown_counts, dated.missing_counts, dated.unjudged_counts)
        with ordinality as counts (present_count, unknown_count, missing_count, unjudged_count, position)
    inner join elements
        on
            dated.feed = elements.feed
            and dated.contract_version = elements.contract_version
            and counts.position = elements.position
    group by dated.agency_code, dated.period_grain, dated.period_start, dated.basis, elements.element
),

scored as (
    select
        told.agency_code,
        told.period_grain,
        told.period_start,
        told.basis,
        coalesce(told.element, 'all') as element,
        sum({{ counting }})::bigint as numerator,
        sum(told.present_count + told.unknown_count + told.missing_count)::bigint as denominator,
        sum(told.unjudged_count)::bigint as unknown_count
    from told
    group by
        grouping sets (
            (told.agency_code, told.period_grain, told.period_start, told.basis, told.element),
            (told.agency_code, told.period_grain, told.period_start, told.basis)
        )
),

arrived as (
    select
        dated.agency_code,
        dated.period_grain,
        dated.period_start,
        sum(deliveries.records_loaded)::double precision / nullif(sum(deliveries.records_in), 0) as input_completeness_ratio
    from dated
    inner join deliveries on dated.first_delivery_id = deliveries.delivery_id
    where dated.basis = 'none' and dated.block_no = 0
    group by dated.agency_code, dated.period_grain, dated.period_start
)

select
    '{{ indicator_id }}'::text as indicator_id,
    scored.agency_code,
    'all'::text as team_code,
    scored.element,
    scored.period_grain,
    scored.period_start,
    scored.basis,
    scored.numerator,
    scored.denominator,
    scored.unknown_count,
    arrived.input_completeness_ratio,
    clock.as_of
from scored
left join arrived
    on
        scored.agency_code = arrived.agency_code
        and scored.period_grain = arrived.period_grain
        and scored.period_start = arrived.period_start
cross join clock
{%- endmacro %}
