-- Scores: what was checked, what failed, what is not known, by delivery and rule; and as it was said when a delivery was first published.

create schema if not exists scores;

-- What a relay, a vendor, our mapping or our own wrong rule caused, and for which days: it is not charged to the agency. Null: any. A rule that
-- is ours and wrong everywhere (no agency, no feed, no delivery) is withdrawn: it counts for nothing on those days.
create table quality.attributions (
    attribution_id bigint generated always as identity primary key,
    rule_id text,
    agency_code text,
    feed text,
    delivery_id bigint references intake.deliveries (delivery_id),
    charged_to text not null check (charged_to in ('relay', 'vendor', 'our_mapping', 'our_rule')),
    reason text not null,
    -- A role, never a person.
    decided_by_role text not null,
    first_day date not null,
    -- Null: until it is ended. Before the first day: taken back.
    last_day date,
    decided_at timestamptz not null,
    changed_at timestamptz not null,
    check (rule_id is not null or agency_code is not null or delivery_id is not null),
    check (charged_to <> 'our_rule' or rule_id is not null)
);

-- A finding that stands only while a label waits for our mapping: nobody has said yet what the label means.
alter table quality.findings add column waits_for_mapping boolean not null default false;
alter table quality.findings_before_replay add column waits_for_mapping boolean not null default false;

