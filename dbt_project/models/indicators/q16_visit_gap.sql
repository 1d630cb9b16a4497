-- Why: how many children were last seen longer ago than their standard allows? Grain: one row per agency, team (and all), week and basis. Traps: a
-- week is judged at its end (the running one today); as_known tells what was received by then, whenever it is built; unknown counts as not seen.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'period_start', 'basis'],
        indexes=[{'columns': ['agency_code', 'period_start', 'basis']}],
        pre_hook="{{ join_by_hash() }}",
    )
}}

with clock as (
    -- One row, which the planner does not know of a table that it never looked at: it guessed a thousand times the weeks.
    select * from {{ source('warehouse', 'clock') }}
    order by is_only_row
    limit 1
),

agencies as (
    select * from {{ ref('dim_agency') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

fixed_weeks as (
    select * from {{ source('warehouse', 'fixed_weeks') }}
),

first_told as (
    select
        agencies.agency_code,
        agencies.timezone,
        (clock.as_of at time zone agencies.timezone)::date as today,
        clock.as_of,
        -- Earlier weeks were judged when visits were there that are gone now, and stay as they were judged.
        greatest(
            date_trunc('week', min(deliveries.received_at) at time zone agencies.timezone)::date,
            max(fixed_weeks.before)
        ) as first_week
    from deliveries
    inner join agencies on deliveries.agency_code = agencies.agency_code
    left join fixed_weeks on deliveries.agency_code = fixed_weeks.agency_code
    cross join clock
    where deliveries.feed = 'visit' and deliveries.published_at is not null
    group by agencies.agency_code, agencies.timezone, clock.as_of
),
{% if is_incremental() %}
last_judged as (
    select
        kept.agency_code,
        kept.basis,
        max(kept.period_start) as last_week
    from {{ this }} as kept
    group by kept.agency_code, kept.basis
),

corrected as (
    select distinct versions.agency_code
    from {{ news_among(ref('fct_visit_version')) }} as versions
    where not versions.is_repeat
),

-- What was received before a week ended was known in it, however late it is built: such weeks are judged again. Not for a delivery that was
-- built before and is published again, for it says now what it did not say then.
built_late as (
    select
        first_told.agency_code,
        date_trunc('week', min(news.received_at) at time zone first_told.timezone)::date as first_week
    from warehouse.news as news
    inner join first_told on news.agency_code = first_told.agency_code
    where
        news.feed = 'visit'
        and not exists (
            select 1
            from {{ source('warehouse', 'build_slices') }} as slices
            inner join {{ source('warehouse', 'builds') }} as builds on slices.build_id = builds.build_id
            where
                slices.delivery_id = news.delivery_id
                and slices.record_from = news.record_from
                and builds.status = 'succeeded'
        )
    group by first_told.agency_code, first_told.timezone
),
{% endif %}
weeks as (
    select
        first_told.agency_code,
        first_told.as_of,
        bases.basis,
        weeks.week_start::date as week_start_date,
        least(weeks.week_start::date + 6, first_told.today) as on_date,
        least((weeks.week_start::date + 7)::timestamp at time zone first_told.timezone, first_told.as_of) as ended_at
    from first_told
    cross join (values ('as_known'), ('as_corrected')) as bases (basis)
    cross join lateral generate_series(first_told.first_week::timestamp, first_told.today::timestamp, interval '1 week') as weeks (week_start)
    {%- if is_incremental() %}
    left join last_judged on first_told.agency_code = last_judged.agency_code and bases.basis = last_judged.basis
    left join corrected on first_told.agency_code = corrected.agency_code and bases.basis = 'as_corrected'
    left join built_late on first_told.agency_code = built_late.agency_code
    where
        weeks.week_start::date >= least(coalesce(last_judged.last_week, first_told.first_week), built_late.first_week)
        or corrected.agency_code is not null
    {%- endif %}
),

points as (
    select
        weeks.agency_code,
        case weeks.basis when 'as_known' then 'as_known ' || weeks.week_start_date else 'as_corrected' end as known_group,
        case weeks.basis when 'as_known' then weeks.ended_at else weeks.as_of end as known_at,
        weeks.week_start_date,
        weeks.on_date
    from weeks
),

{{ visit_gaps() }},

counted as (
    select
        visit_gaps.agency_code,
        visit_gaps.known_group,
        visit_gaps.week_start_date,
        coalesce(visit_gaps.team_code, 'all') as team_code,
        count(*) filter (where visit_gaps.is_over) as numerator,
        count(*) as denominator,
        count(*) filter (where visit_gaps.is_unknown) as unknown_count
    from visit_gaps
    group by
        grouping sets (
            (visit_gaps.agency_code, visit_gaps.known_group, visit_gaps.week_start_date, visit_gaps.team_code),
            (visit_gaps.agency_code, visit_gaps.known_group, visit_gaps.week_start_date)
        )
),

arrived as (
    select
        weeks.agency_code,
        weeks.basis,
        weeks.week_start_date,
        sum(deliveries.records_loaded)::double precision / nullif(sum(deliveries.records_in), 0) as input_completeness_ratio
    from weeks
    inner join first_told on weeks.agency_code = first_told.agency_code
    inner join deliveries
        on
            weeks.agency_code = deliveries.agency_code
            and deliveries.feed = 'visit'
            and deliveries.received_at >= (weeks.week_start_date::timestamp at time zone first_told.timezone)
            and deliveries.received_at < ((weeks.week_start_date + 7)::timestamp at time zone first_told.timezone)
    group by weeks.agency_code, weeks.basis, weeks.week_start_date
)

select
    'Q16_visit_gap'::text as indicator_id,
    counted.agency_code,
    counted.team_code,
    'all'::text as element,
    'week'::text as period_grain,
    counted.week_start_date as period_start,
    weeks.basis,
    counted.numerator,
    counted.denominator,
    counted.unknown_count,
    arrived.input_completeness_ratio,
    weeks.as_of
from counted
inner join weeks
    on
        counted.agency_code = weeks.agency_code
        and counted.week_start_date = weeks.week_start_date
        and (counted.known_group <> 'as_corrected') = (weeks.basis = 'as_known')
left join arrived
    on
        weeks.agency_code = arrived.agency_code
        and weeks.basis = arrived.basis
        and weeks.week_start_date = arrived.week_start_date
{%- if not is_incremental() %}
union all
select fixed.*
from {{ fixed_counts('q16_visit_gap', [
        ('indicator_id', 'text'),
        ('agency_code', 'text'),
        ('team_code', 'text'),
        ('element', 'text'),
        ('period_grain', 'text'),
        ('period_start', 'date'),
        ('basis', 'text'),
        ('numerator', 'bigint'),
        ('denominator', 'bigint'),
        ('unknown_count', 'bigint'),
        ('input_completeness_ratio', 'double precision'),
        ('as_of', 'timestamptz'),
    ]) }} as fixed
{%- endif %}
