{#- Large deliveries are counted in blocks of records, so that what changes in one is counted again and not the whole. -#}
{% macro block_size() %}{{ return(5000) }}{% endmacro %}

{% macro block_of(record_no) -%}
    ({{ record_no }} / {{ block_size() }})
{%- endmacro %}
