{#- How many records the sender says a file holds, where it says so (the reading's row_count); null where it does not, or not in digits. -#}
{% macro sender_row_count(reading) -%}
    case when {{ reading }} ->> 'row_count' ~ '^[0-9]{1,15}$' then ({{ reading }} ->> 'row_count')::bigint end
{%- endmacro %}
