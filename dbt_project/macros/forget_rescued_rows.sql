{#-
    Rows of the news that stand on the triage list already, under whatever key: put there by the build's safety net when a model failed, or by
    this model in a build that was killed. They go in the transaction in which the model writes them anew, and only where it will: a record
    that the models do not know keeps the row that it has.
-#}
{% macro forget_rescued_rows() %}
    {%- if is_incremental() %}
    delete from {{ this }} as rescued
    using warehouse.news as news
    where
        rescued.delivery_id = news.delivery_id
        and rescued.record_no between news.record_from and news.record_to
        and (
            {%- for feed in rooms().triage %}
            exists (
                select 1
                from {{ ref(feed.fact ~ '_version') }} as versions
                where
                    versions.agency_code = news.agency_code
                    and versions.delivery_id = rescued.delivery_id
                    and versions.record_no = rescued.record_no
            )
            {{ 'or' if not loop.last }}
            {%- endfor %}
        )
    {%- else %}
    select 1
    {%- endif %}
{% endmacro %}
