{#-
    Which children are past their visiting standard, on given days and as known at given instants. CTEs up to `visit_gaps`: one row per point
    and child under a standard. Needs a CTE `points`: agency_code, known_group, known_at, week_start_date, on_date; points of one known_group
    have one known_at.
    * Seen means: in person, this child, said so. Unknown counts as not seen, and so does a visit in the future or withdrawn.
    * What a plan is follows from the newest record about it; a standard that is missing or unknown is the strictest there is for the plan,
      and for a plan that is missing too, the strictest of all. A standard of another kind of plan is not believed.
    * A first-visit standard that was met gives way to the plan's strictest one, and where the plan has none, to the strictest of all: a child
      of whom we count is never beyond being late.
    * A plan whose start is missing or lies ahead began when we were first told. The due date that the sender states is not believed.
    * A record without a child's number stands for a child of its own: nobody is left out because a number is.
-#}
{% macro visit_gaps() %}
    known_groups as (
        select distinct
            points.agency_code,
            points.known_group,
            points.known_at
        from points
    ),

    told as (
        select
            known_groups.known_group,
            visits.agency_code,
            coalesce(visits.child_key, visits.record_key) as child_key,
            visits.team_code,
            visits.plan_type_code,
            visits.standard_id,
            visits.plan_started_on,
            case when visits.plan_ended_on >= coalesce(visits.plan_started_on, visits.plan_ended_on) then visits.plan_ended_on end as plan_ended_on,
            visits.visited_on,
            visits.received_on,
            visits.is_child_seen,
            visits.is_seen_unknown,
            row_number() over (
                partition by known_groups.known_group, visits.agency_code, coalesce(visits.child_key, visits.record_key)
                order by least(visits.recorded_at, visits.received_at) desc nulls last, visits.delivery_id desc, visits.record_no desc
            ) as newest_no
        from known_groups
        inner join {{ ref('fct_visit_version') }} as visits
            on
                known_groups.agency_code = visits.agency_code
                and known_groups.known_at >= visits.known_from
                and coalesce(known_groups.known_at < visits.known_to, true)
        where not visits.is_repeat
    ),

    teams as (
        select
            told.known_group,
            told.agency_code,
            told.child_key,
            (array_agg(told.team_code order by told.newest_no) filter (where told.team_code is not null))[1] as team_code
        from told
        group by told.known_group, told.agency_code, told.child_key
    ),

    plans as (
        select
            told.known_group,
            told.agency_code,
            told.child_key,
            told.plan_type_code,
            told.plan_started_on,
            (array_agg(told.standard_id order by told.newest_no))[1] as standard_id,
            (array_agg(told.plan_ended_on order by told.newest_no))[1] as plan_ended_on,
            min(told.received_on) as first_received_on,
            min(told.newest_no) as newest_no
        from told
        group by told.known_group, told.agency_code, told.child_key, told.plan_type_code, told.plan_started_on
    ),

    -- A plan of unknown type counts while nothing newer is known of the child.
    believed_plans as (
        select plans.*
        from plans
        where plans.plan_type_code is not null or plans.newest_no = 1
    ),

    running as (
        select
            points.week_start_date,
            points.on_date,
            believed_plans.*,
            case
                when believed_plans.plan_started_on <= points.on_date then believed_plans.plan_started_on
                else least(believed_plans.first_received_on, points.on_date)
            end as running_from
        from believed_plans
        inner join points
            on believed_plans.known_group = points.known_group and believed_plans.agency_code = points.agency_code
        where
            coalesce(believed_plans.plan_ended_on > points.on_date, true)
            and (
                believed_plans.plan_started_on <= points.on_date
                or believed_plans.first_received_on <= points.on_date
            )
    ),

    days_seen as (
        select distinct
            told.known_group,
            told.agency_code,
            told.child_key,
            told.visited_on
        from told
        where told.is_child_seen and told.visited_on is not null
    ),

    days_made_but_unknown as (
        select distinct
            told.known_group,
            told.agency_code,
            told.child_key,
            told.visited_on
        from told
        where told.is_seen_unknown and told.visited_on is not null
    ),

    timeline as (
        select
            running.known_group,
            running.agency_code,
            running.child_key,
            running.on_date as at_date,
            null::date as seen_on,
            null::date as unknown_on,
            true as is_point
        from running
        group by running.known_group, running.agency_code, running.child_key, running.on_date
        union all
        select days_seen.*, days_seen.visited_on, null, false from days_seen
        union all
        select days_made_but_unknown.*, null, days_made_but_unknown.visited_on, false from days_made_but_unknown
    ),

    last_seen as (
        select
            timeline.known_group,
            timeline.agency_code,
            timeline.child_key,
            timeline.at_date,
            timeline.is_point,
            max(timeline.seen_on) over so_far as last_seen_on,
            max(timeline.unknown_on) over so_far as last_unknown_on
        from timeline
        window so_far as (
            partition by timeline.known_group, timeline.agency_code, timeline.child_key
            order by timeline.at_date, timeline.is_point
            rows between unbounded preceding and current row
        )
    ),

    standards as (
        select
            codes.code as standard_id,
            codes.attributes ->> 'plan_type' as plan_type_code,
            clocks.limit_value::integer as limit_value,
            clocks.limit_unit,
            clocks.start_event = 'last seen' as is_recurring,
            greatest(codes.valid_from, clocks.valid_from) as valid_from,
            least(codes.valid_to, clocks.valid_to) as valid_to
        from {{ source('reference', 'codes') }} as codes
        inner join {{ source('reference', 'clocks') }} as clocks on codes.code = clocks.clock_id
        where codes.code_list = 'visit_standard'
    ),

    candidates as (
        select
            running.known_group,
            running.agency_code,
            running.child_key,
            running.week_start_date,
            running.on_date,
            running.plan_type_code,
            standards.standard_id,
            standards.limit_value,
            standards.limit_unit,
            last_seen.last_seen_on,
            last_seen.last_unknown_on,
            case when standards.is_recurring then greatest(running.running_from, last_seen.last_seen_on) else running.running_from end as counted_from,
            given.standard_id is null or coalesce(standards.plan_type_code <> running.plan_type_code, true) as is_standard_unknown
        from running
        inner join last_seen
            on
                running.known_group = last_seen.known_group
                and running.agency_code = last_seen.agency_code
                and running.child_key = last_seen.child_key
                and running.on_date = last_seen.at_date
                and last_seen.is_point
        left join standards as given
            on
                running.standard_id = given.standard_id
                and running.plan_type_code = given.plan_type_code
                and given.valid_from <= running.on_date
                and coalesce(given.valid_to >= running.on_date, true)
        inner join standards
            on
                standards.valid_from <= running.on_date
                and coalesce(standards.valid_to >= running.on_date, true)
                and (
                    running.plan_type_code is null
                    or standards.standard_id = given.standard_id
                    or (
                        standards.plan_type_code = running.plan_type_code
                        and (given.standard_id is null or (not given.is_recurring and standards.is_recurring))
                    )
                    -- Seen for the first time, in a plan that has no standard for what comes then.
                    or (
                        standards.is_recurring
                        and last_seen.last_seen_on >= running.running_from
                        and not exists (
                            select 1
                            from standards as others
                            where
                                others.is_recurring
                                and others.plan_type_code = running.plan_type_code
                                and others.valid_from <= running.on_date
                                and coalesce(others.valid_to >= running.on_date, true)
                        )
                    )
                )
        where standards.is_recurring or coalesce(last_seen.last_seen_on < running.running_from, true)
    ),

    -- Each limit once per day that it is counted from, whoever it is counted for.
    limits as (
        select distinct
            candidates.counted_from,
            candidates.limit_value,
            candidates.limit_unit
        from candidates
    ),

    due_days as (
        select
            limits.counted_from,
            limits.limit_value,
            limits.limit_unit,
            case limits.limit_unit
                when 'working_days' then reference.add_working_days(limits.counted_from, limits.limit_value)
                when 'days' then limits.counted_from + limits.limit_value
                when 'months' then (limits.counted_from + make_interval(months => limits.limit_value))::date
            end as due_on
        from limits
    ),

    dated as (
        select
            candidates.*,
            -- Outside the calendar, or in a unit that nobody counts visits in: overdue until it is known.
            coalesce(due_days.due_on, candidates.counted_from) as due_on
        from candidates
        inner join due_days
            on
                candidates.counted_from = due_days.counted_from
                and candidates.limit_value = due_days.limit_value
                and candidates.limit_unit = due_days.limit_unit
    ),

    strictest as (
        select distinct on (dated.known_group, dated.agency_code, dated.child_key, dated.on_date) dated.*
        from dated
        order by dated.known_group, dated.agency_code, dated.child_key, dated.on_date, dated.due_on, dated.standard_id
    ),

    children as (
        select
            running.known_group,
            running.agency_code,
            running.child_key,
            running.week_start_date,
            running.on_date
        from running
        group by running.known_group, running.agency_code, running.child_key, running.week_start_date, running.on_date
    ),

    visit_gaps as (
        select
            children.known_group,
            children.agency_code,
            children.child_key,
            children.week_start_date,
            children.on_date,
            coalesce(teams.team_code, 'not_known') as team_code,
            coalesce(strictest.plan_type_code, 'not_known') as plan_type,
            strictest.standard_id,
            strictest.last_seen_on,
            strictest.due_on,
            children.on_date - strictest.due_on as days_over,
            -- Without any standard it is not known that the child was seen in time.
            coalesce(children.on_date > strictest.due_on, true) as is_over,
            coalesce(
                children.on_date > strictest.due_on
                and (
                    strictest.is_standard_unknown
                    or coalesce(strictest.last_unknown_on > coalesce(strictest.last_seen_on, strictest.last_unknown_on - 1), false)
                ),
                true
            ) as is_unknown
        from children
        inner join teams
            on
                children.known_group = teams.known_group
                and children.agency_code = teams.agency_code
                and children.child_key = teams.child_key
        left join strictest
            on
                children.known_group = strictest.known_group
                and children.agency_code = strictest.agency_code
                and children.child_key = strictest.child_key
                and children.on_date = strictest.on_date
    )
{%- endmacro %}
