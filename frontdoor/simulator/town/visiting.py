"""Plans, who holds them, and when each child is seen: what the case system knows of visits.

A child has one plan at a time. A plan has always one visit ahead of it; the visit is made when its day comes, by the
worker of the plan, and then the next is planned. Nobody visits where there is no worker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from frontdoor.simulator.town.allocation import Allocation
from frontdoor.simulator.town.calendar import Calendar
from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.people import Child, Worker
from frontdoor.simulator.town.plans import STANDARDS, Plan, Visit
from frontdoor.simulator.town.scenario import Scenario
from frontdoor.simulator.town.workforce import Workforce

CP_WORKING_DAYS, WEEK = 10, 5
SLOT_MINUTES, FIRST_HOUR, LAST_HOUR = 75, 9, 20
# Visits a worker made on a day before the first one.
MOST_BEFORE = 8


class Visiting:
    """All plans of a town, their workers and visits."""

    def __init__(self, scenario: Scenario, calendar: Calendar, seed: int, children: int, first_day: date) -> None:
        """Staff the teams."""
        self._scenario, self._calendar, self._seed = scenario, calendar, seed
        self.workforce = Workforce(scenario, calendar, seed, children, first_day)
        self.allocation = Allocation(scenario, seed, self.workforce)
        self.plans: list[Plan] = []
        self._plan_of: dict[str, Plan] = {}
        self._ahead: dict[date, list[Plan]] = defaultdict(list)
        self._busy: dict[tuple[str, date], int] = defaultdict(int)
        self._visits = 0

    @property
    def workers(self) -> list[Worker]:
        """Everybody who ever worked in the town."""
        return self.workforce.workers

    def plan_of(self, child: Child) -> Plan | None:
        """The plan that runs for a child."""
        return self._plan_of.get(child.child_id)

    def begin(self, child: Child, kind: str, started_on: date, on: date) -> Plan:
        """Begin a plan, find a worker, and plan the first visit."""
        plan = Plan(len(self.plans) + 1, child, kind, child.household.team, started_on, told_from=on)
        self.plans.append(plan)
        self._plan_of[child.child_id] = plan
        self.allocation.begin(plan, on)
        if plan.worker and started_on < on - timedelta(days=STANDARDS[kind][2][1]):
            self._saw_before(plan, self._chance("plan", plan.name))
        self._plan_visit(plan, self._seen_on(plan) or plan.started_on, on)
        return plan

    def made(self) -> Iterator[tuple[Plan, Visit]]:
        """Yield every visit that was made so far."""
        yield from ((plan, visit) for plan in self.plans for visit in plan.visits if visit.made_at)

    def _saw_before(self, plan: Plan, chance: Chance) -> None:
        """Have the child of a plan that began earlier seen shortly before the first day, if its worker has the time."""
        assert plan.worker is not None
        on = self._calendar.before(plan.told_from - timedelta(days=chance.randrange(1, STANDARDS[plan.kind][2][0])))
        slot = self._busy[plan.worker.worker_id, on]
        if slot >= MOST_BEFORE:
            return
        self._busy[plan.worker.worker_id, on] += 1
        self._visits += 1
        made = datetime.combine(on, time(FIRST_HOUR)) + timedelta(minutes=SLOT_MINUTES * slot)
        visit = Visit(self._visits, self.due_on(plan, on), datetime.combine(on - timedelta(days=9), time(16, 30)), on)
        visit.made_at, visit.ended_at = made, made + timedelta(minutes=30 + chance.randrange(30))
        visit.recorded_at, visit.is_seen = made + timedelta(hours=2), True
        visit.worker_id, visit.worker_role = plan.worker.worker_id, plan.worker.role
        plan.visits.append(visit)

    def _seen_on(self, plan: Plan) -> date | None:
        days = [visit.made_at.date() for visit in plan.visits if visit.is_seen and visit.made_at]
        return max(days, default=None)

    def end(self, plan: Plan, on: date) -> None:
        """End a plan: nobody is seen under it any more."""
        plan.ended_on = on
        del self._plan_of[plan.child.child_id]
        self.allocation.end(plan)

    def of_day(self, day: date) -> Iterator[tuple[Plan, Visit]]:
        """Make the visits of a day; yield those that were made."""
        self.allocation.of_day(day)
        for plan in self._ahead.pop(day, []):
            if plan.ended_on is not None:
                continue
            if plan.worker is None:
                self._put_off(plan, plan.visits[-1], self._calendar.after(day, WEEK))
            elif (made := self._make(plan, plan.visits[-1], day)) is not None:
                yield plan, made

    def due_on(self, plan: Plan, counted_from: date) -> date:
        """By which day a child must be seen again."""
        _, limit, _ = STANDARDS[plan.kind]
        return counted_from + timedelta(days=limit) if limit else self._calendar.after(counted_from, CP_WORKING_DAYS)

    def last_seen_on(self, plan: Plan, known_before: datetime) -> date | None:
        """When the child of a plan was last seen under it, as recorded before an instant."""
        days = [
            visit.made_at.date()
            for visit in plan.visits
            if visit.is_seen and visit.made_at and visit.recorded_at and visit.recorded_at < known_before
        ]
        return max(days, default=None)

    def _plan_visit(self, plan: Plan, seen_on: date, today: date) -> None:
        self._visits += 1
        chance = self._chance("visit", plan.name, len(plan.visits))
        due = self.due_on(plan, seen_on)
        low, high = STANDARDS[plan.kind][2]
        if chance.happens(self._scenario.value("visits_late_share", today)):
            on = due + timedelta(days=chance.randrange(2, 25))
        else:
            on = min(
                today + timedelta(days=chance.randrange(low, high)), self._calendar.before(due + timedelta(days=1))
            )
        on = self._calendar.after(max(on, today + timedelta(days=1)), 0)
        set_at = datetime.combine(today, time(16, 30))
        plan.visits.append(Visit(self._visits, due, set_at, on))
        self._ahead[on].append(plan)

    def _make(self, plan: Plan, visit: Visit, day: date) -> Visit | None:
        assert plan.worker is not None
        chance = self._chance("made", plan.name, len(plan.visits))
        slot = self._busy[plan.worker.worker_id, day]
        made_at = datetime.combine(day, time(FIRST_HOUR)) + timedelta(minutes=SLOT_MINUTES * slot)
        if made_at.date() != day or made_at.hour > LAST_HOUR:
            # More than a day holds: another day.
            self._put_off(plan, visit, self._calendar.after(day, 1))
            return None
        self._busy[plan.worker.worker_id, day] += 1
        visit.made_at = made_at
        visit.is_seen = not chance.happens(self._scenario.value("not_seen_share", day))
        visit.ended_at = made_at + timedelta(minutes=30 + chance.randrange(30))
        visit.recorded_at = min(made_at + timedelta(hours=chance.randrange(2, 8)), datetime.combine(day, time(23, 30)))
        visit.worker_id, visit.worker_role = plan.worker.worker_id, plan.worker.role
        self._plan_visit(plan, self._seen_on(plan) or plan.started_on, day)
        return visit

    def _put_off(self, plan: Plan, visit: Visit, to: date) -> None:
        visit.planned_on = to
        self._ahead[to].append(plan)

    def _chance(self, *name: object) -> Chance:
        return stream(self._seed, *name)
