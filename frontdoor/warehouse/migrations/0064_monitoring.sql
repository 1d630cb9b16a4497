-- What whoever keeps the platform running is told, from the tables as facts.

-- One row per step of a delivery, build or project of which the receiver of lineage has been told. Kept for two weeks; what is older is not told.
create table warehouse.lineage_told (
    subject text not null check (subject in ('delivery', 'build', 'project')),
    subject_id bigint not null,
    -- Of a delivery the state that it came to, of a build START or END, of the project its fingerprint.
    step text not null,
    at timestamptz not null,
    told_at timestamptz not null,
    primary key (subject, subject_id, step, at)
);
create index on warehouse.lineage_told (told_at);

-- What happened of late, of a ledger that only grows.
create index delivery_events_of_late on intake.delivery_events (at);
create index deliveries_published_of_late on intake.deliveries (published_at);
