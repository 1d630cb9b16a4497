-- One row: for which text of contracts, constants and migrations this database was last made ready.
create table warehouse.prepared (
    is_only_row boolean primary key default true check (is_only_row),
    fingerprint text not null,
    prepared_at timestamptz not null
);
