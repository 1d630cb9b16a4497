-- Why: days, their weeks and months, and working days counted once. Grain: one row per day. Traps: a difference of working_day_no is the
-- number of working days between two days; a holiday announced late carries the day of its announcement.
{{ config(materialized='view') }}

with calendar as (
    select * from {{ source('reference', 'calendar') }}
)

select
    calendar.calendar_date as date_day,
    date_trunc('week', calendar.calendar_date)::date as week_start_date,
    date_trunc('month', calendar.calendar_date)::date as month_start_date,
    calendar.working_day_no,
    calendar.holiday as holiday_name,
    calendar.known_from as holiday_known_from,
    calendar.is_working_day
from calendar
