{#- Large deliveries are counted in blocks of records, so that what changes in one is counted again and not the whole. -#}
{% macro block_size() %}{{ return(5000) }}{% endmacro %}

{% macro block_of(record_no) -%}
    ({{ record_no }} / {{ block_size() }})
{%- endmacro %}

{#-
    CTEs up to `<feed>_touched`: the blocks (first_delivery_id, block_no) in which the news may have changed what is counted; without a history
    of one's own, all there are. Needs a CTE `deliveries`. Deliveries of which records are gone (erased, or past their time) are not counted again:
    who is no longer there would make a rate look better or worse than it was.
-#}
{% macro touched_blocks(feed, versions) %}
{%- if is_incremental() %}
{{ feed }}_keys as (
    select distinct versions.record_key
    from {{ news_among(versions) }} as versions
),

{{ feed }}_touched_or_fixed as (
    select distinct
        places.first_delivery_id,
        places.block_no
    from {{ rows_under(versions, feed ~ '_keys') }} as versions
    cross join
        lateral (
            values
            (versions.delivery_id, {{ block_of('versions.record_no') }}),
            (versions.first_delivery_id, {{ block_of('versions.first_record_no') }})
        ) as places (first_delivery_id, block_no)
    where not versions.is_repeat
    union
    -- A delivery without a record that could be read counts as one, too.
    select
        news.delivery_id as first_delivery_id,
        0 as block_no
    from warehouse.news as news
    where news.feed = '{{ feed }}'
)
{%- else %}
{{ feed }}_touched_or_fixed as (
    select distinct
        versions.first_delivery_id,
        {{ block_of('versions.first_record_no') }} as block_no
    from {{ versions }} as versions
    union
    select
        deliveries.delivery_id as first_delivery_id,
        0 as block_no
    from deliveries
    where deliveries.feed = '{{ feed }}' and deliveries.published_at is not null
)
{%- endif %},

{{ feed }}_touched as (
    select
        blocks.first_delivery_id,
        blocks.block_no
    from {{ feed }}_touched_or_fixed as blocks
    inner join deliveries on blocks.first_delivery_id = deliveries.delivery_id
    where deliveries.counts_fixed_at is null
)
{%- endmacro %}

{#- Rows that were counted from records that are gone, for a relation that is made anew: nothing can count them again. `columns`: name and type. -#}
{% macro fixed_counts(relation, columns) -%}
    (
        select counted.*
        from {{ source('warehouse', 'fixed_counts') }} as fixed
        cross join lateral jsonb_to_recordset(fixed.rows) as counted (
            {%- for name, type in columns %}
            {{ name }} {{ type }}{{ ',' if not loop.last }}
            {%- endfor %}
        )
        where fixed.relation = '{{ relation }}'
    )
{%- endmacro %}

{#- Records of a history that belong to touched blocks, looked up block by block, whatever the planner believes. -#}
{% macro records_of_blocks(versions, touched) -%}
    (
        select
            wanted.block_no,
            found.*
        from {{ touched }} as wanted
        cross join lateral (
            select kept.*
            from {{ versions }} as kept
            where
                kept.first_delivery_id = wanted.first_delivery_id
                and kept.first_record_no >= wanted.block_no * {{ block_size() }}
                and kept.first_record_no < (wanted.block_no + 1) * {{ block_size() }}
            offset 0
        ) as found
    )
{%- endmacro %}
