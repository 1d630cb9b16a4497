-- Constants as dated rows, loaded by upsert from dbt_project/seeds; agencies and mappings synced from expectations/.

create table reference.clocks (
    clock_id text not null, start_event text not null, stop_event text not null,
    limit_value numeric, limit_unit text not null, applies_to text not null, standing text not null,
    valid_from date not null, valid_to date, source text not null, reason text not null,
    primary key (clock_id, valid_from)
);
create table reference.thresholds (
    threshold_id text not null, threshold_value numeric not null, unit text not null,
    valid_from date not null, valid_to date, source text not null, reason text not null,
    primary key (threshold_id, valid_from)
);
create table reference.codes (
    code_list text not null, code text not null, label text not null, attributes jsonb not null default '{}',
    valid_from date not null, valid_to date, source text not null,
    primary key (code_list, code, valid_from)
);
-- One row per day. working_day_no counts working days from the first day, so that a difference is a subtraction.
create table reference.calendar (
    calendar_date date primary key, is_working_day boolean not null, working_day_no integer not null,
    holiday text, known_from date
);
create table reference.fillers (
    filler text primary key, applies_to text not null, source text not null
);
create table reference.indicator_catalogue (
    indicator_id text primary key, title text not null, question text not null, kind text not null check (kind in ('quality', 'process')),
    twin_id text, counter_measure text not null, direction text not null check (direction in ('higher_is_better', 'lower_is_better')),
    unknown_counts_as text not null check (unknown_counts_as in ('cannot_judge', 'harm')), owner_role text not null, mature_after_days integer not null
);
create table reference.agencies (
    agency_code text primary key, agency_name text not null, kind text not null, area_code text not null,
    timezone text not null, liaison_role text not null
);
create table reference.agency_feeds (
    agency_code text not null, source text not null, feed text not null, agency_version text not null,
    format text not null, valid_from date not null, valid_to date,
    primary key (agency_code, source, feed, agency_version)
);
create table reference.code_mappings (
    agency_code text not null, feed text not null, agency_version text not null, code_list text not null,
    label text not null, code text not null,
    primary key (agency_code, feed, agency_version, code_list, label)
);
