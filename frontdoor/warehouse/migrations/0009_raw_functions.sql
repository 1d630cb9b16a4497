-- Partitions of raw.<feed> and raw.<feed>_read on demand. Callable by whoever loads, without Python.

-- Makes the partition of the month (UTC) of that instant for raw.<feed> and raw.<feed>_read; does nothing where it exists.
-- Safe when many load at once: a table is made alone and then attached, which waits for no reader and no writer of the parent
-- (creating it as a partition would wait for every load that is running).
create function raw.ensure_partition(feed text, at timestamptz) returns void
language plpgsql
as $body$
declare
    month_start constant timestamptz := date_trunc('month', at at time zone 'UTC') at time zone 'UTC';
    month_end constant timestamptz := (date_trunc('month', at at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    parent_name text;
    part_name text;
begin
    foreach parent_name in array array[feed, feed || '_read'] loop
        part_name := parent_name || '_' || to_char(month_start at time zone 'UTC', '"y"YYYY"m"MM');
        if to_regclass(format('raw.%I', part_name)) is not null then
            continue;
        end if;
        perform pg_advisory_xact_lock(hashtextextended('raw.ensure_partition:' || part_name, 0));
        -- Asked of the table itself: the answer of to_regclass is from before the wait.
        if not exists (
            select 1 from pg_class as classes
            where classes.relnamespace = 'raw'::regnamespace and classes.relname = part_name
        ) then
            execute format('create table raw.%I (like raw.%I including all)', part_name, parent_name);
            execute format(
                'alter table raw.%I attach partition raw.%I for values from (%L) to (%L)',
                parent_name, part_name, month_start, month_end
            );
        end if;
    end loop;
end
$body$;

-- Changes when a column of any raw relation does: a view over `select *` must then be made again.
create function raw.columns_fingerprint() returns text
language sql stable
as $body$
    select coalesce(md5(string_agg(format('%s.%s %s', classes.relname, attributes.attname, attributes.atttypid), ','
        order by classes.relname, attributes.attname)), 'none')
    from pg_class as classes
    inner join pg_attribute as attributes on classes.oid = attributes.attrelid
    where
        classes.relnamespace = 'raw'::regnamespace
        and classes.relkind = 'p'
        and attributes.attnum > 0
        and not attributes.attisdropped
$body$;
