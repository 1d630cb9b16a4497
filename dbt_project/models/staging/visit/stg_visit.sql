-- Why: visits planned, tried and made, as read from the case system's extract, of published deliveries.
-- Grain: one row per record. Traps: nothing here may raise, whatever a record holds; all that was ever sent is behind this view, so read it
-- by delivery or by key.
with read_records as (
    select * from {{ source('raw', 'visit_read') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

agencies as (
    select * from {{ source('reference', 'agencies') }}
),

codes as (
    select * from {{ source('reference', 'codes') }}
),

published as (
    select
        read_records.*,
        deliveries.source,
        deliveries.contract_version,
        deliveries.published_at,
        coalesce(agencies.timezone, 'UTC') as agency_timezone,
        (read_records._received_at at time zone coalesce(agencies.timezone, 'UTC'))::date as received_on
    from read_records
    inner join deliveries on read_records._delivery_id = deliveries.delivery_id
    left join agencies on read_records._agency_code = agencies.agency_code
    where deliveries.published_at is not null
),

renamed as (
    select
        -- ids
        published._delivery_id,
        published._record_no,
        published.record_key,
        published.content_hash,
        published.has_own_key,
        published._agency_code as agency_code,
        published.source,
        published.contract_version,
        published.sender_reference,
        published.child_key,
        published.child_id_council as child_reference,
        published.visit_id as visit_reference,
        published.worker_id,

        -- codes
        published.team_code,
        published.plan_type as plan_type_code,
        published.standard_id,
        published.status as visit_status_code,
        published.mode as visit_mode_code,

        -- attributes
        -- A record that we could not read says nothing of its sender.
        case when published.content_hash not like 'unread:%' then published._sufficiency end as sufficiency,
        null::jsonb as risk_facts,
        false as is_infant,

        -- for comparing records only: a visit has no name in it, so the child's own number stands for it
        {{ for_matching('published.child_id_council', 'published.child_id_council_state') }} as match_forename,
        null::text as match_surname,
        null::date as match_birth_date,
        null::text as match_matter,

        -- dates
        {{ sane_date('published.plan_started') }} as plan_started_on,
        {{ sane_date('published.plan_ended') }} as plan_ended_on,
        {{ sane_date('published.due_on') }} as due_by_sender_on,
        ({{ sane_instant('published.actual_at') }} at time zone published.agency_timezone)::date as visited_on,
        published.received_on,
        published._received_at,
        published._received_at as received_at,
        published.published_at as known_from,
        published.actual_at as occurred_at,
        published.recorded_at,

        -- flags
        published.withdrawn_reason_state in ('ok', 'unmapped') as is_withdrawal,
        coalesce(statuses.attributes ->> 'is_made', 'false') = 'true' as is_made,
        -- In person, this child, and said so. Whatever is missing or contradicts it counts as not seen.
        coalesce(
            published.child_seen = 'yes'
            and published.status = 'seen'
            and coalesce(modes.attributes ->> 'is_virtual', 'false') <> 'true'
            and modes.code is not null
            -- Nobody was seen at a time that had not come when we were told.
            and published.actual_at <= published._received_at
            and published.withdrawn_reason_state not in ('ok', 'unmapped'),
            false
        ) as is_child_seen,
        coalesce(statuses.attributes ->> 'is_made', 'false') = 'true'
        and coalesce(published.child_seen not in ('yes', 'no'), true) as is_seen_unknown
    from published
    left join codes as statuses
        on
            statuses.code_list = 'visit_status'
            and published.status = statuses.code
            and published.received_on >= statuses.valid_from
            and coalesce(published.received_on <= statuses.valid_to, true)
    left join codes as modes
        on
            modes.code_list = 'visit_mode'
            and published.mode = modes.code
            and published.received_on >= modes.valid_from
            and coalesce(published.received_on <= modes.valid_to, true)
)

select * from renamed
