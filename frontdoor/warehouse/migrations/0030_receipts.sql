-- What was answered to a sender: one receipt per delivery, and a new edition when it is published again (a replay).

create table quality.receipts (
    delivery_id bigint not null references intake.deliveries (delivery_id),
    -- How often the delivery had been published (or given up) when it was written.
    edition integer not null,
    issued_at timestamptz not null,
    primary key (delivery_id, edition)
);

-- A receipt says which earlier findings its delivery mended. Written only when something is.
create index findings_mended_by on quality.findings (resolved_by_delivery_id) where resolved_by_delivery_id is not null;
