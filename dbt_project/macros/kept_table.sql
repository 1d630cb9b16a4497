{#-
    An incremental model whose relation stands as the project says it (the runner tells so: `is_made`) is brought up to date in one statement,
    with the columns that its description names. dbt's own way asks Postgres for the columns of the new rows and of the relation, and compares
    them in Jinja: most of the time of a small build. It is still the way when the project or the columns of raw have changed, a relation is
    missing, the last build failed, or no news came.
-#}
{% materialization incremental, adapter='postgres' %}
    {%- if not (var('is_made', false) and model.columns and load_cached_relation(this)) or should_full_refresh() -%}
        {{ return(materialization_incremental_default()) }}
    {%- endif -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set fresh = make_temp_relation(target_relation) -%}
    {%- set strategy = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy') or 'default') -%}
    {%- set bring_up_to_date = strategy({
        'target_relation': target_relation,
        'temp_relation': fresh,
        'unique_key': config.get('unique_key'),
        'dest_columns': model.columns.values() | list,
        'incremental_predicates': none,
    }) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement('main') %}
        create temporary table {{ fresh.include(database=false, schema=false) }} on commit drop as (
            {{ sql }}
        );
        {{ bring_up_to_date }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
