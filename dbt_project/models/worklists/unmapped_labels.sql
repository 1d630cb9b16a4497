-- Why: words of senders that no mapping knows, so that a person says what each means. Grain: one row per agency, source, property and label.
-- Traps: labels are as sent, and a name may have been typed into such a column: behind the login only. What was decided to be ambiguous is not
-- here, and is still unmapped; a label that has been mapped since leaves when its deliveries are replayed.
{{ config(materialized='view') }}

with labels as (
    select * from {{ source('raw', 'unmapped_labels') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

ambiguous as (
    select * from {{ source('reference', 'ambiguous_labels') }}
)

select
    deliveries.agency_code,
    deliveries.source,
    deliveries.feed,
    labels.property,
    labels.code_list,
    labels.label,
    sum(labels.records_count)::bigint as records_count,
    min(deliveries.received_at) as first_seen_at,
    max(deliveries.received_at) as last_seen_at
from labels
inner join deliveries on labels.delivery_id = deliveries.delivery_id
where
    deliveries.published_at is not null
    and not exists (
        select 1
        from ambiguous
        where
            ambiguous.agency_code = deliveries.agency_code
            and ambiguous.source = deliveries.source
            and ambiguous.feed = deliveries.feed
            and ambiguous.code_list = labels.code_list
            and (ambiguous.label = labels.label or reading.label(ambiguous.label) = reading.label(labels.label))
    )
group by
    deliveries.agency_code, deliveries.source, deliveries.feed, labels.property, labels.code_list, labels.label
