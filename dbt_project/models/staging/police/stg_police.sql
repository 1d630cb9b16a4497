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
        thresholds.threshold_value as infant_age_years,
        markers.facts
        || case when published.suspect_lives_with_child = 'yes' then '["suspect_lives_with_child"]'::jsonb else '[]' end as risk_facts,

        -- for comparing records only
        {{ for_matching('published.forename', 'published.forename_state') }} as match_forename,
        {{ for_matching('published.surname', 'published.surname_state') }} as match_surname,
        published.dob as match_birth_date,
        {{ for_matching('published.incident_ref', 'published.incident_ref_state') }} as match_matter,

        -- dates
        {{ age_reckoned_from('published.dob', 'published.age_stated', 'published.due_date', 'published.received_on') }} as age_reckoned_from,
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
        -- Something was said that we cannot read: a marker cannot be excluded.
        coalesce(published.red_line_facts_state in ('unmapped', 'unparsed') or published.harm_type_state = 'unmapped', false) as has_unread_marker
    from published
    cross join lateral {{ protection_markers(
        [
            ('red_line_fact', 'is_fact', 'published.red_line_facts'),
            ('harm_type', 'is_marker', 'published.harm_type'),
            ('powers_used', 'is_power', 'array[published.powers_used]'),
        ]
    ) }} as markers
    left join thresholds
        on
            thresholds.threshold_id = 'infant_age_years'
            and published.received_on >= thresholds.valid_from
            and coalesce(published.received_on <= thresholds.valid_to, true)
    left join grades
        on
            published.child_risk_grade = grades.code
            and published.received_on >= grades.valid_from
            and coalesce(published.received_on <= grades.valid_to, true)
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
