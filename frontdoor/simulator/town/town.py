"""A town, day by day: its people, what happens to the children, what the council does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from frontdoor.simulator.town import people
from frontdoor.simulator.town.calendar import Calendar
from frontdoor.simulator.town.cases import LOOKED_AFTER_DAYS, Cases
from frontdoor.simulator.town.casework import Casework
from frontdoor.simulator.town.chance import stream
from frontdoor.simulator.town.day import Agenda, Day, Row
from frontdoor.simulator.town.people import Child
from frontdoor.simulator.town.plans import Plan, Visit
from frontdoor.simulator.town.post import Post
from frontdoor.simulator.town.quality import Quality
from frontdoor.simulator.town.scenario import BadTown, Scenario
from frontdoor.simulator.town.spoiling import Spoiling
from frontdoor.simulator.town.telling import Telling
from frontdoor.simulator.town.visiting import Visiting

# Before the first day: so many children are on each kind of plan, by the flows of the parameters.
STOCK_BEGAN_DAYS = 400
# No bank holiday is known by then.
LAST_DAY = date(2100, 1, 1)


def check(date_from: date, date_to: date, children: int) -> None:
    """Raise BadTown where the days or the children make no town."""
    if children < 1:
        raise BadTown("a town needs at least one child")
    if date_to < date_from:
        raise BadTown(f"the last day, {date_to}, is before the first, {date_from}")
    if date_to > LAST_DAY:
        raise BadTown(f"a town ends by {LAST_DAY}: later holidays are not known")


class Town:
    """A town of so many children, lived from one day to another (inclusive). The same arguments give the same life."""

    def __init__(
        self,
        scenario: Scenario,
        date_from: date,
        date_to: date,
        children: int,
        seed: int,
        spoiling: Spoiling | None = None,
    ) -> None:
        """People the town, and give it a past. `spoiling`: what goes wrong with its post.

        Raises BadTown where the days or the children make no town.
        """
        check(date_from, date_to, children)
        self.scenario, self.seed = scenario, seed
        self.date_from, self.date_to = date_from, date_to
        self.calendar = Calendar(date_from, date_to)
        self.homes = list(people.households(seed, children, date_from))
        self.visiting = Visiting(scenario, self.calendar, seed, children, date_from)
        self.telling = Telling(scenario, self.calendar, seed, self.homes)
        self.post = Post(self.calendar, spoiling)
        self.agenda = Agenda()
        self._cases = Cases(scenario, self.calendar, seed, self.agenda, self.visiting)
        self.casework = Casework(scenario, self.calendar, seed, self.agenda, self._cases, self.telling, self.post)
        self._quality = Quality(scenario, seed, children, self.visiting)
        self._children = children
        self._past = Day(date_from - timedelta(days=1))
        self._have_a_past()

    def days(self) -> Iterator[Day]:
        """Live each day and yield what happened on it; the first one also holds what began before."""
        for number in range((self.date_to - self.date_from).days + 1):
            on = self.date_from + timedelta(days=number)
            day = Day(on)
            if not number:
                day.rows.update(self._past.rows)
            for contact in self.telling.of_day(on, self.casework.came_before(on)):
                day.contacts.append(contact)
                self.casework.receive(day, contact)
            self.agenda.work(day)
            day.rows["visits"] += [_visit(*made) for made in self.visiting.of_day(on)]
            self._tell_moves(day)
            if on.day == 1:
                self._quality.look(day)
            yield day

    def children(self) -> Iterator[Child]:
        """Every child."""
        for home in self.homes:
            yield from home.children

    def _have_a_past(self) -> None:
        """Give the town the plans that run, and the referrals of the last year."""
        value, on = self.scenario.value, self.date_from
        chance = stream(self.seed, "past")
        referrals = (
            (
                value("police_per_10000", on) * value("police_referred_share", on)
                + value("partners_per_10000", on) * value("partners_referred_share", on)
            )
            * self._children
            / 10_000
        )
        conferences = self._children / 10_000 * value("section_47_per_10000", on) * value("conference_share", on)
        in_need = referrals * (1 - value("not_in_need_share", on)) - conferences
        stock = {
            "cp": conferences * value("plan_after_conference_share", on) * value("plan_days", on) / 365,
            "cin": max(in_need, 0) * value("need_days", on) / 365,
            "cla": value("looked_after_per_10000", on) * self._children / 10_000,
        }
        ahead = {"cp": value("plan_days", on), "cin": value("need_days", on), "cla": LOOKED_AFTER_DAYS}
        known = [child for child in self.children() if child.dob < on and child.age_on(on) < 16]
        for kind, count in stock.items():
            for _ in range(round(count)):
                child = chance.choice(known) if known else None
                if child is not None and self.visiting.plan_of(child) is None:
                    began = max(on - timedelta(days=chance.randrange(1, STOCK_BEGAN_DAYS)), child.dob)
                    self._cases.begin_with(self._past, child, kind, chance.days(ahead[kind]), began)
        self._past.rows["visits"] += [_visit(plan, visit) for plan, visit in self.visiting.made()]
        self._tell_moves(self._past)
        for _ in range(round(referrals) if known else 0):
            self.casework.remember(chance.choice(known), on - timedelta(days=chance.randrange(1, 365)))

    def _tell_moves(self, day: Day) -> None:
        """Write which children got, changed or lost their worker."""
        for on, plan, why, before, after in self.visiting.allocation.moves():
            row: Row = {"on": on, "plan_no": plan.plan_no, "child_id": plan.child.council_id, "team": plan.team}
            row |= {"why": why, "worker_id_before": before.worker_id if before else ""}
            day.rows["allocations"].append(row | {"worker_id": after.worker_id if after else ""})


def _visit(plan: Plan, visit: Visit) -> Row:
    assert visit.made_at is not None
    row: Row = {"visit_no": visit.visit_no, "on": visit.made_at.date(), "child_id": plan.child.council_id}
    row |= {"plan": plan.kind, "worker_id": visit.worker_id, "made_at": visit.made_at, "ended_at": visit.ended_at}
    return row | {"recorded_at": visit.recorded_at, "is_seen": visit.is_seen}
