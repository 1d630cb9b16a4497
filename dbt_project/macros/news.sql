{#-
    The news: what the build that is running drains. warehouse.news has one row per slice of a delivery:
    delivery_id, feed, agency_code, source, contract_version, published_at, record_from, record_to. It is empty in an hourly or midnight
    build, and it names records again that an earlier, killed or failed build may have built: models delete and insert by key.
-#}

{#- Rows of a relation that carries _delivery_id and _record_no which are news. Reads the few slices first and looks their
    records up by key, whatever the planner believes, so that a build costs what arrived and not what is kept.
    Use: select police.* from {{ news_of(source('raw', 'police_read')) }} as police -#}
{% macro news_of(relation) -%}
    (
        select news_records.*
        from warehouse.news as news_slices
        cross join lateral (
            select kept.*
            from {{ relation }} as kept
            where
                kept._delivery_id = news_slices.delivery_id
                and kept._record_no between news_slices.record_from and news_slices.record_to
            -- Keeps the planner from folding this into a scan of all that was ever received.
            offset 0
        ) as news_records
        {%- if relation.identifier is defined and relation.identifier.endswith('_read') %}
        where news_slices.feed = '{{ relation.identifier[:-5] }}'
        {%- endif %}
    )
{%- endmacro %}

{#- A condition: this record is news. For relations whose lineage columns have other names. -#}
{% macro is_news(delivery_id_column, record_no_column) -%}
    exists (
        select 1
        from warehouse.news as news_slices
        where
            news_slices.delivery_id = {{ delivery_id_column }}
            and {{ record_no_column }} between news_slices.record_from and news_slices.record_to
    )
{%- endmacro %}

{#- The time that every model speaks as of. No model reads the wall clock. -#}
{% macro as_of() -%}
    (select clock.as_of from warehouse.clock as clock)
{%- endmacro %}
