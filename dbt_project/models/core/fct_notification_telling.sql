-- Why: how long the police took and how they graded, counted once, so that rates need not read every record again. Grain: one row per block of a
-- delivery that first told of notifications. Traps: only what was first told counts, so no correction shortens a time or mends a grade; a time
-- that is missing, a default or impossible is none (null), and a block that nothing is left of keeps its place.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['first_delivery_id', 'block_no'],
        indexes=[{'columns': ['first_delivery_id', 'block_no']}],
    )
}}
{%- set versions = ref('fct_notification_version') %}

with deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

agencies as (
    select * from {{ ref('dim_agency') }}
),

default_dates as (
    select array_agg(codes.code::date) as default_days
    from {{ source('reference', 'codes') }} as codes
    where codes.code_list = 'default_date'
),

grade_elements as (
    select elements.*
    from {{ source('quality', 'sufficiency_elements') }} as elements
    where elements.feed = 'police' and elements.element = 'grade'
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),

{{ touched_blocks('police', versions) }},

first_told as (
    select
        versions.*,
        coalesce(agencies.timezone, 'UTC') as timezone
    from {{ records_of_blocks(versions, 'police_touched') }} as versions
    left join agencies on versions.agency_code = agencies.agency_code
    where versions.is_first_known
),

stated as (
    select
        first_told.first_delivery_id,
        first_told.block_no,
        first_told.received_at,
        first_told.has_urgent_fact,
        first_told.is_lowest_grade,
        first_told.grade_ratio,
        {{ stated_instant('first_told.known_to_sender_at', 'first_told.timezone', 'default_dates.default_days') }} as known_at,
        {{ stated_instant('first_told.sent_at', 'first_told.timezone', 'default_dates.default_days') }} as sent_at,
        -- The letter N: the notice names no child whom one could grade.
        first_told.grade_rank is null
        and coalesce(substr(first_told.sufficiency, grade_elements.position, 1) = 'N', false) as has_nobody_to_grade
    from first_told
    cross join default_dates
    left join grade_elements on first_told.contract_version = grade_elements.contract_version
),

-- Who is said to have known after sending or after we had it did not know then: neither time can be judged.
believed as (
    select
        stated.*,
        case
            when stated.known_at <= stated.received_at and coalesce(stated.known_at <= stated.sent_at, true) then stated.known_at
        end as believed_known_at,
        case when stated.sent_at <= stated.received_at then stated.sent_at end as believed_sent_at
    from stated
),

timed as (
    select
        believed.*,
        {{ minutes_between('believed.believed_known_at', 'believed.believed_sent_at') }} as known_to_sent_minutes,
        {{ minutes_between('believed.believed_known_at', 'believed.received_at') }} as known_to_received_minutes
    from believed
),

by_minutes_to_sent as (
    select
        timed.first_delivery_id,
        timed.block_no,
        timed.known_to_sent_minutes as minutes,
        count(*) as notification_count
    from timed
    group by timed.first_delivery_id, timed.block_no, timed.known_to_sent_minutes
),

to_sent as (
    select
        by_minutes_to_sent.first_delivery_id,
        by_minutes_to_sent.block_no,
        array_agg(by_minutes_to_sent.minutes order by by_minutes_to_sent.minutes) as minutes,
        array_agg(by_minutes_to_sent.notification_count order by by_minutes_to_sent.minutes) as counts
    from by_minutes_to_sent
    group by by_minutes_to_sent.first_delivery_id, by_minutes_to_sent.block_no
),

by_minutes_to_received as (
    select
        timed.first_delivery_id,
        timed.block_no,
        timed.known_to_received_minutes as minutes,
        count(*) as notification_count
    from timed
    group by timed.first_delivery_id, timed.block_no, timed.known_to_received_minutes
),

