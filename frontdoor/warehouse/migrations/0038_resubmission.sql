-- Who mended a finding: the sender (a later delivery keeps the rule), us (judged again under a changed mapping or contract, without a new
-- file), or nobody (derived: the record was withdrawn, so that nobody can mend it any more).
alter table quality.findings add column resolved_by text check (resolved_by in ('sender', 'us', 'derived'));
alter table quality.findings_before_replay add column resolved_by text;
update quality.findings
set resolved_by = case when resolved_by_delivery_id = delivery_id then 'us' else 'sender' end
where resolved_at is not null;
alter table quality.findings add constraint findings_resolved_by_somebody check ((resolved_at is null) = (resolved_by is null));

-- A record that amends another under a reference of its own: the key that its own reference would give, and the key under which it was read.
create table quality.amendments (
    delivery_id bigint not null references intake.deliveries (delivery_id),
    record_no bigint not null,
    feed text not null,
    own_key text not null,
    record_key text not null,
    primary key (delivery_id, record_no)
);
create index on quality.amendments (own_key, delivery_id);

-- What a delivery told for the first time, as it stood when it was first published. Written once: no correction and no replay changes it.
create table quality.first_publications (
    delivery_id bigint primary key references intake.deliveries (delivery_id),
    agency_code text not null,
    feed text not null,
    published_at timestamptz not null,
    -- Records under no key that an earlier delivery of theirs had; and what could not be read.
    records_count bigint not null,
    -- Of these: unread, or with a finding above info.
    wrong_count bigint not null,
    -- Of these: without such a finding, but not every rule above info was run.
    unknown_count bigint not null,
    check (wrong_count + unknown_count <= records_count)
);

-- The share of records that were right when they were first told. What cannot be judged is not right.
create view quality.first_time_right as
select
    agency_code,
    feed,
    sum(records_count)::bigint as records_count,
    sum(records_count - wrong_count - unknown_count)::bigint as right_count,
    sum(unknown_count)::bigint as unknown_count,
    sum(records_count - wrong_count - unknown_count)::double precision / nullif(sum(records_count), 0) as right_ratio
from quality.first_publications
group by agency_code, feed;

-- How long a question stood until the sender mended it. A question is one rule about one record, from its first finding until it is closed,
-- however often it was sent again meanwhile. The median is over all questions, what is not mended counted as the longest: null where fewer than
-- half are mended, so that leaving the hard ones never makes it better.
create view quality.time_to_mend as
with questions as (
    select
        deliveries.agency_code,
        deliveries.feed,
        findings.rule_id,
        findings.resolved_by,
        findings.resolved_at,
        min(findings.found_at) as found_at,
        bool_or(findings.state = 'waived') as is_waived
    from quality.findings as findings
    inner join intake.deliveries as deliveries on findings.delivery_id = deliveries.delivery_id
    group by
        deliveries.agency_code,
        deliveries.feed,
        findings.rule_id,
        coalesce(findings.record_key, findings.delivery_id || '#' || findings.record_no),
        findings.resolved_by,
        findings.resolved_at
),

lasting as (
    select
        questions.*,
        case
            when questions.resolved_by = 'sender' then extract(epoch from questions.resolved_at - questions.found_at) / 3600.0
            else 'infinity'
        end::double precision as hours
    from questions
    -- Ours to mend, or nobody's: no measure of the sender.
    where questions.resolved_by is null or questions.resolved_by in ('sender', 'derived')
),

measured as (
    select
        lasting.agency_code,
        lasting.feed,
        lasting.rule_id,
        count(*) as questions_count,
        count(*) filter (where lasting.resolved_by = 'sender') as mended_count,
        count(*) filter (where lasting.resolved_by = 'derived') as derived_count,
        count(*) filter (where lasting.is_waived) as waived_count,
        nullif(percentile_disc(0.5) within group (order by lasting.hours), 'infinity') as median_hours
    from lasting
    group by lasting.agency_code, lasting.feed, lasting.rule_id
),

ours as (
    select
        questions.agency_code,
        questions.feed,
        questions.rule_id,
        count(*) as mended_by_us_count
    from questions
    where questions.resolved_by = 'us'
    group by questions.agency_code, questions.feed, questions.rule_id
)

select
    agency_code,
    feed,
    rule_id,
    coalesce(measured.questions_count, 0) as questions_count,
    coalesce(measured.mended_count, 0) as mended_count,
    coalesce(measured.derived_count, 0) as derived_count,
    coalesce(measured.waived_count, 0) as waived_count,
    coalesce(ours.mended_by_us_count, 0) as mended_by_us_count,
    measured.median_hours
from measured
full join ours using (agency_code, feed, rule_id);
