-- Scores, once more: where a dispute was upheld because our rule or our mapping was wrong, its findings are not charged to the agency. All else is
-- as 0043 says. A dispute that was upheld for a waiver is not ours: the waiver leaves it out.

create index disputes_upheld on quality.disputes (delivery_id, rule_id) where outcome = 'upheld';

-- What deliveries come to now, by rule above info, and as the rule `coverage` what of them could be read. A check is one rule about one record
-- (or file). A rule that did not run, a record that could not be read and a delivery on its way are not known: never passed.
create or replace function quality.rule_scores(ids bigint[]) returns table (
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

    -- What nobody can mend any more was wrong all the same. Ours is what waits for our mapping, and what a dispute showed to be our rule's mistake.
    failing as (
        select
            findings.delivery_id,
            findings.rule_id,
            count(*) as failed,
            count(*) filter (where findings.state = 'waived') as waived,
            count(*) filter (where findings.waits_for_mapping or disputed.was_ours) as waiting,
            count(*) filter (where findings.state = 'waived' or findings.waits_for_mapping or disputed.was_ours) as waived_or_waiting
        from quality.findings as findings
        cross join lateral (
            select exists (
                select from quality.disputes as disputes
                where
                    disputes.delivery_id = findings.delivery_id and disputes.rule_id = findings.rule_id
                    and coalesce(disputes.record_no = findings.record_no, true)
                    and disputes.outcome = 'upheld' and disputes.next_step in ('rule_withdrawal', 'label_mapping')
            ) as was_ours
        ) as disputed
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
