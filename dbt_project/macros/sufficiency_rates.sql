{#-
    A score of sufficiency by agency, element and period, from the counted patterns; only the periods that the news touched. Letters: P present,
    U unknown with a reason, M missing, N not applicable; anything else could not be judged. `counts_for_sender`: the letters that count.
-#}
{% macro sufficiency_rates(indicator_id, letters) %}
with patterns as (
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
        patterns.*,
        periods.period_grain,
        periods.period_start
    from patterns
    inner join dates on patterns.received_on = dates.date_day
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

grouped as (
    select
        dated.agency_code,
        dated.feed,
        dated.contract_version,
        dated.period_grain,
        dated.period_start,
        dated.basis,
        dated.sufficiency,
        sum(dated.record_count) as record_count
    from dated
    inner join touched
        on
            dated.agency_code = touched.agency_code
            and dated.period_grain = touched.period_grain
            and dated.period_start = touched.period_start
    where dated.record_count > 0
    group by
        dated.agency_code, dated.feed, dated.contract_version, dated.period_grain, dated.period_start, dated.basis, dated.sufficiency
),

told as (
    select
        grouped.agency_code,
        grouped.period_grain,
        grouped.period_start,
        grouped.basis,
        elements.element,
        coalesce(substr(grouped.sufficiency, elements.position, 1), '') as letter,
        sum(grouped.record_count) as record_count
    from grouped
    inner join elements on grouped.feed = elements.feed and grouped.contract_version = elements.contract_version
    group by
        grouped.agency_code,
        grouped.period_grain,
        grouped.period_start,
        grouped.basis,
        elements.element,
        coalesce(substr(grouped.sufficiency, elements.position, 1), '')
),

scored as (
    select
        told.agency_code,
        told.period_grain,
        told.period_start,
        told.basis,
        coalesce(told.element, 'all') as element,
        coalesce(sum(told.record_count) filter (where told.letter in ({{ letters }})), 0)::bigint as numerator,
        coalesce(sum(told.record_count) filter (where told.letter in ('P', 'U', 'M')), 0)::bigint as denominator,
        coalesce(sum(told.record_count) filter (where told.letter not in ('P', 'U', 'M', 'N')), 0)::bigint as unknown_count
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
    where dated.basis = 'none'
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
