{#-
    A score of sufficiency by agency, element and period, from what was counted by block; only the periods that the news touched. `counting`: an
    expression over told.present_count, unknown_count, missing_count; `of`: likewise, of how many; `beside`: what stands beside the rate because
    it cannot be judged.
    `among`: which blocks are meant (macros/periods.sql); `bases`: as_known alone, where nothing may be improved afterwards; `element`: one
    alone, and then no split. A period in which nothing was told for the first time has a row of nothing, which also takes away what stood there.
-#}
{% macro sufficiency_rates(
    indicator_id,
    counting,
    among=none,
    bases=['as_known', 'as_corrected'],
    element=none,
    of='told.present_count + told.unknown_count + told.missing_count',
    beside='told.unjudged_count'
) %}
{{ block_periods(ref('fct_sufficiency'), has_bases=true, among=among) }},

elements as (
    select * from {{ source('quality', 'sufficiency_elements') }}
),

bases as (
    select *
    from (values {% for basis in bases %}('{{ basis }}'){{ ', ' if not loop.last }}{% endfor %}) as bases (basis)
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
    where
        dated.basis in (select bases.basis from bases)
        {%- if element %}
        and elements.element = '{{ element }}'
        {%- endif %}
    group by dated.agency_code, dated.period_grain, dated.period_start, dated.basis, elements.element
),

scored as (
    select
        told.agency_code,
        told.period_grain,
        told.period_start,
        told.basis,
        {{ "'all'" if element else "coalesce(told.element, 'all')" }} as element,
        sum({{ counting }})::bigint as numerator,
        sum({{ of }})::bigint as denominator,
        sum({{ beside }})::bigint as unknown_count
    from told
    group by
        grouping sets (
            {%- if not element %}
            (told.agency_code, told.period_grain, told.period_start, told.basis, told.element),
            {%- endif %}
            (told.agency_code, told.period_grain, told.period_start, told.basis)
        )
),

scored_or_nothing as (
    select * from scored
    union all
    select
        touched.agency_code,
        touched.period_grain,
        touched.period_start,
        bases.basis,
        'all' as element,
        0 as numerator,
        0 as denominator,
        0 as unknown_count
    from touched
    cross join bases
    where not exists (
        select 1
        from scored
        where
            scored.agency_code = touched.agency_code
            and scored.period_grain = touched.period_grain
            and scored.period_start = touched.period_start
            and scored.basis = bases.basis
    )
)

select
    '{{ indicator_id }}'::text as indicator_id,
    scored_or_nothing.agency_code,
    'all'::text as team_code,
    scored_or_nothing.element,
    scored_or_nothing.period_grain,
    scored_or_nothing.period_start,
    scored_or_nothing.basis,
    scored_or_nothing.numerator,
    scored_or_nothing.denominator,
    scored_or_nothing.unknown_count,
    arrived.input_completeness_ratio,
    clock.as_of
from scored_or_nothing
left join arrived
    on
        scored_or_nothing.agency_code = arrived.agency_code
        and scored_or_nothing.period_grain = arrived.period_grain
        and scored_or_nothing.period_start = arrived.period_start
cross join clock
{%- endmacro %}
