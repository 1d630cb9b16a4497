-- Why: the police's notifications as read, of published deliveries, under the names of the house.
-- Grain: one row per record. Traps: nothing here may raise, whatever a record holds; all that was ever sent is behind this view, so read it
-- by delivery or by key.
with read_records as (
    select * from {{ source('raw', 'police_read') }}
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
        coalesce(codes.attributes ->> 'is_lowest' = 'true', false) as is_lowest_grade,
        (codes.attributes ->> 'rank')::integer as grade_rank,
        (codes.attributes ->> 'rank')::double precision
        / max((codes.attributes ->> 'rank')::integer) over (partition by codes.code_list) as grade_ratio
    from codes
    where codes.code_list = 'risk_grade'
),

published as (
    select
        read_records.*,
        deliveries.source,
        deliveries.contract_version,
        deliveries.published_at,
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
        published.notification_ref as notification_reference,
        published.incident_ref as incident_reference,

        -- codes
        published.notice_type as notice_type_code,
        published.child_role as child_role_code,
        published.officer_unit as sender_unit_code,
        published.child_risk_grade as grade_code,

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
        {{ for_matching('published.incident_ref', 'published.incident_ref_state') }} as match_matter,

        -- dates
        {{ age_reckoned_from('published', 'limits.child_age_years') }} as age_reckoned_from,
        published.received_on,
        published._received_at,
        published._received_at as received_at,
        published.published_at as known_from,
        published.incident_at as occurred_at,
        published.known_at as known_to_sender_at,
        published.sent_at,

        -- flags
        coalesce(published.record_action = 'withdraw', false) as is_withdrawal,
        -- Nothing that the police send closes it.
        false as is_closed,
        risk.has_marker as states_marker,
        grades.is_lowest_grade,
        coalesce(published.red_line_facts && {{ codes_with('red_line_fact', 'is_fact') }}, false)
        or coalesce(published.powers_used = any({{ codes_with('powers_used', 'is_power') }}::text[]), false) as states_urgent_fact,
        published.red_line_facts_state = 'ok'
        and published.powers_used_state = 'ok'
        and coalesce(published.powers_used <> all({{ codes_with('powers_used', 'is_unknown') }}::text[]), true) as answers_urgent_facts
    from published
    cross join lateral {{ risk_facts('published', [
        {'field': 'child_risk_grade', 'code_list': 'risk_grade', 'is_graded': true},
        {'field': 'red_line_facts', 'code_list': 'red_line_fact', 'is_list': true, 'facts': 'is_fact', 'markers': 'is_fact'},
        {'field': 'harm_type', 'code_list': 'harm_type', 'is_list': true, 'markers': 'is_marker'},
        {'field': 'notice_type', 'code_list': 'notice_type', 'facts': 'is_marker', 'markers': 'is_marker'},
        {'field': 'child_role', 'code_list': 'child_role', 'facts': 'is_marker', 'markers': 'is_marker'},
        {'field': 'powers_used', 'code_list': 'powers_used', 'facts': 'is_power', 'markers': 'is_power'},
        {'field': 'missing_grade', 'code_list': 'missing_grade', 'is_graded': true, 'markers': ['0']},
        {'field': 'da_grade', 'code_list': 'da_grade', 'is_graded': true},
        {'field': 'suspect_status', 'code_list': 'suspect_status', 'facts': 'is_marker', 'markers': 'is_marker'},
        {'field': 'suspect_lives_with_child', 'facts': ['yes'], 'markers': ['yes']},
        {'field': 'seen', 'facts': ['no'], 'markers': ['no']},
    ]) }} as risk
    cross join lateral {{ age_limits('published.received_on') }} as limits
    left join grades
        on
            published.child_risk_grade = grades.code
            and published.received_on >= grades.valid_from
            and coalesce(published.received_on <= grades.valid_to, true)
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
        aged.states_marker or aged.is_infant as has_protection_marker,
        -- What was not answered, or could not be read, cannot be ruled out.
        case
            when aged.states_urgent_fact or aged.is_infant then true
            when aged.answers_urgent_facts and aged.age_reckoned_from is not null then false
        end as has_urgent_fact
    from aged
)

select * from marked
