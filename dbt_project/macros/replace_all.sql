{#-
    Incremental strategy for relations that are small and computed afresh in each build: all rows go and come in one transaction, so that a
    reader sees the old or the new ones, never none, and never waits. For relations that grow with what is kept, use delete+insert.
-#}
{% macro get_incremental_replace_all_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set fresh = arg_dict["temp_relation"] -%}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    delete from {{ target }};
    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ fresh }}
{%- endmacro %}
