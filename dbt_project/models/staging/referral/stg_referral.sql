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
        limits.infant_age_years,
        risk.facts as risk_facts,

        -- for comparing records only
        {{ for_matching('published.forename', 'published.forename_state') }} as match_forename,
        {{ for_matching('published.surname', 'published.surname_state') }} as match_surname,
        published.dob as match_birth_date,
        null::text as match_matter,

        -- dates
        {{ age_reckoned_from('published', 'limits.child_age_years') }} as age_reckoned_from,
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
        risk.has_marker as states_marker,
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
    cross join lateral {{ risk_facts('published', [
        {'field': 'level_decided', 'code_list': 'level', 'is_graded': true},
        {'field': 'level_requested', 'code_list': 'level', 'is_graded': true},
        {'field': 'concern_type', 'code_list': 'concern_type', 'is_list': true, 'markers': 'is_marker'},
        {'field': 'injury', 'facts': ['yes'], 'markers': ['yes']},
        {'field': 'immediate_danger', 'facts': ['yes'], 'markers': ['yes']},
        {'field': 'person_access_now', 'facts': ['yes'], 'markers': ['yes']},
    ]) }} as risk
    cross join lateral {{ age_limits('published.received_on') }} as limits
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

aged as (
    select
        renamed.*,
        {{ is_infant('renamed.name_status', 'renamed.age_reckoned_from', 'renamed.received_on', 'renamed.infant_age_years') }} as is_infant
    from renamed
),

marked as (
    select
        aged.*,
        aged.states_marker or aged.is_infant as has_protection_marker
    from aged
)

select * from marked
