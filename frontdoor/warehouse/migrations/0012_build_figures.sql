-- Where a build's time goes, and what it drained and tested.
alter table warehouse.builds
    add column records_count bigint not null default 0,
    -- Seconds by phase: claim, models, safety_net, tests.
    add column seconds jsonb not null default '{}',
    add column tests_count integer,
    add column tests_at timestamptz;
create index build_slices_of_delivery on warehouse.build_slices (delivery_id);
