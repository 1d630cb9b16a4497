-- Why: what BI tools may show of scores. Grain: one row per agency, feed, week, dimension, basis, waived and fault. Traps: counts from 1 to the
-- disclosure limit are null, and so is what they could be worked out from in the same row; other rows are not yet looked at for that.
{{
    config(
        materialized='view',
        alias='agency_scores',
    )
}}

with agency_scores as (
    select * from {{ ref('agency_scores') }}
),

thresholds as (
    select * from {{ source('reference', 'thresholds') }}
),

marked as (
    select
        agency_scores.*,
        -- Without a limit for the period nothing is shown.
        thresholds.threshold_value is null
        or agency_scores.checked_count between 1 and thresholds.threshold_value
        or agency_scores.failed_count between 1 and thresholds.threshold_value
        or agency_scores.checked_count - agency_scores.failed_count between 1 and thresholds.threshold_value
        or agency_scores.not_run_count between 1 and thresholds.threshold_value
        or agency_scores.left_out_count between 1 and thresholds.threshold_value as is_suppressed
    from agency_scores
    left join thresholds
        on
            thresholds.threshold_id = 'disclosure_low_count'
            and agency_scores.week_start >= thresholds.valid_from
            and coalesce(agency_scores.week_start <= thresholds.valid_to, true)
)

select
    -- ids
    marked.agency_code,
    marked.feed,
    marked.week_start,
    marked.dimension,
    marked.basis,
    marked.waived,
    marked.fault,

    -- values
    case when not marked.is_suppressed then marked.checked_count end as checked_count,
    case when not marked.is_suppressed then marked.failed_count end as failed_count,
    case when not marked.is_suppressed then marked.not_run_count end as not_run_count,
    case when not marked.is_suppressed then marked.score_ratio end as score_ratio,
    case when not marked.is_suppressed then marked.score_low end as score_low,
    case when not marked.is_suppressed then marked.score_high end as score_high,

    -- trust
    marked.is_suppressed,
    marked.as_of
from marked
