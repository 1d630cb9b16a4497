-- How text as sent becomes a typed value. No function here raises on any text: what cannot be read is null, and the state beside it says so.
-- The generated reading (frontdoor.quality.reading) calls them on a million records at a time, therefore:
-- * one expression per function, so that Postgres writes it into the caller's plan instead of calling it;
-- * the shape that nearly every sender uses first, by position and look-up; patterns only for what is left;
-- * arguments are columns of a fenced subquery, because an expression would be evaluated once per use.
-- Postgres 15: there is no pg_input_is_valid. Every cast therefore stands behind a check of each digit it reads.
create schema reading;

-- As sent, without what surrounds it: blanks, tabs, line ends, no-break, figure, narrow, zero-width and ideographic spaces, byte order mark.
create function reading.trimmed(sent text) returns text
language sql immutable parallel safe
as $body$
    select nullif(btrim(sent, E' \t\n\r\f\x0b\u00a0\u2007\u200b\u202f\u3000\ufeff'), '')
$body$;

-- The form in which labels are compared: small ASCII letters, digits and anything beyond ASCII; one blank for whatever else lies between.
create function reading.label(sent text) returns text
language sql immutable parallel safe
as $body$
    select btrim(regexp_replace(
        lower(translate(sent, E'\u00a0\u2007\u202f\u3000\u200b\ufeff''\u2018\u2019', '    ') collate "C"),
        E'[\\x01-\\x2f\\x3a-\\x60\\x7b-\\x7f]+', ' ', 'g'
    ))
$body$;

-- The code of a label, by its exact spelling or else by its form; null where the list does not know it. codes: label or form -> code.
create function reading.code(sent text, codes jsonb) returns text
language sql immutable parallel safe
as $body$
    select coalesce(codes ->> sent, codes ->> reading.label(sent))
$body$;

-- Digits, perhaps signed, perhaps with ".0" as spreadsheets write them; null beyond four bytes.
create function reading.whole_number(sent text) returns integer
language sql immutable parallel safe
as $body$
    select case
        when octet_length(sent) between 1 and 9 and btrim(sent, '0123456789') = '' then sent::integer
        when sent ~ '^[+-]?[0-9]{1,10}(\.0{1,6})?$' then
            case
                when split_part(sent, '.', 1)::bigint between -2147483648 and 2147483647
                    then split_part(sent, '.', 1)::integer
            end
    end
$body$;

-- A day that the calendar has, from the year 1 to 9999; else null.
create function reading.day(year_no integer, month_no integer, day_no integer) returns date
language sql immutable parallel safe
as $body$
    select case
        when
            year_no between 1 and 9999 and month_no between 1 and 12 and day_no between 1 and case
                when month_no in (4, 6, 9, 11) then 30
                when month_no <> 2 then 31
                when year_no % 4 = 0 and (year_no % 100 <> 0 or year_no % 400 = 0) then 29
                else 28
            end
            then make_date(year_no, month_no, day_no)
    end
$body$;

-- A day and a time of day on a clock on the wall; seconds 60 and hour 24 are not times.
create function reading.wall_clock(day date, hour_no integer, minute_no integer, seconds double precision) returns timestamp
language sql immutable parallel safe
as $body$
    select case
        when hour_no between 0 and 23 and minute_no between 0 and 59 and seconds >= 0 and seconds < 60
            then day + make_time(hour_no, minute_no, seconds)
    end
$body$;

-- The slow way to a day: YYYY-M-D with -, / or ., perhaps followed by a time of day, which is left out: a date stays the date that was written.
create function reading.date_slowly(sent text) returns date
language sql immutable parallel safe
as $body$
    select reading.day(parts.found[1]::integer, parts.found[2]::integer, parts.found[3]::integer)
    from (
        select regexp_match(
            sent, '^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[Tt ][0-9]{1,2}:[0-9:.,]{2,20} ?(?:[Zz]|[+-][0-9:]{2,6})?)?$'
        ) as found
    ) as parts
$body$;

-- The slow way to an instant: ISO 8601 with or without seconds, fraction and offset. Without offset it is local time: `zone` says where.
create function reading.instant_slowly(sent text, zone text) returns timestamptz
language sql immutable parallel safe
as $body$
    select case
        -- A year that an offset could push out of what Python can hold is no year.
        when parts.local_at not between timestamp '0002-01-01' and timestamp '9998-12-31' then null
        when parts.suffix is null then
            -- In the hour that is repeated, Postgres takes the second instant, we the first; the missing hour it moves forward, as we do.
            case
                when ((parts.local_at at time zone zone) at time zone 'UTC' - interval '1 hour') at time zone 'UTC' at time zone zone
                    = parts.local_at
                    then ((parts.local_at at time zone zone) at time zone 'UTC' - interval '1 hour') at time zone 'UTC'
                else parts.local_at at time zone zone
            end
        when upper(parts.suffix) = 'Z' then parts.local_at at time zone 'UTC'
        when parts.offset_hours <= 15 and parts.offset_minutes <= 59 then
            (parts.local_at - case when parts.suffix like '-%' then -1 else 1 end
            * make_interval(0, 0, 0, 0, parts.offset_hours, parts.offset_minutes)) at time zone 'UTC'
    end
    from (
        select
            reading.wall_clock(
                reading.day(match.found[1]::integer, match.found[2]::integer, match.found[3]::integer),
                match.found[4]::integer, match.found[5]::integer, coalesce(replace(match.found[6], ',', '.'), '0')::double precision
            ) as local_at,
            match.found[7] as suffix,
            substr(match.found[7], 2, 2)::integer as offset_hours,
            coalesce(nullif(right(replace(substr(match.found[7], 4), ':', ''), 2), ''), '0')::integer as offset_minutes
        from (
            select regexp_match(
                sent,
                '^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})[Tt ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:[.,][0-9]{1,9})?))? ?'
                || '([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?$'
            ) as found
        ) as match
    ) as parts
