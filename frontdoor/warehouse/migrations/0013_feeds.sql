-- One row per feed, synced from its contract: what SQL must know of it. A build reads this and no contract.
create table reference.feeds (
    feed text primary key, title text not null, contract_version text not null,
    delivery_mode text not null, worklist text, timezone text not null
);
