-- Why: how much records told of what must be known, counted once, so that rates need not read every record again. Grain: one row per block of a
-- delivery that first told of records, basis and contract version; counts by element, in the order of the letters. Traps: only blocks that the
-- news touches are counted again; a row of the basis `none` keeps the place of a block that nothing is left of.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['first_delivery_id', 'block_no'],
        indexes=[{'columns': ['first_delivery_id', 'block_no']}],
    )
}}

with deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

agencies as (
    select * from {{ ref('dim_agency') }}
),

elements as (
    select * from {{ source('quality', 'sufficiency_elements') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),
{% for feed in rooms().measured %}
{%- set versions = ref(feed.fact ~ '_version') %}
{{ touched_blocks(feed.feed, versions) }},

{{ feed.feed }}_patterns as (
    select
        versions.first_delivery_id,
        versions.block_no,
        versions.contract_version,
        versions.sufficiency,
        count(*) filter (where versions.is_first_known) as as_known,
        count(*) filter (where versions.is_latest_known) as as_corrected
    from {{ records_of_blocks(versions, feed.feed ~ '_touched') }} as versions
    group by versions.first_delivery_id, versions.block_no, versions.contract_version, versions.sufficiency
),
{% endfor %}
touched as (
    {%- for feed in rooms().measured %}
    select * from {{ feed.feed }}_touched
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

patterns as (
    {%- for feed in rooms().measured %}
    select
        '{{ feed.feed }}' as feed,
        {{ feed.feed }}_patterns.*
    from {{ feed.feed }}_patterns
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- P present, U unknown with a reason, M missing, N not applicable; anything else could not be judged.
told as (
    select
        patterns.first_delivery_id,
        patterns.block_no,
        patterns.contract_version,
        elements.position,
        sum(patterns.as_known) filter (where substr(patterns.sufficiency, elements.position, 1) = 'P') as known_present,
        sum(patterns.as_known) filter (where substr(patterns.sufficiency, elements.position, 1) = 'U') as known_unknown,
        sum(patterns.as_known) filter (where substr(patterns.sufficiency, elements.position, 1) = 'M') as known_missing,
        sum(patterns.as_known) filter (where substr(patterns.sufficiency, elements.position, 1) = 'N') as known_not_applicable,
        sum(patterns.as_known) as known_total,
        sum(patterns.as_corrected) filter (where substr(patterns.sufficiency, elements.position, 1) = 'P') as corrected_present,
        sum(patterns.as_corrected) filter (where substr(patterns.sufficiency, elements.position, 1) = 'U') as corrected_unknown,
        sum(patterns.as_corrected) filter (where substr(patterns.sufficiency, elements.position, 1) = 'M') as corrected_missing,
        sum(patterns.as_corrected) filter (where substr(patterns.sufficiency, elements.position, 1) = 'N') as corrected_not_applicable,
        sum(patterns.as_corrected) as corrected_total
    from patterns
    inner join elements on patterns.feed = elements.feed and patterns.contract_version = elements.contract_version
    group by patterns.first_delivery_id, patterns.block_no, patterns.contract_version, elements.position
),

told_by_basis as (
    select
        told.first_delivery_id,
        told.block_no,
        told.contract_version,
        told.position,
        bases.basis,
        coalesce(bases.present, 0)::bigint as present_count,
        coalesce(bases.unknown, 0)::bigint as unknown_count,
        coalesce(bases.missing, 0)::bigint as missing_count,
        (
            bases.total
            - coalesce(bases.present, 0) - coalesce(bases.unknown, 0) - coalesce(bases.missing, 0) - coalesce(bases.not_applicable, 0)
        )::bigint as unjudged_count
    from told
    cross join
        lateral (
            values
            ('as_known', told.known_present, told.known_unknown, told.known_missing, told.known_not_applicable, told.known_total),
            (
                'as_corrected',
                told.corrected_present,
                told.corrected_unknown,
                told.corrected_missing,
                told.corrected_not_applicable,
                told.corrected_total
            )
        ) as bases (basis, present, unknown, missing, not_applicable, total)
    where bases.total > 0
),

counted as (
    select
        told_by_basis.first_delivery_id,
        told_by_basis.block_no,
        told_by_basis.basis,
        told_by_basis.contract_version,
        array_agg(told_by_basis.present_count order by told_by_basis.position) as present_counts,
        array_agg(told_by_basis.unknown_count order by told_by_basis.position) as unknown_counts,
        array_agg(told_by_basis.missing_count order by told_by_basis.position) as missing_counts,
        array_agg(told_by_basis.unjudged_count order by told_by_basis.position) as unjudged_counts
    from told_by_basis
    group by told_by_basis.first_delivery_id, told_by_basis.block_no, told_by_basis.basis, told_by_basis.contract_version
    union all
    select
        touched.first_delivery_id,
        touched.block_no,
        'none' as basis,
        null as contract_version,
        null as present_counts,
        null as unknown_counts,
        null as missing_counts,
        null as unjudged_counts
    from touched
)

select
    deliveries.agency_code,
    deliveries.feed,
    counted.first_delivery_id,
    counted.block_no,
    counted.basis,
    counted.contract_version,
    counted.present_counts,
    counted.unknown_counts,
    counted.missing_counts,
    counted.unjudged_counts,
    (deliveries.received_at at time zone coalesce(agencies.timezone, 'UTC'))::date as received_on,
    clock.as_of
from counted
inner join deliveries on counted.first_delivery_id = deliveries.delivery_id
left join agencies on deliveries.agency_code = agencies.agency_code
cross join clock
{%- if not is_incremental() %}
union all
select fixed.*
from {{ fixed_counts('fct_sufficiency', [
        ('agency_code', 'text'),
        ('feed', 'text'),
        ('first_delivery_id', 'bigint'),
        ('block_no', 'bigint'),
        ('basis', 'text'),
        ('contract_version', 'text'),
        ('present_counts', 'bigint[]'),
        ('unknown_counts', 'bigint[]'),
        ('missing_counts', 'bigint[]'),
        ('unjudged_counts', 'bigint[]'),
        ('received_on', 'date'),
        ('as_of', 'timestamptz'),
    ]) }} as fixed
{%- endif %}
