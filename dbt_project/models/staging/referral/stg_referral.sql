-- Why: contacts and referrals as read, sent by partners or recorded by the council (the yearly return too), of published deliveries.
-- Grain: one row per record. Traps: nothing here may raise, whatever a record holds; all that was ever sent is behind this view, so read it
-- by delivery or by key.
with read_records as (
    select * from {{ source('raw', 'referral_read') }}
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

thresholds as (
    select * from {{ source('reference', 'thresholds') }}
),

grades as (
    select
        codes.*,
        (codes.attributes ->> 'rank')::integer as grade_rank,
        (codes.attributes ->> 'rank')::double precision
        / max((codes.attributes ->> 'rank')::integer) over (partition by codes.code_list) as grade_ratio
    from codes
    where codes.code_list = 'level'
),

published as (
    select
        read_records.*,
        deliveries.source,
        deliveries.contract_version,
        deliveries.published_at,
        coalesce(agencies.kind = 'council', false) as is_from_council,
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
        published.child_ref as child_reference,
        published.contact_reference,

        -- codes
        coalesce(published.record_role, 'not_known') as contact_kind,
        published.source_code,
        published.sender_service,
        coalesce(published.level_decided, published.level_requested) as level_code,
        published.outcome_code,
        published.status as status_code,

        -- attributes
        -- A record that we could not read says nothing of its sender.
        case when published.content_hash not like 'unread:%' then published._sufficiency end as sufficiency,
        published.name_status,
        grades.grade_rank,
        grades.grade_ratio,
        thresholds.threshold_value as infant_age_years,
        markers.facts
        || case when published.immediate_danger = 'yes' then '["immediate_danger"]'::jsonb else '[]' end
        || case when published.injury = 'yes' then '["injury"]'::jsonb else '[]' end
        || case when published.person_access_now = 'yes' then '["person_access_now"]'::jsonb else '[]' end as risk_facts,

        -- for comparing records only
        {{ for_matching('published.forename', 'published.forename_state') }} as match_forename,
        {{ for_matching('published.surname', 'published.surname_state') }} as match_surname,
        published.dob as match_birth_date,
        null::text as match_matter,

        -- dates
        {{ age_reckoned_from('published.dob', 'published.age_stated', 'published.due_date', 'published.received_on') }} as age_reckoned_from,
        published.received_on,
        published._received_at,
        published._received_at as received_at,
        published.published_at as known_from,
        published.event_at as occurred_at,
        published.known_at as known_to_sender_at,
        published.sent_at,
        published.decided_at,
        published.closure_date as closed_on,

        -- flags
        coalesce(published.record_action = 'withdraw', false) as is_withdrawal,
        -- Something was said that we cannot read: a marker cannot be excluded.
        coalesce(published.concern_type_state = 'unmapped', false) as has_unread_marker,
        -- A row leaves the list when the council's own record says so: by a decision with time, role and reason, or because the case was
        -- closed. Held is open, and so is what might be.
        published.is_from_council
        and coalesce(published.record_role = 'council_record', false)
        and coalesce(published.status <> 'held', published.status_state = 'missing')
        and published.held_reason_state = 'missing'
        and coalesce(
            published.closure_date <= published.received_on
            or (
                published.outcome_code is not null
                and coalesce(outcomes.attributes ->> 'is_held', 'false') <> 'true'
                and published.decided_at is not null
                and published.decider_role is not null
                and (published.outcome_reason is not null or published.rationale is not null)
            ),
            false
        ) as is_closed
    from published
    cross join lateral {{ protection_markers(
        [
            ('concern_type', 'is_marker', 'published.concern_type'),
        ]
    ) }} as markers
    left join thresholds
        on
            thresholds.threshold_id = 'infant_age_years'
            and published.received_on >= thresholds.valid_from
            and coalesce(published.received_on <= thresholds.valid_to, true)
    left join grades
        on
            coalesce(published.level_decided, published.level_requested) = grades.code
            and published.received_on >= grades.valid_from
            and coalesce(published.received_on <= grades.valid_to, true)
    left join codes as outcomes
        on
            outcomes.code_list = 'outcome'
            and published.outcome_code = outcomes.code
            and published.received_on >= outcomes.valid_from
            and coalesce(published.received_on <= outcomes.valid_to, true)
),

marked as (
    select
        renamed.*,
        renamed.risk_facts <> '[]'::jsonb
        or renamed.has_unread_marker
        or {{ is_infant('renamed.name_status', 'renamed.age_reckoned_from', 'renamed.received_on', 'renamed.infant_age_years') }} as has_protection_marker
    from renamed
)

select * from marked
