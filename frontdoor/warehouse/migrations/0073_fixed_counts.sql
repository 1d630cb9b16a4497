-- What was counted of records that are gone. Indicators are made from counts, and a count is never made again from less than it was made from.

-- Rows of a counting relation as they stood, for when it is made anew. key: the delivery, or the agency.
create table warehouse.fixed_counts (
    relation text not null,
    key text not null,
    rows jsonb not null,
    fixed_at timestamptz not null,
    primary key (relation, key)
);

-- Weeks of an agency that begin before this day and were judged from visits that are partly gone: they stay as they were judged.
create table warehouse.fixed_weeks (
    agency_code text primary key,
    before date not null
);

-- Keeps what was counted of deliveries of which records go. Counts once: what is fixed stays fixed. Through dynamic SQL, as a build may not
-- have made the relations yet.
create function warehouse.fix_counts(ids bigint[], at timestamptz) returns void
language plpgsql
as $body$
declare
    counting text;
    is_first boolean;
begin
    for counting in
        select attributes.attrelid::regclass::text
        from pg_attribute as attributes
        inner join pg_class as classes on attributes.attrelid = classes.oid
        where
            classes.relnamespace = 'core'::regnamespace and classes.relkind = 'r' and attributes.attname = 'block_no'
            and not attributes.attisdropped
    loop
        execute format(
            $sql$
            insert into warehouse.fixed_counts (relation, key, rows, fixed_at)
            select %L, counted.first_delivery_id::text, jsonb_agg(to_jsonb(counted)), $2
            from %s as counted
            inner join intake.deliveries on counted.first_delivery_id = deliveries.delivery_id
            where counted.first_delivery_id = any($1) and deliveries.counts_fixed_at is null
            group by counted.first_delivery_id
            on conflict do nothing
            $sql$,
            split_part(counting, '.', 2), counting
        ) using ids, at;
    end loop;
    if to_regclass('indicators.q16_visit_gap') is not null then
        execute $sql$
            insert into warehouse.fixed_weeks (agency_code, before)
            select deliveries.agency_code, date_trunc('week', $2 at time zone coalesce(max(agencies.timezone), 'UTC'))::date
            from intake.deliveries as deliveries
            left join reference.agencies as agencies on deliveries.agency_code = agencies.agency_code
            where deliveries.delivery_id = any($1) and deliveries.feed = 'visit'
            group by deliveries.agency_code
            on conflict (agency_code) do update set before = greatest(fixed_weeks.before, excluded.before)
        $sql$ using ids, at;
        execute $sql$
            insert into warehouse.fixed_counts (relation, key, rows, fixed_at)
            select 'q16_visit_gap', counted.agency_code, jsonb_agg(to_jsonb(counted)), $2
            from indicators.q16_visit_gap as counted
            inner join warehouse.fixed_weeks as fixed on counted.agency_code = fixed.agency_code and counted.period_start < fixed.before
            where
                counted.agency_code in (
                    select deliveries.agency_code from intake.deliveries as deliveries
                    where deliveries.delivery_id = any($1) and deliveries.feed = 'visit'
                )
            group by counted.agency_code
            on conflict (relation, key) do update set rows = excluded.rows, fixed_at = excluded.fixed_at
        $sql$ using ids, at;
    end if;
    update intake.deliveries set counts_fixed_at = at where delivery_id = any(ids) and counts_fixed_at is null;
end
$body$;
