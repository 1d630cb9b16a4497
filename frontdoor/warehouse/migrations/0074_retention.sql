-- How long what is kept, as dated rows, and what a legal hold keeps longer.

create table reference.retention (
    policy_id text not null,
    keep_months integer not null check (keep_months > 0),
    valid_from date not null, valid_to date, source text not null, reason text not null,
    primary key (policy_id, valid_from)
);

-- One row per hold. What it covers goes neither by age nor by request until it is lifted.
create table intake.holds (
    hold_id bigint generated always as identity primary key,
    delivery_id bigint references intake.deliveries (delivery_id),
    agency_code text,
    -- As raw.<feed>_read gives it; it says nothing to whoever has no records beside it.
    child_key text,
    reason text not null check (length(reason) between 1 and 300),
    -- Roles, never persons.
    by_role text not null,
    placed_at timestamptz not null,
    lifted_at timestamptz,
    lifted_by_role text,
    check (num_nonnulls(delivery_id, agency_code, child_key) = 1),
    check ((lifted_at is null) = (lifted_by_role is null))
);

-- Its findings are past their time: what was counted of them stays, and is not counted again.
alter table intake.deliveries add column findings_removed_at timestamptz;
