-- Why: how well an agency tells, week by week, in words of quality that can be mended. Grain: one row per agency, feed, week of receipt, dimension,
-- basis, waived and fault. Traps: a check is one rule about one record; what is not known (a rule that did not run, a record nobody could read)
-- lowers the ratio like a failure, so that silence never raises it; first-time-right and defaults_and_unknowns count records and answers.
{{ config(materialized='view') }}

with rule_scores as (
    select * from {{ ref('fct_rule_score') }}
),

sufficiency as (
    select * from {{ ref('fct_sufficiency') }}
),

expected_days as (
    select * from {{ ref('expected_days') }}
),

first_scores as (
    select * from {{ source('quality', 'first_scores') }}
),

first_publications as (
    select * from {{ source('quality', 'first_publications') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

feeds as (
    select * from {{ source('reference', 'feeds') }}
),

thresholds as (
    select * from {{ source('reference', 'thresholds') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),

received as (
    select
        deliveries.delivery_id,
        deliveries.agency_code,
        deliveries.feed,
        (deliveries.received_at at time zone coalesce(feeds.timezone, 'UTC'))::date as received_on
    from deliveries
    left join feeds on deliveries.feed = feeds.feed
),

-- What was never published has no other "then" than now.
by_delivery as (
    select
        'as_corrected' as basis,
        rule_scores.agency_code,
        rule_scores.feed,
        rule_scores.received_on,
        rule_scores.dimension,
        rule_scores.checked_count,
        rule_scores.failed_count,
        rule_scores.waived_count,
        rule_scores.excused_count,
        rule_scores.waived_or_excused_count,
        rule_scores.not_run_count
    from rule_scores
    union all
    select
        'as_known' as basis,
        received.agency_code,
        received.feed,
        received.received_on,
        first_scores.dimension,
        first_scores.checked_count,
        first_scores.failed_count,
        first_scores.waived_count,
        first_scores.excused_count,
        first_scores.waived_or_excused_count,
        first_scores.not_run_count
    from first_scores
    inner join received on first_scores.delivery_id = received.delivery_id
    union all
    select
        'as_known' as basis,
        rule_scores.agency_code,
        rule_scores.feed,
        rule_scores.received_on,
        rule_scores.dimension,
        rule_scores.checked_count,
        rule_scores.failed_count,
        rule_scores.waived_count,
        rule_scores.excused_count,
        rule_scores.waived_or_excused_count,
        rule_scores.not_run_count
    from rule_scores
    where
        not exists (
            select 1 from first_scores
            where first_scores.delivery_id = rule_scores.delivery_id
        )
    union all
    -- Who sends nothing fails in nothing else.
    select
        expected_days.basis,
        expected_days.agency_code,
        expected_days.feed,
        expected_days.expected_on as received_on,
        'coverage' as dimension,
        expected_days.checked_count,
        expected_days.failed_count,
        0 as waived_count,
        expected_days.excused_count,
        expected_days.excused_count as waived_or_excused_count,
        expected_days.not_run_count
    from expected_days
    union all
    -- Never improved afterwards: there is no other basis.
    select
        'as_known' as basis,
        received.agency_code,
        received.feed,
        received.received_on,
        'first_time_right' as dimension,
        first_publications.records_count - first_publications.unknown_count as checked_count,
        first_publications.wrong_count as failed_count,
        0 as waived_count,
        0 as excused_count,
        0 as waived_or_excused_count,
        first_publications.unknown_count as not_run_count
    from first_publications
    inner join received on first_publications.delivery_id = received.delivery_id
    union all
    select
        'as_known' as basis,
        rule_scores.agency_code,
        rule_scores.feed,
        rule_scores.received_on,
        'first_time_right' as dimension,
        rule_scores.checked_count,
        rule_scores.failed_count,
        0 as waived_count,
        rule_scores.excused_count,
        rule_scores.waived_or_excused_count,
        rule_scores.not_run_count
    from rule_scores
    where
        rule_scores.rule_id = 'coverage'
        and not exists (
            select 1 from first_publications
            where first_publications.delivery_id = rule_scores.delivery_id
        )
),

by_week as (
    select
        by_delivery.agency_code,
        by_delivery.feed,
        date_trunc('week', by_delivery.received_on)::date as week_start,
        by_delivery.dimension,
        by_delivery.basis,
        sum(by_delivery.checked_count)::bigint as checked_count,
        sum(by_delivery.failed_count)::bigint as failed_count,
        sum(by_delivery.waived_count)::bigint as waived_count,
        sum(by_delivery.excused_count)::bigint as excused_count,
        sum(by_delivery.waived_or_excused_count)::bigint as waived_or_excused_count,
        sum(by_delivery.not_run_count)::bigint as not_run_count
    from by_delivery
    group by
        by_delivery.agency_code,
        by_delivery.feed,
        date_trunc('week', by_delivery.received_on)::date,
        by_delivery.dimension,
        by_delivery.basis
),

answered as (
    select
        sufficiency.agency_code,
        sufficiency.feed,
        date_trunc('week', sufficiency.received_on)::date as week_start,
        sufficiency.basis,
        sum(counts.present_count)::bigint as present_count,
        sum(counts.unknown_count)::bigint as unknown_count,
        sum(counts.missing_count + counts.unjudged_count)::bigint as open_count
    from sufficiency
    cross join
        lateral unnest(
            sufficiency.present_counts, sufficiency.unknown_counts, sufficiency.missing_counts, sufficiency.unjudged_counts
        ) as counts (present_count, unknown_count, missing_count, unjudged_count)
    where sufficiency.basis <> 'none'
    group by sufficiency.agency_code, sufficiency.feed, date_trunc('week', sufficiency.received_on)::date, sufficiency.basis
),

-- Unknowns within what is allowed are honest. A blank or a default is not known: to leave a question out is never better than to answer it.
excess as (
    select
        answered.agency_code,
        answered.feed,
        answered.week_start,
        'defaults_and_unknowns' as dimension,
        answered.basis,
        answered.present_count + answered.unknown_count as checked_count,
        greatest(
            answered.unknown_count
            - floor(coalesce(thresholds.threshold_value, 0) * (answered.present_count + answered.unknown_count))::bigint,
            0
        ) as failed_count,
        0::bigint as waived_count,
        0::bigint as excused_count,
        0::bigint as waived_or_excused_count,
        answered.open_count as not_run_count
    from answered
    left join thresholds
        on
            thresholds.threshold_id = 'unknown_allowed_ratio'
            and answered.week_start >= thresholds.valid_from
            and coalesce(answered.week_start <= thresholds.valid_to, true)
),

counted as (
    select * from by_week
    union all
    select * from excess
),

-- With and without waivers; whoever caused it, and what is charged to the agency alone. What is left out is neither passed nor failed.
seen as (
    select
        counted.agency_code,
        counted.feed,
        counted.week_start,
        counted.dimension,
        counted.basis,
        variants.waived,
        variants.fault,
        counted.checked_count - variants.left_out_count as checked_count,
        counted.failed_count - variants.left_out_count as failed_count,
        variants.left_out_count,
        counted.not_run_count
    from counted
    cross join
        lateral (
            values
            ('counted', 'any', 0),
            ('left_out', 'any', counted.waived_count),
            ('counted', 'agency', counted.excused_count),
            ('left_out', 'agency', counted.waived_or_excused_count)
        ) as variants (waived, fault, left_out_count)
),

shares as (
    select
        seen.*,
        seen.checked_count - seen.failed_count as passed_count,
        seen.checked_count + seen.not_run_count as asked_count,
        thresholds.threshold_value as standard_errors
    from seen
    left join thresholds
        on
            thresholds.threshold_id = 'interval_standard_errors'
            and seen.week_start >= thresholds.valid_from
            and coalesce(seen.week_start <= thresholds.valid_to, true)
)

select
    -- ids
    shares.agency_code,
    shares.feed,
    shares.week_start,
    shares.dimension,
    shares.basis,
    shares.waived,
    shares.fault,

    -- counts
    shares.checked_count,
    shares.failed_count,
    shares.not_run_count,
    shares.left_out_count,

    -- values
    shares.passed_count::double precision / nullif(shares.asked_count, 0) as score_ratio,
    {{ wilson_interval('shares.passed_count', 'shares.asked_count', 'shares.standard_errors', 'low') }} as score_low,
    {{ wilson_interval('shares.passed_count', 'shares.asked_count', 'shares.standard_errors', 'high') }} as score_high,
    clock.as_of
from shares
cross join clock
