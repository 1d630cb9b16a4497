-- What a sender need not be told of for a while: a record, a rule, or all rules of a feed. A waiver silences the telling and marks the finding;
-- the lists, the indicators and the verdict are what they would be without it. It is never deleted: what ended is history.
create table quality.waivers (
    waiver_id bigint generated always as identity primary key,
    agency_code text not null,
    feed text not null,
    -- Null: every rule of the feed that is not critical.
    rule_id text,
    -- Both null: every record. The key, where the record has one of its own: the same record sent again is meant, too.
    delivery_id bigint references intake.deliveries (delivery_id),
    record_no bigint,
    record_key text,
    reason text not null,
    -- A role, never a person.
    approved_by_role text not null,
    granted_at timestamptz not null,
    expires_at timestamptz not null,
    -- Ended by somebody before it expired.
    ended_at timestamptz,
    -- When the findings that it had silenced came back, and who is to mend them was told.
    lapsed_at timestamptz,
    check ((delivery_id is null) = (record_no is null)),
    check (record_key is null or delivery_id is not null),
    check (granted_at < expires_at)
);
-- Judging asks for these alone: mostly there is none.
create index waivers_not_lapsed on quality.waivers (agency_code, feed) where lapsed_at is null;

-- The waiver that silences a finding, or did last. Nothing else of a finding says so once it is back.
alter table quality.findings add column waiver_id bigint;
alter table quality.findings_before_replay add column waiver_id bigint;
create index findings_under_waiver on quality.findings (waiver_id) where waiver_id is not null;
