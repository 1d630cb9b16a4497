-- The ledger of files and the inbox of deliveries. No column default reads a clock: every time stamp comes from frontdoor.clock.

-- One row per file taken from the landing zone, whatever became of it.
create table intake.files (
    file_id bigint generated always as identity primary key,
    agency_code text not null,
    source text not null,
    -- As the sender called it. Restricted: it may name a child. It never leaves this column.
    file_name text not null,
    -- Names the file in landing/.taken, so that a crash between ledger and clean-up is seen.
    taken_token text not null unique,
    sha256_received text not null,
    sha256_stored text not null,
    size_bytes bigint not null,
    -- A file that was delivered by renaming or settled; when it was first seen whole.
    received_at timestamptz not null,
    status text not null check (status in ('received', 'duplicate', 'dead_letter')),
    duplicate_of bigint references intake.files (file_id),
    reason_code text,
    reason text,
    -- How the bytes were read: format, encoding, delimiter, header count. No header text.
    reading jsonb not null default '{}'
);
create index on intake.files (agency_code, source, sha256_received);

-- One row per part of a file: the file itself (member 1), or each sheet or list of a layout.
create table intake.members (
    file_id bigint not null references intake.files (file_id),
    member_no integer not null,
    member_name text not null,
    feed text,
    record_count bigint,
    primary key (file_id, member_no)
);

-- One row per feed that a file supplies. Ledger and inbox in one: what must be done is a state here.
create table intake.deliveries (
    delivery_id bigint generated always as identity primary key,
    file_id bigint not null references intake.files (file_id),
    member_no integer not null,
    agency_code text not null,
    -- The landing folder: a feed or a layout.
    source text not null,
    feed text not null,
    contract_version text not null,
    agency_version text not null,
    status text not null check (status in ('received', 'loaded', 'checked', 'published', 'dead_letter')),
    verdict text check (verdict in ('accepted', 'accepted_with_findings', 'partly_read', 'unreadable')),
    size_bytes bigint not null,
    records_in bigint,
    records_loaded bigint,
    records_dead bigint,
    received_at timestamptz not null,
    loaded_at timestamptz,
    checked_at timestamptz,
    published_at timestamptz,
    -- The build that finished this delivery; null: not (wholly) built.
    built_in bigint,
    -- How many of its records have been built so far; a large delivery is built in slices.
    records_built bigint not null default 0,
    attempts integer not null default 0
);
create index deliveries_undone on intake.deliveries (feed, agency_code, delivery_id) where status in ('received', 'loaded', 'checked');
create index deliveries_unbuilt on intake.deliveries (delivery_id) where built_in is null and status = 'published';
create index on intake.deliveries (file_id);

-- One row per change of state of a delivery.
create table intake.delivery_events (
    delivery_id bigint not null references intake.deliveries (delivery_id),
    status_from text,
    status_to text not null,
    at timestamptz not null
);
create index on intake.delivery_events (delivery_id);
