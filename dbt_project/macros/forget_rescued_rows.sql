{#-
    Rows of the news that stand on the triage list already, under whatever key: put there by the build's safety net when a model failed, or by
    this model in a build that was killed. They go in the transaction in which the model writes them anew.
-#}
{% macro forget_rescued_rows() %}
    {%- if is_incremental() %}
    delete from {{ this }} as rescued
    using warehouse.news as news
    where
        rescued.delivery_id = news.delivery_id
        and rescued.record_no between news.record_from and news.record_to
    {%- else %}
    select 1
    {%- endif %}
{% endmacro %}
