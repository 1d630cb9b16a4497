{#-
    The history of records: which record replaces which. The text of the CTEs up to `versions`, which has the columns of staging named in
    `attributes` and the columns of the judgement, one row per record.

    A case is what surely is one matter: records under one key of the sender's own whose names, dates of birth and incidents do not
    contradict one another. Where any two records of a key do contradict (a reference used again), only records that say wholly the same of who the child
    is belong together, and a record that does not say it stands alone: a blank name must never join two children.
    Within a case, and among records that are the only one of their key in their delivery:
    * a record like the one before it is a repeat, not a version (A-B-A are three versions);
    * a version is replaced by the earliest later one that takes no risk away (a lower grade, a fact gone): in doubt both stay.
    The order is that in which deliveries arrived (delivery_id), so the outcome does not depend on which of them a build happens to hold.

    Incremental: what came is compared with the versions that are kept; only what is new or changed is written. A key whose news is not the
    last word (an older delivery built later, a delivery built in slices, a slice built again), or whose records contradict one another, is
    read again whole from staging.
-#}
{% macro record_versions(staging, feed, attributes, is_snapshot=false) %}
    {%- set lineage = ['record_key', 'content_hash', 'has_own_key', 'known_from', 'received_at'] + (['agency_code', 'source'] if is_snapshot else []) -%}
    {%- set compared = ['match_forename', 'match_surname', 'match_birth_date', 'match_matter', 'risk_facts', 'is_infant', 'is_withdrawal'] -%}
    {%- set judgement = [
        'copy_no', 'first_delivery_id', 'first_record_no', 'first_received_at', 'known_to', 'superseded_by_delivery_id', 'is_only_in_delivery',
        'is_current', 'is_repeat', 'is_first_known', 'is_latest_known', 'is_withdrawn', 'is_downgrade', 'has_contradiction',
        'is_in_latest_extract',
    ] -%}
    {%- if is_snapshot or is_incremental() -%}
    {%- set deliveries = source('intake', 'deliveries') -%}
    {%- endif -%}
    {%- if is_incremental() %}
    arrived as (
        select staging.*
        from {{ news_of(staging) }} as staging
    ),

    touched as (
        select
            arrived.record_key,
            min(arrived._delivery_id) as first_news_delivery_id
        from arrived
        group by arrived.record_key
    ),

    -- The same delivery may hold the same key in a slice that is not news.
    sliced as (
        select news.delivery_id
        from warehouse.news as news
        inner join {{ deliveries }} as deliveries on news.delivery_id = deliveries.delivery_id
        where news.record_from > 1 or news.record_to < deliveries.records_in
    ),

    known as (
        select versions.*
        from touched
        cross join lateral (
            select kept.*
            from {{ this }} as kept
            where kept.record_key = touched.record_key and not kept.is_repeat
            offset 0
        ) as versions
    ),

    disputed as (
        select together.record_key
        from (
            select
                arrived.record_key,
                arrived.match_forename,
                arrived.match_surname,
                arrived.match_birth_date,
                arrived.match_matter
            from arrived
            union all
            select
                known.record_key,
                known.match_forename,
                known.match_surname,
                known.match_birth_date,
                known.match_matter
            from known
        ) as together
        group by together.record_key
        having
            min(together.match_forename) <> max(together.match_forename)
            or min(together.match_surname) <> max(together.match_surname)
            or min(together.match_birth_date) <> max(together.match_birth_date)
            or min(together.match_matter) <> max(together.match_matter)
    ),

    unsettled as (
        select disputed.record_key
        from disputed
        union
        select touched.record_key
        from touched
        cross join lateral (
            select kept.delivery_id
            from {{ this }} as kept
            where kept.record_key = touched.record_key
            order by kept.delivery_id desc
            limit 1
        ) as newest
        where newest.delivery_id >= touched.first_news_delivery_id
        union
        select arrived.record_key
        from arrived
        inner join sliced on arrived._delivery_id = sliced.delivery_id
        cross join lateral (
            select 1
            from {{ source('raw', feed ~ '_read') }} as others
            where
                others.record_key = arrived.record_key
                and others._delivery_id = arrived._delivery_id
                and others._received_at = arrived._received_at
                and others._record_no <> arrived._record_no
            limit 1
        ) as others
        where arrived.has_own_key
    ),

    records as (
        select arrived.*
        from arrived
        where arrived.record_key not in (select unsettled.record_key from unsettled)
        union all
        select again.*
        from unsettled
        cross join lateral (
            select staging.*
            from {{ staging }} as staging
            where staging.record_key = unsettled.record_key
            offset 0
        ) as again
    ),

    kept as (
        select known.*
        from known
        where known.record_key not in (select unsettled.record_key from unsettled)
    ),
    {%- else %}
    records as (
        select staging.*
        from {{ staging }} as staging
    ),
    {%- endif %}

    compared as (
        select
            records._delivery_id as delivery_id,
            records._record_no as record_no,
            {%- for column in lineage + compared %}
            records.{{ column }},
            {%- endfor %}
            records.has_own_key and count(*) over (partition by records.record_key, records._delivery_id) = 1 as is_only_in_delivery,
            row_number() over (
                partition by records.record_key, records._delivery_id, records.content_hash order by records._record_no
            ) as copy_no
        from records
        {%- if is_incremental() %}
        union all
        select
            kept.delivery_id,
            kept.record_no,
            {%- for column in lineage + compared %}
            kept.{{ column }},
            {%- endfor %}
            kept.is_only_in_delivery,
            kept.copy_no
        from kept
        {%- endif %}
    ),

    under_one_key as (
        select
            compared.*,
            (min(compared.match_forename) over of_key is distinct from max(compared.match_forename) over of_key) as forenames_differ,
            (min(compared.match_surname) over of_key is distinct from max(compared.match_surname) over of_key) as surnames_differ,
            (min(compared.match_birth_date) over of_key is distinct from max(compared.match_birth_date) over of_key) as birth_dates_differ,
            (min(compared.match_matter) over of_key is distinct from max(compared.match_matter) over of_key) as matters_differ
        from compared
        window of_key as (partition by compared.record_key)
    ),

    cases as (
        select
            under_one_key.*,
            coalesce(
                (under_one_key.forenames_differ and under_one_key.match_forename is not null)
                or (under_one_key.surnames_differ and under_one_key.match_surname is not null)
                or (under_one_key.birth_dates_differ and under_one_key.match_birth_date is not null)
                or (under_one_key.matters_differ and under_one_key.match_matter is not null),
                false
            ) as has_contradiction,
            case
                when not (
                    under_one_key.forenames_differ or under_one_key.surnames_differ or under_one_key.birth_dates_differ
                    or under_one_key.matters_differ
                ) then 'undisputed'
                when under_one_key.match_forename is null then 'alone ' || under_one_key.content_hash
                else md5(concat_ws(
                    chr(31),
                    under_one_key.match_forename,
                    coalesce(under_one_key.match_surname, chr(30)),
                    coalesce(under_one_key.match_birth_date::text, chr(30)),
                    coalesce(under_one_key.match_matter, chr(30))
                ))
            end as case_key
        from under_one_key
    ),

    followed as (
        select
            cases.*,
            lag(cases.content_hash) over in_order as previous_hash,
            case
                when cases.is_only_in_delivery then first_value(cases.delivery_id) over in_order
                else cases.delivery_id
            end as first_delivery_id,
            case
                when cases.is_only_in_delivery then first_value(cases.record_no) over in_order
                else cases.record_no
            end as first_record_no,
            case
                when cases.is_only_in_delivery then first_value(cases.received_at) over in_order
                else cases.received_at
            end as first_received_at,
            cases.is_withdrawal or (cases.is_only_in_delivery and last_value(cases.is_withdrawal) over (
                partition by cases.record_key, cases.case_key, cases.is_only_in_delivery
                order by cases.delivery_id, cases.record_no
                rows between unbounded preceding and unbounded following
            )) as is_withdrawn
        from cases
        window in_order as (
            partition by cases.record_key, cases.case_key, cases.is_only_in_delivery
            order by cases.delivery_id, cases.record_no
        )
    ),

    successions as (
        select
            earlier.delivery_id,
            earlier.record_no,
            later.delivery_id as later_delivery_id,
            later.record_no as later_record_no,
            later.known_from as later_known_from,
            coalesce(
                not coalesce(earlier.risk_facts, '[]') <@ coalesce(later.risk_facts, '[]')
                -- A child of one date of birth grew older; any other way of not being an infant any more is a doubt.
                or (earlier.is_infant and not later.is_infant and coalesce(earlier.match_birth_date <> later.match_birth_date, true)),
                false
            ) as is_downgrade
        from followed as earlier
        inner join followed as later
            on
                earlier.record_key = later.record_key
                and earlier.case_key = later.case_key
                and earlier.delivery_id < later.delivery_id
        where
            earlier.is_only_in_delivery
            and later.is_only_in_delivery
            and earlier.content_hash is distinct from earlier.previous_hash
            and later.content_hash is distinct from later.previous_hash
    ),

    superseded as (
        select
            successions.delivery_id,
            successions.record_no,
            min(successions.later_delivery_id) filter (where not successions.is_downgrade) as superseded_by_delivery_id,
            (array_agg(successions.later_known_from order by successions.later_delivery_id)
                filter (where not successions.is_downgrade))[1] as superseded_at
        from successions
        group by successions.delivery_id, successions.record_no
    ),

    downgrades as (
        select distinct
            successions.later_delivery_id as delivery_id,
            successions.later_record_no as record_no
        from successions
        inner join superseded
            on successions.delivery_id = superseded.delivery_id and successions.record_no = superseded.record_no
        where
            successions.is_downgrade
            and coalesce(superseded.superseded_by_delivery_id > successions.later_delivery_id, true)
    ),

    -- A record that shares its key within its delivery repeats a like one that stands: one that was the only one in its delivery and is not
    -- replaced yet, or else a like one that shared its key too, for nothing ever replaces that.
    like_standing_ones as (
        select distinct
            shared.delivery_id,
            shared.record_no
        from followed as shared
        inner join followed as earlier on shared.record_key = earlier.record_key and shared.content_hash = earlier.content_hash
        left join superseded on earlier.delivery_id = superseded.delivery_id and earlier.record_no = superseded.record_no
        where
            not shared.is_only_in_delivery
            and shared.copy_no = 1
            and earlier.is_only_in_delivery
            and earlier.content_hash is distinct from earlier.previous_hash
            and earlier.delivery_id < shared.delivery_id
            and coalesce(superseded.superseded_by_delivery_id >= shared.delivery_id, true)
    ),

    shared as (
        select
            followed.record_key,
            followed.content_hash,
            followed.copy_no,
            followed.delivery_id,
            followed.record_no,
            like_standing_ones.delivery_id is not null as is_like_a_standing_one
        from followed
        left join like_standing_ones
            on followed.delivery_id = like_standing_ones.delivery_id and followed.record_no = like_standing_ones.record_no
        where followed.has_own_key and not followed.is_only_in_delivery
    ),

    like_others as (
        select
            shared.delivery_id,
            shared.record_no,
            shared.is_like_a_standing_one
            or coalesce(shared.delivery_id > min(shared.delivery_id) filter (where not shared.is_like_a_standing_one) over (
                partition by shared.record_key, shared.content_hash, shared.copy_no
            ), false) as is_repeat
        from shared
    ),

    repeated as (
        select
            followed.*,
            superseded.superseded_by_delivery_id,
            superseded.superseded_at,
            downgrades.delivery_id is not null as is_downgrade,
            coalesce(followed.is_only_in_delivery and followed.content_hash = followed.previous_hash, false)
            or coalesce(like_others.is_repeat, false) as is_repeat
        from followed
        left join superseded on followed.delivery_id = superseded.delivery_id and followed.record_no = superseded.record_no
        left join downgrades on followed.delivery_id = downgrades.delivery_id and followed.record_no = downgrades.record_no
        left join like_others on followed.delivery_id = like_others.delivery_id and followed.record_no = like_others.record_no
    ),
    {%- if is_snapshot %}

    extracts as (
        -- A workbook or an archive supplies a feed by several deliveries: together they are one extract. A sender may also have agreed to
        -- send what changed: that is added to its last extract, and one who never sent the whole has nothing that could be gone from it.
        select
            deliveries.delivery_id,
            deliveries.file_id,
            deliveries.agency_code,
            deliveries.source,
            max(deliveries.file_id) filter (where deliveries.delivery_mode is distinct from 'increment') over (
                partition by deliveries.agency_code, deliveries.source
            ) as latest_file_id
        from {{ deliveries }} as deliveries
        where deliveries.feed = '{{ feed }}' and deliveries.published_at is not null and deliveries.records_loaded > 0
    ),

    latest_extracts as (
        select extracts.delivery_id
        from extracts
        where extracts.file_id >= extracts.latest_file_id
    ),

    without_extract as (
        select distinct
            extracts.agency_code,
            extracts.source
        from extracts
        where extracts.latest_file_id is null
    ),

    in_latest_extract as (
        select distinct staging.record_key
        from latest_extracts
        cross join lateral (
            select listed.record_key
            from {{ staging }} as listed
            where listed._delivery_id = latest_extracts.delivery_id
            offset 0
        ) as staging
    ),
    {%- endif %}

    judged as (
        select
            repeated.record_key,
            repeated.delivery_id,
            repeated.record_no,
            {%- if is_snapshot %}
            repeated.agency_code,
            repeated.source,
            {%- endif %}
            repeated.copy_no::integer as copy_no,
            -- Of a repeat nothing is said that a later delivery could change.
            case when repeated.is_repeat then repeated.delivery_id else repeated.first_delivery_id end as first_delivery_id,
            case when repeated.is_repeat then repeated.record_no else repeated.first_record_no end as first_record_no,
            case when repeated.is_repeat then repeated.received_at else repeated.first_received_at end as first_received_at,
            case
                when repeated.is_repeat then repeated.known_from
                else greatest(repeated.known_from, repeated.superseded_at)
            end as known_to_or_from,
            repeated.superseded_at is not null or repeated.is_repeat as has_ended,
            case when not repeated.is_repeat then repeated.superseded_by_delivery_id end as superseded_by_delivery_id,
            repeated.is_only_in_delivery,
            not repeated.is_repeat and repeated.superseded_by_delivery_id is null as is_current,
            repeated.is_repeat,
            not repeated.is_repeat and repeated.delivery_id = repeated.first_delivery_id as is_first_known,
            not repeated.is_repeat
            and repeated.superseded_by_delivery_id is null
            and (
                not repeated.is_only_in_delivery
                or repeated.delivery_id = max(repeated.delivery_id) filter (where not repeated.is_repeat) over (
                    partition by repeated.record_key, repeated.case_key, repeated.is_only_in_delivery
                )
            ) as is_latest_known,
            case when repeated.is_repeat then repeated.is_withdrawal else repeated.is_withdrawn end as is_withdrawn,
            repeated.is_downgrade and not repeated.is_repeat as is_downgrade,
            repeated.has_contradiction and not repeated.is_repeat as has_contradiction
        from repeated
    ),

    dated as (
        select
            judged.*,
            case when judged.has_ended then judged.known_to_or_from end as known_to,
            {%- if is_snapshot %}
            judged.is_current
            and (in_latest_extract.record_key is not null or without_extract.agency_code is not null) as is_in_latest_extract
            {%- else %}
            judged.is_current as is_in_latest_extract
            {%- endif %}
        from judged
        {%- if is_snapshot %}
        left join in_latest_extract on judged.record_key = in_latest_extract.record_key
        left join without_extract on judged.agency_code = without_extract.agency_code and judged.source = without_extract.source
        {%- endif %}
    ),

    versions as (
        select
            {%- for column in attributes %}
            records.{{ column }},
            {%- endfor %}
            records._delivery_id as delivery_id,
            records._record_no as record_no,
            {%- for column in judgement %}
            dated.{{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from records
        inner join dated on records._delivery_id = dated.delivery_id and records._record_no = dated.record_no
        {%- if is_incremental() %}
        union all
        select
            {%- for column in attributes %}
            kept.{{ column }},
            {%- endfor %}
            kept.delivery_id,
            kept.record_no,
            {%- for column in judgement %}
            dated.{{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from kept
        inner join dated on kept.delivery_id = dated.delivery_id and kept.record_no = dated.record_no
        where
            (
                {%- for column in judgement %}
                kept.{{ column }}{{ ',' if not loop.last }}
                {%- endfor %}
            )
            is distinct from
            (
                {%- for column in judgement %}
                dated.{{ column }}{{ ',' if not loop.last }}
                {%- endfor %}
            )
        {%- if is_snapshot %}
        union all
        -- Current records of which the new extract says nothing: marked, never deleted.
        select
            {%- for column in attributes %}
            absent.{{ column }},
            {%- endfor %}
            absent.delivery_id,
            absent.record_no,
            {%- for column in judgement %}
            {{ 'false' if column == 'is_in_latest_extract' else 'absent.' ~ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ this }} as absent
        where
            absent.is_in_latest_extract
            and exists (select 1 from arrived where arrived.agency_code = absent.agency_code and arrived.source = absent.source)
            and not exists (select 1 from in_latest_extract where in_latest_extract.record_key = absent.record_key)
            and not exists (select 1 from touched where touched.record_key = absent.record_key)
            and not exists (
                select 1 from without_extract
                where without_extract.agency_code = absent.agency_code and without_extract.source = absent.source
            )
        {%- endif %}
        {%- endif %}
    )
{%- endmacro %}
