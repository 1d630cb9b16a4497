-- Bank holidays as dated rows; the calendar is made from them. Working-day arithmetic for models: by subtraction, never by a loop.

-- One row per day that is a bank holiday in England and Wales. known_from: when it was announced (null: it always was known).
create table reference.holidays (
    holiday_date date primary key, holiday text not null, known_from date, source text not null
);

create index calendar_working_days on reference.calendar (working_day_no) where is_working_day;

-- Working days after date_from up to and including date_to; negative when it is earlier; null outside the calendar, never an error.
-- A Saturday counts as the Friday before: a clock that starts at a weekend starts on the next working day.
create function reference.working_days_between(date_from date, date_to date) returns integer
language sql stable parallel safe
as $body$
    select
        (select calendar.working_day_no from reference.calendar as calendar where calendar.calendar_date = date_to)
        - (select calendar.working_day_no from reference.calendar as calendar where calendar.calendar_date = date_from)
$body$;

-- The same as one would have counted on that day, when later announced holidays were still working days.
create function reference.working_days_between(date_from date, date_to date, known_on date) returns integer
language sql stable parallel safe
as $body$
    select
        reference.working_days_between(date_from, date_to)
        + (
            select
                count(*) filter (where calendar.calendar_date > date_from and calendar.calendar_date <= date_to)
                - count(*) filter (where calendar.calendar_date > date_to and calendar.calendar_date <= date_from)
            from reference.calendar as calendar
            where calendar.known_from > known_on and extract(isodow from calendar.calendar_date) < 6
        )::integer
$body$;

create index calendar_announced_late on reference.calendar (known_from) where known_from is not null;

-- The working day on which a limit of that many working days, counted from the day after date_from, ends. Zero: date_from itself if it
-- is a working day, else the last one before it. Null outside the calendar.
create function reference.add_working_days(date_from date, working_days integer) returns date
language sql stable parallel safe
as $body$
    select days.calendar_date
    from reference.calendar as days
    where
        days.is_working_day
        and days.working_day_no = (
            select calendar.working_day_no from reference.calendar as calendar where calendar.calendar_date = date_from
        ) + working_days
$body$;
