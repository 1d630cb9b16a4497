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
    * A return of the council's (lists for an inspection) carries no standard and no time of record: it takes no standard away, and whether a
      plan that it lists has ended is for the case system's own list to say, once that tells of the plan after it.
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
            visits.delivery_id,
            visits.source <> 'visit' as is_of_return,
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
            (
                array_agg(told.standard_id order by told.newest_no)
                filter (where not told.is_of_return or told.standard_id is not null)
            )[1] as standard_id,
            case
                when
                    max(told.delivery_id) filter (where not told.is_of_return)
                    > max(told.delivery_id) filter (where told.is_of_return)
                    then (array_agg(told.plan_ended_on order by told.newest_no) filter (where not told.is_of_return))[1]
                else (array_agg(told.plan_ended_on order by told.newest_no))[1]
            end as plan_ended_on,
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

    running_and_seen as (
        select
            running.*,
            last_seen.last_seen_on,
            last_seen.last_unknown_on,
            coalesce(last_seen.last_seen_on >= running.running_from, false) as is_seen_since,
            -- What decides on the standards, null or not, in one text that can be joined by.
            concat_ws(chr(31), coalesce(running.plan_type_code, chr(30)), coalesce(running.standard_id, chr(30))) as asked_for
        from running
        inner join last_seen
            on
                running.known_group = last_seen.known_group
                and running.agency_code = last_seen.agency_code
                and running.child_key = last_seen.child_key
                and running.on_date = last_seen.at_date
                and last_seen.is_point
    ),

    -- Thousands of children stand under a few standards on a few days: which ones is asked once for all of them.
    asked as (
        select distinct
            running_and_seen.asked_for,
            running_and_seen.on_date,
            running_and_seen.is_seen_since,
            running_and_seen.plan_type_code,
            running_and_seen.standard_id as given_standard_id
        from running_and_seen
    ),

    applying as (
        select
            asked.asked_for,
            asked.on_date,
            asked.is_seen_since,
            standards.standard_id,
            standards.limit_value,
            standards.limit_unit,
            standards.is_recurring,
            given.standard_id is null or coalesce(standards.plan_type_code <> asked.plan_type_code, true) as is_standard_unknown
        from asked
        left join standards as given
            on
                asked.given_standard_id = given.standard_id
                and asked.plan_type_code = given.plan_type_code
                and given.valid_from <= asked.on_date
                and coalesce(given.valid_to >= asked.on_date, true)
        inner join standards
            on
                standards.valid_from <= asked.on_date
                and coalesce(standards.valid_to >= asked.on_date, true)
                and (
                    asked.plan_type_code is null
                    or standards.standard_id = given.standard_id
                    or (
                        standards.plan_type_code = asked.plan_type_code
                        and (given.standard_id is null or (not given.is_recurring and standards.is_recurring))
                    )
                    -- Seen for the first time, in a plan that has no standard for what comes then.
                    or (
                        standards.is_recurring
                        and asked.is_seen_since
                        and not exists (
                            select 1
                            from standards as others
                            where
                                others.is_recurring
                                and others.plan_type_code = asked.plan_type_code
                                and others.valid_from <= asked.on_date
                                and coalesce(others.valid_to >= asked.on_date, true)
                        )
                    )
                )
        where standards.is_recurring or not asked.is_seen_since
    ),

    candidates as (
        select
            counted.*,
            concat_ws(' ', counted.counted_from, counted.limit_value, counted.limit_unit) as counted_as
        from (
            select
                running_and_seen.known_group,
                running_and_seen.agency_code,
                running_and_seen.child_key,
                running_and_seen.week_start_date,
                running_and_seen.on_date,
                running_and_seen.plan_type_code,
                applying.standard_id,
                applying.limit_value,
                applying.limit_unit,
                running_and_seen.last_seen_on,
                running_and_seen.last_unknown_on,
                case
                    when applying.is_recurring then greatest(running_and_seen.running_from, running_and_seen.last_seen_on)
                    else running_and_seen.running_from
                end as counted_from,
                applying.is_standard_unknown
            from running_and_seen
            inner join applying
                on
                    running_and_seen.asked_for = applying.asked_for
                    and running_and_seen.on_date = applying.on_date
                    and running_and_seen.is_seen_since = applying.is_seen_since
        ) as counted
    ),

    -- Each limit once per day that it is counted from, whoever it is counted for. One value, not a relation: how many candidates there are
    -- is anybody's guess to the planner, and a join that it guesses wrong takes minutes.
    due_days as (
        select jsonb_object_agg(limits.counted_as, limits.due_on) as due_on
        from (
            select
                counted.counted_as,
                case counted.limit_unit
                    when 'working_days' then reference.add_working_days(counted.counted_from, counted.limit_value)
                    when 'days' then counted.counted_from + counted.limit_value
                    when 'months' then (counted.counted_from + make_interval(months => counted.limit_value))::date
                end as due_on
            from (
                select distinct
                    candidates.counted_as,
                    candidates.counted_from,
                    candidates.limit_value,
                    candidates.limit_unit
                from candidates
            ) as counted
        ) as limits
    ),

    dated as (
        select
            candidates.*,
            -- Outside the calendar, or in a unit that nobody counts visits in: overdue until it is known.
            coalesce(
                ((select due_days.due_on from due_days) ->> candidates.counted_as)::date, candidates.counted_from
            ) as due_on
        from candidates
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
