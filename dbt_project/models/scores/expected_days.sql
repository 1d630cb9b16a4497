-- Why: a sender that falls silent sends nothing that could fail, so the days on which it was to send count against its coverage. Grain: one row per
-- agreement, day on which a delivery was due, and basis. Traps: a missing day weighs as many records as the last usable delivery before it, so that
-- it is not lost among the records of others; what came is counted by its own records, and of an unread file by fct_rule_score, not here.
{{ config(materialized='view') }}

with days as (
    select * from {{ source('quality', 'expected_deliveries') }}
),

deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

feeds as (
    select * from {{ source('reference', 'feeds') }}
),

attributions as (
    select * from {{ source('quality', 'attributions') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),

-- Was it known then to be missing, or is it now? A day that is due and was not looked at yet is not known, and never passed.
due as (
    select
        days.*,
        bases.basis,
        bases.is_failed,
        days.state = 'signed_nil' and not bases.is_failed as is_nil,
        days.state = 'expected' and days.due_at <= clock.as_of as is_unknown,
        clock.as_of
    from days
    cross join clock
    cross join
        lateral (
            values
            ('as_known', days.raised_at is not null),
            ('as_corrected', days.state in ('missing', 'unusable'))
        ) as bases (basis, is_failed)
),

weighed as (
    select
        due.*,
        case when due.is_nil then 1 else greatest(1, coalesce(last_usable.records_in, 1)) end as weight
    from due
    left join feeds on due.feed = feeds.feed
    left join
        lateral (
            select earlier.records_in
            from deliveries as earlier
            where
                earlier.agency_code = due.agency_code
                and earlier.feed = due.feed
                and earlier.source = due.source
                and earlier.received_at < due.due_at
                and earlier.records_loaded > 0
            order by earlier.delivery_id desc
            limit 1
        ) as last_usable
        on not due.is_nil
    where
        due.is_nil
        or due.is_unknown
        -- What could not be read counts by itself, as many records as were to be expected.
        or (
            due.is_failed
            and not exists (
                select 1
                from deliveries as unread
                where
                    unread.agency_code = due.agency_code
                    and unread.feed = due.feed
                    and unread.source = due.source
                    and unread.status = 'dead_letter'
                    and (unread.received_at at time zone coalesce(feeds.timezone, 'UTC'))::date = due.expected_on
            )
        )
),

charged as (
    select
        weighed.*,
        weighed.is_failed
        and exists (
            select 1
            from attributions
            where
                attributions.delivery_id is null
                and coalesce(attributions.agency_code = weighed.agency_code, true)
                and coalesce(attributions.feed = weighed.feed, true)
                and coalesce(attributions.rule_id = 'coverage', true)
                and weighed.expected_on >= attributions.first_day
                and coalesce(weighed.expected_on <= attributions.last_day, true)
                and (weighed.basis = 'as_corrected' or attributions.decided_at <= weighed.raised_at)
        ) as is_excused
    from weighed
)

select
    -- ids
    charged.agency_code,
    charged.feed,
    charged.source,
    charged.expected_on,
    charged.basis,

    -- counts
    case when charged.is_unknown then 0 else charged.weight end::bigint as checked_count,
    case when charged.is_failed then charged.weight else 0 end::bigint as failed_count,
    case when charged.is_excused then charged.weight else 0 end::bigint as excused_count,
    case when charged.is_unknown then charged.weight else 0 end::bigint as not_run_count,
    charged.as_of
from charged
