{#-
    A pre-hook for models that join what they computed themselves. The planner has no statistics of that: it takes thousands of rows for one
    and joins them to one another row by row, and a build of seconds takes minutes. For the model's transaction only.
-#}
{% macro join_by_hash() %}set local enable_nestloop = off{% endmacro %}
