-- A replay publishes again what was published before: the first time stays what it was, and the builds must see the second.
alter table intake.deliveries add column last_published_at timestamptz;

-- What was found in a delivery before it was opened again. Kept until it is published again, whoever does that.
create table quality.findings_before_replay (like quality.findings including all);