to_received as (
    select
        by_minutes_to_received.first_delivery_id,
        by_minutes_to_received.block_no,
        array_agg(by_minutes_to_received.minutes order by by_minutes_to_received.minutes) as minutes,
        array_agg(by_minutes_to_received.notification_count order by by_minutes_to_received.minutes) as counts
    from by_minutes_to_received
    group by by_minutes_to_received.first_delivery_id, by_minutes_to_received.block_no
),

-- A grade that is missing or unread may be the lowest or the highest; a fact that is not ruled out may stand.
graded as (
    select
        timed.first_delivery_id,
        timed.block_no,
        count(*) filter (where timed.has_urgent_fact and timed.is_lowest_grade) as lowest_beside_fact_count,
        count(*) filter (where timed.has_urgent_fact and not timed.is_lowest_grade) as higher_beside_fact_count,
        count(*) filter (
            where
            coalesce(timed.has_urgent_fact, true)
            and coalesce(timed.is_lowest_grade, true)
            and (timed.has_urgent_fact is null or timed.is_lowest_grade is null)
            and not timed.has_nobody_to_grade
        ) as unjudged_low_grade_count,
        count(*) filter (where not timed.has_urgent_fact and timed.grade_ratio = 1) as highest_without_fact_count,
        count(*) filter (where not timed.has_urgent_fact and timed.grade_ratio < 1) as lower_without_fact_count,
        count(*) filter (
            where
            not coalesce(timed.has_urgent_fact, false)
            and coalesce(timed.grade_ratio = 1, true)
            and (timed.has_urgent_fact is null or timed.grade_ratio is null)
            and not timed.has_nobody_to_grade
        ) as unjudged_high_grade_count
    from timed
    group by timed.first_delivery_id, timed.block_no
)

select
    deliveries.agency_code,
    police_touched.first_delivery_id,
    police_touched.block_no,
    to_sent.minutes as sent_minutes,
    to_sent.counts as sent_counts,
    to_received.minutes as received_minutes,
    to_received.counts as received_counts,
    coalesce(graded.lowest_beside_fact_count, 0) as lowest_beside_fact_count,
    coalesce(graded.higher_beside_fact_count, 0) as higher_beside_fact_count,
    coalesce(graded.unjudged_low_grade_count, 0) as unjudged_low_grade_count,
    coalesce(graded.highest_without_fact_count, 0) as highest_without_fact_count,
    coalesce(graded.lower_without_fact_count, 0) as lower_without_fact_count,
    coalesce(graded.unjudged_high_grade_count, 0) as unjudged_high_grade_count,
    (deliveries.received_at at time zone coalesce(agencies.timezone, 'UTC'))::date as received_on,
    clock.as_of
from police_touched
inner join deliveries on police_touched.first_delivery_id = deliveries.delivery_id
left join agencies on deliveries.agency_code = agencies.agency_code
left join graded on police_touched.first_delivery_id = graded.first_delivery_id and police_touched.block_no = graded.block_no
left join to_sent on police_touched.first_delivery_id = to_sent.first_delivery_id and police_touched.block_no = to_sent.block_no
left join to_received
    on police_touched.first_delivery_id = to_received.first_delivery_id and police_touched.block_no = to_received.block_no
cross join clock
{%- if not is_incremental() %}
union all
select fixed.*
from {{ fixed_counts('fct_notification_telling', [
        ('agency_code', 'text'),
        ('first_delivery_id', 'bigint'),
        ('block_no', 'bigint'),
        ('sent_minutes', 'bigint[]'),
        ('sent_counts', 'bigint[]'),
        ('received_minutes', 'bigint[]'),
        ('received_counts', 'bigint[]'),
        ('lowest_beside_fact_count', 'bigint'),
        ('higher_beside_fact_count', 'bigint'),
        ('unjudged_low_grade_count', 'bigint'),
        ('highest_without_fact_count', 'bigint'),
        ('lower_without_fact_count', 'bigint'),
        ('unjudged_high_grade_count', 'bigint'),
        ('received_on', 'date'),
        ('as_of', 'timestamptz'),
    ]) }} as fixed
{%- endif %}
