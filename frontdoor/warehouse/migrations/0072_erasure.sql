-- Who was erased: requests, tombstones, and how one who comes again is known. No value of a record, and no hash of one without a key.

-- One row per request to erase. Its state is the journal: whoever finds one that is not done goes on with it.
create table intake.erasures (
    erasure_id uuid primary key,
    reason text not null check (length(reason) between 1 and 300),
    -- A role, never a person.
    by_role text not null,
    -- To whom a child was handed on that still waited for a decision, and how that can be shown.
    handed_to text check (length(handed_to) between 1 and 200),
    evidence text check (length(evidence) between 1 and 300),
    asked_at timestamptz not null,
    records_count bigint not null,
    state text not null check (state in ('asked', 'rows_gone', 'archive_rewritten', 'done')),
    done_at timestamptz,
    -- The last delivery in which it was looked whether the child came again.
    looked_to bigint not null,
    check ((handed_to is null) = (evidence is null)),
    check ((state = 'done') = (done_at is not null))
);

-- One row per record that is gone. Token, part and record number find it again in a restored database or archive.
create table intake.tombstones (
    delivery_id bigint not null,
    record_no bigint not null,
    erasure_id uuid not null references intake.erasures (erasure_id),
    feed text not null,
    taken_token text not null,
    member_no integer not null,
    primary key (delivery_id, record_no)
);
create index on intake.tombstones (erasure_id);

-- Keyed digests of the keys of those who were erased; the key of the digest stands in a file (HOME/secrets/erasure_key).
create table intake.erased_keys (
    erasure_id uuid not null references intake.erasures (erasure_id),
    digest text not null,
    primary key (erasure_id, digest)
);

-- One row per record of somebody who had been erased and was sent again. It is on every list, like any other.
create table intake.erased_came_again (
    erasure_id uuid not null references intake.erasures (erasure_id),
    delivery_id bigint not null,
    record_no bigint not null,
    found_at timestamptz not null,
    -- A role that has taken note. A new erasure is a new decision.
    noted_by_role text,
    primary key (erasure_id, delivery_id, record_no)
);

-- Of the records that were loaded, so many are no longer kept: erased, or past their time.
alter table intake.deliveries add column records_removed bigint not null default 0;
-- Nothing of it is kept but the ledger and what was counted: it cannot be judged again.
alter table intake.deliveries add column payload_removed_at timestamptz;
-- Since when what was counted of it (core.fct_sufficiency and the like) is not counted again, as part of it is no longer there to count.
alter table intake.deliveries add column counts_fixed_at timestamptz;
