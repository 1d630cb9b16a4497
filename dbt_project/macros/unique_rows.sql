{#- A test: no two rows have the same values in these columns. It names the combinations, which hold no value of a record. -#}
{% test unique_rows(model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
