-- Builds of the marts, what each of them drained, and the one row that tells every model what time it is.

-- One row per build.
create table warehouse.builds (
    build_id bigint generated always as identity primary key,
    as_of timestamptz not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    status text not null check (status in ('running', 'succeeded', 'failed', 'lost')),
    deliveries_count integer not null,
    models_failed text[] not null default '{}',
    tests_failed text[] not null default '{}',
    -- Records that the models did not put on the triage list and the safety net did.
    rescued_count bigint not null default 0
);

-- One row per slice of a delivery that a build drains: the news.
create table warehouse.build_slices (
    build_id bigint not null references warehouse.builds (build_id),
    delivery_id bigint not null references intake.deliveries (delivery_id),
    record_from bigint not null,
    record_to bigint not null,
    primary key (build_id, delivery_id, record_from)
);

-- One row: as of when, and which build, the models speak.
create table warehouse.clock (
    is_only_row boolean primary key default true check (is_only_row),
    as_of timestamptz not null,
    build_id bigint
);
-- One row, and only in a database in which time may be set from outside.
create table warehouse.simulation (
    is_only_row boolean primary key default true check (is_only_row),
    marked_at timestamptz not null
);
