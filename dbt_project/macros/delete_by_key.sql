{#-
    How the strategy delete+insert finds what it deletes: key by key through an index, whatever the planner believes of a temporary table that
    nobody has analysed. dbt's own statement reads the whole relation when it believes there are many. The models' `indexes` (or the primary key
    of their contract) must begin with the columns of `unique_key`.
-#}
{% macro postgres__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    delete from {{ target }} as stale
    where stale.ctid = any(array(
        select found.ctid
        from (select distinct {{ keys | join(', ') }} from {{ source }}) as fresh
        cross join lateral (
            select kept.ctid
            from {{ target }} as kept
            where
                {%- for key in keys %}
                kept.{{ key }} = fresh.{{ key }}{{ ' and' if not loop.last }}
                {%- endfor %}
            offset 0
        ) as found
    ));

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ source }}
{%- endmacro %}
