-- Why: everything between the sender's count and the list that does not add up, by name, so that somebody looks. Grain: one row per record,
-- line, delivery or file that is missing somewhere, or that stands where nobody sent it. Traps: what is on its way is here until it is built;
-- a record that a later one replaced or that repeats one before it is not missing while its key is on the list.
{{ config(materialized='view') }}

with deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

files as (
    select * from {{ source('intake', 'files') }}
),

dead_letters as (
    select * from {{ source('quality', 'dead_letters') }}
),

feeds as (
    select * from {{ source('reference', 'feeds') }}
),

sent as (
    select
        deliveries.*,
        (deliveries.received_at at time zone coalesce(feeds.timezone, 'UTC'))::date as received_on,
        deliveries.status = 'published' and deliveries.built_in is not null as is_built
    from deliveries
    left join feeds on deliveries.feed = feeds.feed
),
{% for feed in rooms().feeds %}
{{ feed.feed }}_not_on_list as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        'not_on_list' as break_kind,
        sent.file_id,
        sent.delivery_id,
        missing.record_no,
        null::bigint as line_no,
        1::bigint as records_count
    from sent
    cross join
        lateral (
            select raw_records._record_no as record_no
            from raw.{{ feed.feed }} as raw_records
            left join {{ source('raw', feed.feed ~ '_read') }} as readings
                on
                    raw_records._delivery_id = readings._delivery_id
                    and raw_records._record_no = readings._record_no
                    and raw_records._received_at = readings._received_at
            where
                raw_records._delivery_id = sent.delivery_id
                and raw_records._received_at = sent.received_at
                and not exists (
                    select 1
                    from {{ listed_of(feed, 'sent.delivery_id') }} as listed
                    where listed.record_no = raw_records._record_no
                )
                and not (
                    exists (
                        select 1
                        from {{ ref(feed.fact ~ '_version') }} as versions
                        where
                            versions.agency_code = raw_records._agency_code
                            and versions.delivery_id = raw_records._delivery_id
                            and versions.record_no = raw_records._record_no
                    )
                    and {{ is_key_listed(feed, 'readings.record_key') }}
                )
            offset 0 -- noqa: AM09
        ) as missing
    where sent.is_built and sent.feed = '{{ feed.feed }}'
),

{{ feed.feed }}_not_sent as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        'not_sent' as break_kind,
        sent.file_id,
        sent.delivery_id,
        extra.record_no,
        null::bigint as line_no,
        1::bigint as records_count
    from sent
    cross join
        lateral ( -- noqa: ST05
            select listed.record_no
            from {{ listed_of(feed, 'sent.delivery_id') }} as listed
            where
                not exists (
                    select 1
                    from raw.{{ feed.feed }} as raw_records
                    where
                        raw_records._delivery_id = sent.delivery_id
                        and raw_records._record_no = listed.record_no
                        and raw_records._received_at = sent.received_at
                )
            offset 0 -- noqa: AM09
        ) as extra
    where sent.feed = '{{ feed.feed }}'
),

{{ feed.feed }}_not_loaded as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        case when loaded.raw_count < sent.records_loaded - sent.records_removed then 'not_in_raw' else 'too_many_in_raw' end as break_kind,
        sent.file_id,
        sent.delivery_id,
        null::bigint as record_no,
        null::bigint as line_no,
        abs(sent.records_loaded - sent.records_removed - loaded.raw_count) as records_count
    from sent
    cross join
        lateral (
            select count(*) as raw_count
            from raw.{{ feed.feed }} as raw_records
            where raw_records._delivery_id = sent.delivery_id and raw_records._received_at = sent.received_at
        ) as loaded
    where
        sent.status = 'published'
        and sent.feed = '{{ feed.feed }}'
        -- What was erased or is past its time is not missing.
        and sent.records_loaded - sent.records_removed <> loaded.raw_count
),
{% endfor %}
other_count as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        case when sent.sender_row_count > coalesce(sent.records_in, 0) then 'fewer_than_counted' else 'more_than_counted' end as break_kind,
        sent.file_id,
        sent.delivery_id,
        null::bigint as record_no,
        null::bigint as line_no,
        abs(sent.sender_row_count - coalesce(sent.records_in, 0)) as records_count
    from sent
    where sent.status <> 'received' and sent.sender_row_count <> coalesce(sent.records_in, 0)
),

on_its_way as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        'on_its_way' as break_kind,
        sent.file_id,
        sent.delivery_id,
        null::bigint as record_no,
        null::bigint as line_no,
        sent.records_in as records_count
    from sent
    where sent.status <> 'dead_letter' and not sent.is_built
),

unread_delivery as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        'unread' as break_kind,
        sent.file_id,
        sent.delivery_id,
        null::bigint as record_no,
        null::bigint as line_no,
        coalesce(sent.sender_row_count, nullif(sent.records_in, 0)) as records_count
    from sent
    where sent.status = 'dead_letter'
),

unread_line as (
    select
        sent.agency_code,
        sent.feed,
        sent.received_on,
        'unread' as break_kind,
        sent.file_id,
        sent.delivery_id,
        null::bigint as record_no,
        dead_letters.line_no,
        1::bigint as records_count
    from sent
    inner join dead_letters on sent.delivery_id = dead_letters.delivery_id
    where sent.status <> 'dead_letter' and dead_letters.resolved_at is null
),

-- Of a file that no agreement fits nobody knows how many records it holds, nor of which feed.
unread_file as (
    select
        files.agency_code,
        files.source as feed,
        (files.received_at at time zone 'UTC')::date as received_on,
        'unread' as break_kind,
        files.file_id,
        null::bigint as delivery_id,
        null::bigint as record_no,
        dead_letters.line_no,
        null::bigint as records_count
    from dead_letters
    inner join files on dead_letters.file_id = files.file_id
    where dead_letters.delivery_id is null and dead_letters.resolved_at is null
),

breaks as (
    {%- for feed in rooms().feeds %}
    select * from {{ feed.feed }}_not_on_list
    union all
    select * from {{ feed.feed }}_not_sent
    union all
    select * from {{ feed.feed }}_not_loaded
    union all
    {%- endfor %}
    select * from other_count
    union all
    select * from on_its_way
    union all
    select * from unread_delivery
    union all
    select * from unread_line
    union all
    select * from unread_file
)

select
    breaks.agency_code,
    breaks.feed,
    breaks.received_on,
    breaks.break_kind,
    breaks.file_id,
    breaks.delivery_id,
    breaks.record_no,
    breaks.line_no,
    breaks.records_count,
    case breaks.break_kind
        when 'not_on_list' then 'The record came and is on no list: put it there by hand now, and tell the data engineer.'
        when 'not_sent' then 'A row stands on the list that no sender sent: find out where it comes from.'
        when 'not_in_raw' then 'Fewer records are kept than were loaded: replay the delivery, and tell the data engineer.'
        when 'too_many_in_raw' then 'More records are kept than were loaded: tell the data engineer.'
        when 'fewer_than_counted' then 'Fewer records came than the sender counted: ask the sender for the others.'
        when 'more_than_counted' then 'More records came than the sender counted: ask the sender which count is right.'
        when 'on_its_way' then 'It has come and is not on the list yet: it is with the next build.'
        else 'It could not be read: somebody rings the sender (worklists.dead_letters).'
    end as reason
from breaks
