-- Why: children whom nobody has seen for longer than their visiting standard allows. Grain: one row per child past the standard as of the
-- build. Traps: computed afresh in each build, because the list grows although nobody sends; what counts as seen is told in macros/visit_gap.sql.
{{ config(incremental_strategy='replace_all', pre_hook="{{ join_by_hash() }}") }}

with clock as (
    select * from {{ source('warehouse', 'clock') }}
    order by is_only_row
    limit 1
),

agencies as (
    select * from {{ ref('dim_agency') }}
),

points as (
    select
        agencies.agency_code,
        'now' as known_group,
        clock.as_of as known_at,
        null::date as week_start_date,
        (clock.as_of at time zone agencies.timezone)::date as on_date
    from agencies
    cross join clock
),

{{ visit_gaps() }}

select
    visit_gaps.child_key,
    visit_gaps.agency_code,
    visit_gaps.team_code,
    visit_gaps.plan_type,
    visit_gaps.standard_id,
    visit_gaps.last_seen_on,
    visit_gaps.due_on,
    visit_gaps.days_over,
    visit_gaps.is_unknown,
    clock.as_of
from visit_gaps
cross join clock
where visit_gaps.is_over
