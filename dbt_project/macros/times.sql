{#- Times as stated, and how far apart they are. None of these can raise, whatever stands in a record. -#}

{#- An instant that somebody stated: null where it is one that systems write when nobody gave one. `default_days`: date[]. -#}
{% macro stated_instant(column, timezone, default_days) -%}
    case
        when not coalesce(({{ sane_instant(column) }} at time zone {{ timezone }})::date = any({{ default_days }}), false)
            then {{ sane_instant(column) }}
    end
{%- endmacro %}

{#- Minutes from one sane instant to another, rounded up, so that rounding makes nothing sooner. -#}
{% macro minutes_between(from_column, to_column) -%}
    ceil(extract(epoch from {{ to_column }} - {{ from_column }}) / 60)::bigint
{%- endmacro %}
