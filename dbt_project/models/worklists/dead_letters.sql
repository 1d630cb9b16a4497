-- Why: what we could not read, with its clock and its owner. Grain: one row per open dead letter. Traps: hours_left is negative once the clock
-- has run out; computed afresh in each build.
{{ config(incremental_strategy='replace_all') }}

with dead_letters as (
    select * from {{ source('quality', 'dead_letters') }}
),

files as (
    select * from {{ source('intake', 'files') }}
),

clock as (
    select * from {{ source('warehouse', 'clock') }}
)

select
    dead_letters.dead_letter_id,
    dead_letters.file_id,
    dead_letters.delivery_id,
    files.agency_code,
    dead_letters.owner_role,
    dead_letters.reason_code,
    dead_letters.reason,
    dead_letters.line_no,
    round(extract(epoch from dead_letters.due_at - clock.as_of) / 3600.0, 2) as hours_left,
    dead_letters.found_at,
    dead_letters.due_at,
    clock.as_of
from dead_letters
inner join files on dead_letters.file_id = files.file_id
cross join clock
where dead_letters.resolved_at is null
