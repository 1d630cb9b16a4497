-- Silence: on which days a delivery was due, and what came of each. A day that is missing is a finding with a clock, raised without a file.

-- The role that signed a nil return, as the file says it; only where the file says that there is nothing to send.
alter table intake.deliveries add column nil_signed_by text;

-- One row per agreement that says when a delivery is due: what of it was laid down and looked at.
create table quality.expecting (
    agency_code text not null,
    feed text not null,
    source text not null,
    -- Since when the platform knows of it: no day before is asked for.
    known_from timestamptz not null,
    -- What was agreed when days were last laid down; another text lays down those to come anew.
    agreed text not null,
    -- Days due up to here are laid down.
    laid_to timestamptz not null,
    -- The last file that was held against the days.
    looked_to bigint not null,
    primary key (agency_code, feed, source)
);

-- One row per agreement and day on which a delivery was due.
create table quality.expected_deliveries (
    agency_code text not null,
    feed text not null,
    source text not null,
    expected_on date not null,
    due_at timestamptz not null,
    -- Unusable: something arrived, and nothing of it can be used.
    state text not null check (state in ('expected', 'received', 'late', 'missing', 'signed_nil', 'unusable')),
    -- What came for the day, and when; of a repeat the delivery that it repeats.
    delivery_id bigint references intake.deliveries (delivery_id),
    received_at timestamptz,
    -- When it was found to be missing or unusable; stays when it is settled.
    raised_at timestamptz,
    settled_at timestamptz,
    -- When a letter told of the silence that the day belongs to, and when a second one did.
    told_at timestamptz,
    told_again_at timestamptz,
    primary key (agency_code, feed, source, expected_on),
    check ((settled_at is not null) = (state in ('received', 'late', 'signed_nil'))),
    check (state not in ('missing', 'unusable') or raised_at is not null)
);
create index expected_deliveries_open on quality.expected_deliveries (due_at) where settled_at is null;

-- What came since, sender by sender.
create index files_in_order on intake.files (agency_code, source, file_id);
