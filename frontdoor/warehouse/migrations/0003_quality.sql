-- What was checked, what was found, what could not be read. Ids, counts and states; never a value of a record.

-- One row per rule of each contract version.
create table quality.checks (
    rule_id text not null,
    contract_version text not null,
    feed text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    dimension text not null,
    score_dimension text not null,
    scope text not null check (scope in ('file', 'record', 'delivery', 'history')),
    recipient_role text not null,
    sentence text not null,
    what_to_do text not null,
    primary key (rule_id, contract_version)
);

-- One row per delivery and rule; a rule that could not be run says so.
create table quality.check_results (
    delivery_id bigint not null references intake.deliveries (delivery_id),
    rule_id text not null,
    status text not null check (status in ('pass', 'fail', 'not_run', 'not_applicable')),
    checked_count bigint not null,
    failed_count bigint not null,
    primary key (delivery_id, rule_id)
);

-- One row per record (0: the file) that breaks a rule.
create table quality.findings (
    delivery_id bigint not null references intake.deliveries (delivery_id),
    record_no bigint not null,
    record_key text,
    rule_id text not null,
    contract_version text not null,
    state text not null check (state in ('new', 'persisting', 'resolved', 'waived')),
    found_at timestamptz not null,
    resolved_at timestamptz,
    resolved_by_delivery_id bigint,
    primary key (delivery_id, record_no, rule_id)
);
create index findings_open on quality.findings (record_key, rule_id) where resolved_at is null and record_key is not null;

-- One row per sufficiency element of each contract version: which letter of raw.<feed>_read._sufficiency tells of it.
create table quality.sufficiency_elements (
    feed text not null,
    contract_version text not null,
    position integer not null,
    element text not null,
    primary key (feed, contract_version, position)
);

-- One row per record (or file) that could not be read. A work list with a clock and an owner.
create table quality.dead_letters (
    dead_letter_id bigint generated always as identity primary key,
    file_id bigint not null references intake.files (file_id),
    delivery_id bigint references intake.deliveries (delivery_id),
    line_no bigint,
    reason_code text not null,
    reason text not null,
    found_at timestamptz not null,
    due_at timestamptz not null,
    owner_role text not null,
    resolved_at timestamptz
);
create index on quality.dead_letters (file_id);
create index on quality.dead_letters (delivery_id);