-- By delivery and dimension, as it stood when the delivery was first published. Written once: no correction, waiver, attribution or replay since
-- changes it. Of the failed: waived then, excused then (not the agency's fault, as far as was known), and either.
create table quality.first_scores (
    delivery_id bigint not null references intake.deliveries (delivery_id),
    dimension text not null,
    checked_count bigint not null,
    failed_count bigint not null,
    waived_count bigint not null,
    excused_count bigint not null,
    waived_or_excused_count bigint not null,
    not_run_count bigint not null,
    primary key (delivery_id, dimension),
    check (failed_count <= checked_count and waived_or_excused_count <= failed_count)
);

-- How many records a delivery has: of one that nobody could read, as many as the last one before it had, and at least one.
create function intake.records_expected(this bigint) returns bigint
language sql stable
as $body$
    select greatest(1, coalesce(nullif(here.records_in, 0), before.records_in, 1))
    from intake.deliveries as here
    left join intake.deliveries as before on before.delivery_id = intake.delivery_before(here.delivery_id)
    where here.delivery_id = this
$body$;

-- What deliveries come to now, by rule above info, and as the rule `coverage` what of them could be read. A check is one rule about one record
-- (or file). A rule that did not run, a record that could not be read and a delivery on its way are not known: never passed.
create function quality.rule_scores(ids bigint[]) returns table (
    delivery_id bigint,
    rule_id text,
    dimension text,
    checked_count bigint,
    failed_count bigint,
    waived_count bigint,
    excused_count bigint,
    waived_or_excused_count bigint,
    not_run_count bigint
)
language sql stable
as $body$
    with sent as (
        select
            deliveries.delivery_id,
            deliveries.agency_code,
            deliveries.feed,
            deliveries.contract_version,
            deliveries.status,
            deliveries.published_at is not null as was_published,
            coalesce(deliveries.records_loaded, 0) as loaded,
            coalesce(deliveries.records_dead, 0) as dead,
            case
                when deliveries.status = 'dead_letter' or deliveries.published_at is null then intake.records_expected(deliveries.delivery_id)
            end as expected,
            (deliveries.received_at at time zone coalesce(feeds.timezone, 'UTC'))::date as received_on
        from intake.deliveries as deliveries
        left join reference.feeds as feeds on deliveries.feed = feeds.feed
        where deliveries.delivery_id = any(ids)
    ),

    attributed as (
        select
            sent.delivery_id,
            attributions.rule_id,
            attributions.charged_to = 'our_rule' and attributions.agency_code is null and attributions.feed is null
            and attributions.delivery_id is null as is_withdrawal
        from sent
        inner join quality.attributions as attributions
            on
                coalesce(attributions.agency_code = sent.agency_code, true)
                and coalesce(attributions.feed = sent.feed, true)
                and coalesce(attributions.delivery_id = sent.delivery_id, true)
                and sent.received_on >= attributions.first_day
                and coalesce(sent.received_on <= attributions.last_day, true)
    ),

    -- What nobody can mend any more was wrong all the same.
    failing as (
        select
            findings.delivery_id,
            findings.rule_id,
            count(*) as failed,
            count(*) filter (where findings.state = 'waived') as waived,
            count(*) filter (where findings.waits_for_mapping) as waiting,
            count(*) filter (where findings.state = 'waived' or findings.waits_for_mapping) as waived_or_waiting
        from quality.findings as findings
        where findings.delivery_id = any(ids) and (findings.resolved_at is null or findings.resolved_by = 'derived')
        group by findings.delivery_id, findings.rule_id
    ),

    asked as (
        select
            sent.delivery_id,
            checks.rule_id,
            checks.score_dimension as dimension,
            coalesce(failing.failed, 0) as failed,
            coalesce(failing.waived, 0) as waived,
            coalesce(failing.waiting, 0) as waiting,
            coalesce(failing.waived_or_waiting, 0) as waived_or_waiting,
            -- Of records: greatest, for what a former judging found stands while the rule does not run.
            case
                when sent.status = 'dead_letter' or not sent.was_published then 0
                when results.status in ('pass', 'fail') then greatest(results.checked_count, failing.failed)
                else coalesce(failing.failed, 0)
            end as checked,
            case
                when checks.scope = 'file' then (sent.status = 'dead_letter' or not sent.was_published)::int
                when sent.status = 'dead_letter' or not sent.was_published then sent.expected
                when results.status in ('pass', 'fail', 'not_applicable') then sent.dead
                else greatest(sent.loaded - coalesce(failing.failed, 0), 0) + sent.dead
            end as not_run
        from sent
        inner join quality.checks as checks
            on sent.contract_version = checks.contract_version and checks.feed in (sent.feed, 'any') and checks.severity <> 'info'
        left join quality.check_results as results on sent.delivery_id = results.delivery_id and checks.rule_id = results.rule_id
        left join failing on sent.delivery_id = failing.delivery_id and checks.rule_id = failing.rule_id
        where
            not exists (
                select from attributed
                where attributed.delivery_id = sent.delivery_id and attributed.rule_id = checks.rule_id and attributed.is_withdrawal
            )
    ),

    -- That our own reading failed is not the sender's doing.
    unread as (
        select
            sent.delivery_id,
            'coverage' as rule_id,
            'coverage' as dimension,
            case when sent.status = 'dead_letter' then sent.expected else sent.dead end as failed,
            0::bigint as waived,
            case
                when sent.status = 'dead_letter' and coalesce(letters.ours, 0) > 0 then sent.expected
                else least(coalesce(letters.ours, 0), sent.dead)
            end as waiting,
            case when sent.status = 'dead_letter' then sent.expected when sent.was_published then sent.loaded + sent.dead else 0 end as checked,
            case when sent.status <> 'dead_letter' and not sent.was_published then sent.expected else 0 end as not_run
        from sent
        left join (
            select
                dead_letters.delivery_id,
                count(*) as ours
            from quality.dead_letters as dead_letters
            where
                dead_letters.delivery_id = any(ids)
                and dead_letters.reason_code in ('given_up', 'unreadable', 'record_unreadable')
            group by dead_letters.delivery_id
        ) as letters on sent.delivery_id = letters.delivery_id
    ),

    both_kinds as (
        select delivery_id, rule_id, dimension, checked, failed, waived, waiting, waived_or_waiting, not_run from asked
        union all
        select delivery_id, rule_id, dimension, greatest(checked, failed), failed, waived, waiting, waiting, not_run from unread
    )

    select
        both_kinds.delivery_id,
        both_kinds.rule_id,
        both_kinds.dimension,
        both_kinds.checked,
        both_kinds.failed,
        both_kinds.waived,
        case when excused.wholly then both_kinds.failed else both_kinds.waiting end,
        case when excused.wholly then both_kinds.failed else both_kinds.waived_or_waiting end,
        both_kinds.not_run
    from both_kinds
    cross join lateral (
        select exists (
            select from attributed
            where
                attributed.delivery_id = both_kinds.delivery_id and coalesce(attributed.rule_id = both_kinds.rule_id, true)
        ) as wholly
    ) as excused
    where both_kinds.checked + both_kinds.not_run > 0
$body$;
