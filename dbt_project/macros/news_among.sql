{#-
    Rows of a history (core.fct_*_version) that are news, and rows of a relation under given keys: looked up through their index, whatever the
    planner believes, so that a build costs what arrived and not what is kept. Compare news_of, which does the same for records as read.
-#}
{% macro news_among(versions) -%}
    (
        select news_versions.*
        from warehouse.news as news_slices
        cross join lateral (
            select kept.*
            from {{ versions }} as kept
            where
                kept.agency_code = news_slices.agency_code
                and kept.delivery_id = news_slices.delivery_id
                and kept.record_no between news_slices.record_from and news_slices.record_to
            offset 0
        ) as news_versions
    )
{%- endmacro %}

{% macro rows_under(relation, keys, columns=['record_key']) -%}
    (
        select found.*
        from {{ keys }} as wanted
        cross join lateral (
            select kept.*
            from {{ relation }} as kept
            where
                {%- for column in columns %}
                kept.{{ column }} = wanted.{{ column }}{{ ' and' if not loop.last }}
                {%- endfor %}
            offset 0
        ) as found
    )
{%- endmacro %}
