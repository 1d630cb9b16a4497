{#-
    Weeks and months of what was counted by block, and only those that the news touched: the CTEs clock, dated (the blocks with their periods,
    a row per grain), touched (agency_code, period_grain, period_start) and arrived (how much of what came could be read).
    `blocks`: a relation with agency_code, first_delivery_id, block_no, received_on, as_of; where `has_bases`, the rows of the basis `none`
    keep the place. `among`: a condition on the CTE `blocks`, which blocks are meant.
-#}
{% macro block_periods(blocks, has_bases=false, among=none) %}
with blocks as (
    select * from {{ blocks }}
),

{% if among -%}
agencies as (
    select * from {{ ref('dim_agency') }}
),

{% endif -%}
dates as (
    select * from {{ ref('dim_date') }}
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
    {%- if among %}
    inner join agencies on blocks.agency_code = agencies.agency_code
    {%- endif %}
    cross join lateral (
        values
        ('week', dates.week_start_date),
        ('month', dates.month_start_date)
    ) as periods (period_grain, period_start)
    {%- if among %}
    where {{ among }}
    {%- endif %}
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

arrived as (
    select
        dated.agency_code,
        dated.period_grain,
        dated.period_start,
        sum(deliveries.records_loaded)::double precision / nullif(sum(deliveries.records_in), 0) as input_completeness_ratio
    from dated
    inner join deliveries on dated.first_delivery_id = deliveries.delivery_id
    where dated.block_no = 0 {{- " and dated.basis = 'none'" if has_bases }}
    group by dated.agency_code, dated.period_grain, dated.period_start
)
{%- endmacro %}