$body$;

-- Look-ups that say whether a cast is safe. Built here because nobody should have to read 366 days and 1,440 minutes.
do $make$
declare
    years constant jsonb := (select jsonb_object_agg(each_year::text, 1) from generate_series(1900, 2099) as each_year);
    days constant jsonb := (
        select jsonb_object_agg(to_char(each_day, 'MM-DD'), 1)
        from generate_series(date '2001-01-01', date '2001-12-31', interval '1 day') as each_day
    );
    minutes constant jsonb := (
        select jsonb_object_agg(to_char(make_interval(mins => each_minute), 'HH24:MI'), 1) from generate_series(0, 1439) as each_minute
    );
    seconds constant jsonb := (
        select jsonb_object_agg(to_char(make_interval(secs => each_second), '":"SS'), 1) from generate_series(0, 59) as each_second
    );
begin
    -- YYYY-MM-DD of a common year from 1900 to 2099 at once; 29 February and whatever else looks like a date the slow way.
    execute format($create$
        create function reading.day(sent text) returns date
        language sql immutable parallel safe
        as $body$
            select case
                when
                    octet_length(sent) = 10 and sent like '____-__-__'
                    and jsonb_exists(%L::jsonb, substr(sent, 1, 4)) and jsonb_exists(%L::jsonb, substr(sent, 6, 5))
                    then make_date(substr(sent, 1, 4)::integer, substr(sent, 6, 2)::integer, substr(sent, 9, 2)::integer)
                when octet_length(sent) between 8 and 50 then reading.date_slowly(sent)
            end
        $body$
    $create$, years, days);

    -- The clock on the wall of YYYY-MM-DD HH:MM, with seconds or with seconds and Z; null for anything else.
    execute format($create$
        create function reading.wall_clock(sent text) returns timestamp
        language sql immutable parallel safe
        as $body$
            select case
                when
                    octet_length(sent) in (16, 19, 20) and (sent like '____-__-_____:__%%') and substr(sent, 11, 1) in ('T', ' ')
                    and jsonb_exists(%L::jsonb, substr(sent, 1, 4)) and jsonb_exists(%L::jsonb, substr(sent, 6, 5))
                    and jsonb_exists(%L::jsonb, substr(sent, 12, 5))
                    and (octet_length(sent) = 16 or jsonb_exists(%L::jsonb, substr(sent, 17, 3)))
                    and (octet_length(sent) < 20 or substr(sent, 20) = 'Z')
                    then make_timestamp(
                        substr(sent, 1, 4)::integer, substr(sent, 6, 2)::integer, substr(sent, 9, 2)::integer,
                        substr(sent, 12, 2)::integer, substr(sent, 15, 2)::integer,
                        case when octet_length(sent) = 16 then 0 else substr(sent, 18, 2)::integer end
                    )
            end
        $body$
    $create$, years, days, minutes, seconds);
end
$make$;

-- The instant of a stamp. wall_clock: what reading.wall_clock(sent) gave, so that it is read once.
-- Hours are taken away in UTC, from a timestamp without zone: from one with zone, Postgres would call it a matter of the session.
create function reading.instant(sent text, wall_clock timestamp, zone text) returns timestamptz
language sql immutable parallel safe
as $body$
    select case
        when wall_clock is null then
            case when octet_length(sent) between 14 and 50 then reading.instant_slowly(sent, zone) end
        when octet_length(sent) = 20 then wall_clock at time zone 'UTC'
        -- Clocks change between midnight and four in the morning; at any other hour there is nothing to ask.
        when
            extract(hour from wall_clock) < 4
            and ((wall_clock at time zone zone) at time zone 'UTC' - interval '1 hour') at time zone 'UTC' at time zone zone = wall_clock
            then ((wall_clock at time zone zone) at time zone 'UTC' - interval '1 hour') at time zone 'UTC'
        else wall_clock at time zone zone
    end
$body$;

-- Whether a stamp without offset stands in the hour that the clocks repeat or leave out, so that we had to choose.
create function reading.is_clock_change(sent text, zone text) returns boolean
language sql immutable parallel safe
as $body$
    select coalesce(
        sent !~ '([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$'
        and (
            (reading.instant_slowly(sent || 'Z', zone) at time zone 'UTC') <> (reading.instant_slowly(sent, zone) at time zone zone)
            or (reading.instant_slowly(sent, zone) at time zone 'UTC' + interval '1 hour') at time zone 'UTC' at time zone zone
            = reading.instant_slowly(sent, zone) at time zone zone
        ), false
    )
$body$;
