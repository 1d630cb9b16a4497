{#- The rows of a delivery on its feed's list (record_no, record_key, is_open): triage, or where the feed has none the records that stand. -#}
{% macro listed_of(feed, delivery_id) -%}
    {%- if feed in rooms().triage -%}
    worklists.triage_of({{ delivery_id }})
    {%- else -%}
    (
        select
            standing.record_no,
            standing.record_key,
            null::boolean as is_open
        from {{ ref(feed.fact) }} as standing
        where standing.delivery_id = {{ delivery_id }}
    )
    {%- endif -%}
{%- endmacro %}

{#- Whether some version of a record is on its feed's list; a column is named with its table. -#}
{% macro is_key_listed(feed, record_key) -%}
    {%- if feed in rooms().triage -%}
    worklists.is_on_triage({{ record_key }})
    {%- else -%}
    exists (
        select 1
        from {{ ref(feed.fact) }} as standing
        where standing.record_key = {{ record_key }}
    )
    {%- endif -%}
{%- endmacro %}
