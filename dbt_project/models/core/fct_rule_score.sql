-- Why: what each delivery comes to, rule by rule, as corrected since, so that no score reads every finding again. Grain: one row per delivery and
-- rule above info; the rule `coverage` says what could be read. Traps: counts are of checks (one rule about one record or file), not of records;
-- deliveries are counted again when they were published, mended, waived, attributed or disputed since the last build, and while they are on their way.
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['agency_code', 'delivery_id'],
        indexes=[{'columns': ['agency_code', 'delivery_id']}, {'columns': ['received_on']}],
    )
}}

with deliveries as (
    select * from {{ source('intake', 'deliveries') }}
),

feeds as (
    select * from {{ source('reference', 'feeds') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
),
{% if is_incremental() %}
findings as (
    select * from {{ source('quality', 'findings') }}
),

waivers as (
    select * from {{ source('quality', 'waivers') }}
),

attributions as (
    select * from {{ source('quality', 'attributions') }}
),

disputes as (
    select * from {{ source('quality', 'disputes') }}
),

-- What was being committed while the last build looked is looked at again.
since as (
    select coalesce(max(kept.as_of), '-infinity') - interval '10 minutes' as instant
    from {{ this }} as kept
),

published as (
    select deliveries.delivery_id
    from deliveries
    cross join since
    where coalesce(deliveries.last_published_at, deliveries.published_at) >= since.instant
    union
    select news.delivery_id
    from warehouse.news as news
),

touched as (
    select published.delivery_id from published
    union
    select findings.delivery_id
    from findings
    inner join published on findings.resolved_by_delivery_id = published.delivery_id
    union
    select findings.delivery_id
    from findings
    inner join waivers on findings.waiver_id = waivers.waiver_id
    cross join since
    where greatest(waivers.granted_at, waivers.ended_at, waivers.lapsed_at) >= since.instant
    union
    select disputes.delivery_id
    from disputes
    cross join since
    where disputes.settled_at >= since.instant
    union
    select deliveries.delivery_id
    from deliveries
    inner join attributions
        on
            coalesce(deliveries.agency_code = attributions.agency_code, true)
            and coalesce(deliveries.feed = attributions.feed, true)
            and coalesce(deliveries.delivery_id = attributions.delivery_id, true)
            and deliveries.received_at >= attributions.first_day::timestamp at time zone 'UTC' - interval '1 day'
    cross join since
    where attributions.changed_at >= since.instant
    union
    select deliveries.delivery_id
    from deliveries
    where
        deliveries.status = 'dead_letter'
        or (deliveries.status in ('received', 'loaded', 'checked') and deliveries.published_at is null)
),
{% else %}
touched as (
    select deliveries.delivery_id
    from deliveries
),
{% endif %}
counted as (
    select scores.*
    from quality.rule_scores(array(
        select touched.delivery_id
        from touched
        inner join deliveries on touched.delivery_id = deliveries.delivery_id
        -- Counted when there were findings: without them everything would seem to be right.
        where deliveries.findings_removed_at is null
    )) as scores
)

select
    -- ids
    deliveries.agency_code,
    deliveries.feed,
    counted.delivery_id,
    counted.rule_id,
    counted.dimension,

    -- counts
    counted.checked_count,
    counted.failed_count,
    counted.waived_count,
    counted.excused_count,
    counted.waived_or_excused_count,
    counted.not_run_count,

    -- lineage
    (deliveries.received_at at time zone coalesce(feeds.timezone, 'UTC'))::date as received_on,
    clock.as_of
from counted
inner join deliveries on counted.delivery_id = deliveries.delivery_id
left join feeds on deliveries.feed = feeds.feed
cross join clock
