{#-
    A view is made once and again only when its text changes: dbt's own materialisation renames it away under its readers in every
    build. The view's comment remembers the text, and the columns of raw at that time: `select *` is resolved when a view is made.
-#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set fingerprint = "'text " ~ local_md5(sql) ~ " columns ' || raw.columns_fingerprint()" -%}
    {%- set grant_config = config.get('grants') -%}
    {%- set kept = namespace(same=false) -%}

    {%- if existing is not none and existing.is_view -%}
        {%- set query -%}
            select obj_description(to_regclass('{{ target_relation.include(database=false) }}'), 'pg_class') = {{ fingerprint }}
        {%- endset -%}
        {%- set kept.same = run_query(query).columns[0].values()[0] -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if kept.same %}
        {%- call statement('main') -%} select 1 {%- endcall -%}
    {%- else %}
        {%- if existing is not none -%}
            {%- call statement('drop_old') -%}
                drop {{ existing.type }} if exists {{ target_relation.include(database=false) }} cascade
            {%- endcall -%}
        {%- endif -%}
        {%- call statement('main') -%}
            create view {{ target_relation.include(database=false) }} as
            {{ sql }}
        {%- endcall -%}
        {%- call statement('remember') -%}
            do $remember$ begin
                execute format('comment on view {{ target_relation.include(database=false) }} is %L', {{ fingerprint }});
            end $remember$
        {%- endcall -%}
        {%- do apply_grants(target_relation, grant_config, should_revoke=false) -%}
    {%- endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
