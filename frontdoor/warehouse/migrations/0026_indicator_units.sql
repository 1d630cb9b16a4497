-- What the numerator of an indicator is: a count, of which the rate is a share, or minutes.

alter table reference.indicator_catalogue
    add column unit text not null default 'share' check (unit in ('share', 'minutes'));

-- The model compares with what it kept before dbt would add these. In what was kept they are null: not judged, until it is replayed.
alter table if exists core.fct_notification_version
    add column if not exists is_lowest_grade boolean,
    add column if not exists has_urgent_fact boolean;
