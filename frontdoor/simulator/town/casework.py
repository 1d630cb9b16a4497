"""What the council decides of each contact, and what follows: assessments, enquiries, conferences, plans, reviews.

What happens on a later day is put on the agenda of that day. Every step is a row of the case system (`Day.rows`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from frontdoor.simulator.town.calendar import Calendar, office_time
from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.factors import NONE_FOUND, factors_found
from frontdoor.simulator.town.people import ASSESSMENT_TEAMS, Child, Worker
from frontdoor.simulator.town.plans import Plan
from frontdoor.simulator.town.post import Post
from frontdoor.simulator.town.scenario import Scenario
from frontdoor.simulator.town.telling import Contact, Telling
from frontdoor.simulator.town.visiting import Visiting

# Days of assessments within 45 working days, and beyond (DfE c2 2019); most are authorised as the deadline comes near.
IN_TIME = {(0, 0): 0.5, (1, 10): 7.2, (11, 20): 19.6, (21, 30): 15.3, (31, 40): 24.0, (41, 45): 17.6}
TOO_LATE = {(46, 50): 5.0, (51, 60): 5.5, (61, 80): 5.2}
CLOSED = {"no_further_action": 0.45, "information_advice": 0.3, "early_help": 0.25}
LOOKED_AFTER_DAYS = 900
# How many children in need step up, against referrals, for each of `stepped_up_share`: fitted.
IN_NEED = 0.3
CATEGORIES = ("neglect", "emotional", "physical")
Row = dict[str, Any]


@dataclass
class Day:
    """What happened on a day: contacts by their events, and the rows that the case system gained, by table."""

    on: date
    contacts: list[Contact] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


class Casework:
    """The council's work on the contacts of a town."""

    def __init__(
        self, scenario: Scenario, calendar: Calendar, seed: int, visiting: Visiting, telling: Telling, post: Post
    ) -> None:
        """Begin without any case."""
        self._scenario, self._calendar, self._seed = scenario, calendar, seed
        self._visiting, self._telling, self._post = visiting, telling, post
        self._agenda: dict[date, list[Callable[[Day], None]]] = defaultdict(list)
        self._open: dict[str, int] = defaultdict(int)
        self._referred: dict[str, tuple[date, Child]] = {}
        self._numbers: dict[str, int] = defaultdict(int)

    def came_before(self, day: date) -> list[Child]:
        """Children who were referred within the year before a day and are not worked with."""
        since = day - timedelta(days=364)
        return [
            child
            for child_id, (on, child) in self._referred.items()
            if on >= since and not self._open[child_id] and child.age_on(day) < 17
        ]

    def remember(self, child: Child, on: date) -> None:
        """Note a referral of before the first day."""
        self._referred[child.child_id] = (on, child)

    def receive(self, day: Day, contact: Contact) -> None:
        """Put the decision of a contact on the agenda of a day on which it has landed; none for what never came."""
        chance = self._chance("contact", contact.contact_no)
        received_on = self._post.lands_on(contact)
        value, wait = self._scenario.value, 0
        if received_on is None or chance.happens(value("undecided_share", day.on)):
            return
        if chance.happens(value("decided_late_share", day.on)):
            wait = chance.randrange(2, 8)
        on = self._calendar.after(received_on, wait)
        self._agenda[on].append(lambda decided: self._decide(decided, contact, received_on, chance))

    def agenda_days(self) -> list[date]:
        """The days on which something is still to be done."""
        return sorted(day for day, steps in self._agenda.items() if steps)

    def work(self, day: Day) -> None:
        """Do what is on the agenda of a day."""
        # What is done may put more on the agenda of the same day: an assessment that takes none.
        while steps := self._agenda.pop(day.on, None):
            for step in steps:
                step(day)

    def _decide(self, day: Day, contact: Contact, received_on: date, chance: Chance) -> None:
        value, child = self._scenario.value, contact.child
        at = office_time(chance, day.on)
        referred = value(f"{'police' if contact.source == 'police' else 'partners'}_referred_share", day.on)
        is_wrong = False
        if self._open[child.child_id]:
            outcome = "link_to_open_case"
        elif contact.is_late_recognition:
            outcome = "strategy_discussion"
        elif contact.agreement != "given" and chance.happens(value("consent_policy_share", day.on)):
            outcome = chance.choice(("held_for_agreement", "no_further_action"))
        elif chance.happens(referred):
            is_wrong = chance.happens(value("wrong_closure_share", day.on))
            outcome = "no_further_action" if is_wrong else "assessment"
        else:
            outcome = chance.one_of(CLOSED)
        row = self._row(
            day, "contacts", contact_no=contact.contact_no, child_id=child.council_id, source=contact.source
        )
        row |= {"received_on": received_on, "decided_at": at, "outcome": outcome}
        row |= {"agreement": contact.agreement, "harm": contact.harm, "is_wrongly_closed": is_wrong}
        row["checks_late"] = chance.happens(value("checks_late_share", day.on))
        if outcome in ("assessment", "strategy_discussion"):
            self._refer(day, contact, chance, is_urgent=outcome == "strategy_discussion")
        elif outcome != "link_to_open_case":
            self._close(day, contact, chance)

    def _close(self, day: Day, contact: Contact, chance: Chance) -> None:
        value = self._scenario.value
        if chance.happens(value("second_screening_share", day.on)):
            agrees = chance.happens(value("second_agreement_share", day.on))
            self._row(day, "second_screenings", contact_no=contact.contact_no, agrees=agrees)
        if chance.happens(value("late_recognition_share", day.on)) and contact.child.age_on(day.on) < 17:
            self._agenda[day.on + timedelta(days=chance.randrange(7, 90))].append(
                lambda later: self._recognise_late(later, contact.child, chance)
            )

    def _recognise_late(self, day: Day, child: Child, chance: Chance) -> None:
        if not self._open[child.child_id]:
            contact = self._telling.urgent(chance, day.on, child)
            day.contacts.append(contact)
            self.receive(day, contact)

    def _refer(self, day: Day, contact: Contact, chance: Chance, *, is_urgent: bool) -> None:
        value, child = self._scenario.value, contact.child
        before = self._referred.get(child.child_id)
        is_again = before is not None and (day.on - before[0]).days <= 365
        self._referred[child.child_id] = (day.on, child)
        is_nfa = not is_urgent and chance.happens(value("referral_nfa_share", day.on))
        row = self._row(day, "referrals", contact_no=contact.contact_no, child_id=child.council_id)
        row |= {"source": contact.source, "referred_on": day.on, "is_re_referral": is_again, "is_nfa": is_nfa}
        if is_nfa:
            return
        self._open[child.child_id] += 1
        is_enquiry = is_urgent or chance.happens(self._enquiries_per_referral(day.on))
        if is_enquiry:
            self._enquire(day, contact, chance)
        self._assess(day, contact, chance, is_enquiry=is_enquiry)

    def _enquiries_per_referral(self, day: date) -> float:
        """How many referrals lead straight to an enquiry; others come from children in need who step up."""
        value = self._scenario.value
        return (
            value("section_47_per_10000", day) / self._referrals_per_10000(day)
            - value("stepped_up_share", day) * IN_NEED
        )

    def _referrals_per_10000(self, day: date) -> float:
        value = self._scenario.value
        notices = value("police_per_10000", day) * value("police_referred_share", day)
        return notices + value("partners_per_10000", day) * value("partners_referred_share", day)

    def _assess(self, day: Day, contact: Contact, chance: Chance, *, is_enquiry: bool) -> None:
        value = self._scenario.value
        in_time = chance.happens(value("assessed_in_time_share", day.on))
        low, high = chance.one_of(IN_TIME if in_time else TOO_LATE)
        days = chance.randrange(low, high + 1)
        row = self._row(day, "assessments", child_id=contact.child.council_id, referred_on=day.on)
        row |= {"team": chance.choice(ASSESSMENT_TEAMS), "working_days": days}
        worker = self._visiting.workforce.least_busy(row["team"])
        worker.cases += 1
        row["worker_id"] = worker.worker_id
        ends = self._calendar.after(day.on, days)
        # Those who go to conference are never "not in need", so the share of all others is higher.
        others = 1 - self._enquiries_per_referral(day.on) * value("conference_share", day.on)
        not_in_need = chance.happens(min(value("not_in_need_share", day.on) / others, 1.0))
        self._agenda[ends].append(
            lambda ended: self._authorise(ended, contact, chance, row["assessment_no"], worker, not_in_need=not_in_need)
        )

    def _authorise(
        self, day: Day, contact: Contact, chance: Chance, number: int, worker: Worker, *, not_in_need: bool
    ) -> None:
        value, child = self._scenario.value, contact.child
        gaps = chance.happens(value("authorised_with_gaps_share", day.on))
        plan = self._visiting.plan_of(child)
        is_protected = plan is not None and plan.kind != "cin"
        row = self._row(day, "assessments_authorised", assessment_no=number, child_id=child.council_id)
        row["authorised_at"] = office_time(chance, day.on)
        row["outcome"] = "protection" if is_protected else "not_in_need" if not_in_need else "child_in_need"
        kind = "not_in_need" if row["outcome"] == "not_in_need" else "in_need"
        has_factor = chance.happens(value(f"factors_{kind}_share", day.on))
        found = factors_found(self._scenario, self._chance("factors", number), day.on) if has_factor else [NONE_FOUND]
        row |= {"factors": " ".join(found), "has_gaps": gaps, "worker_id": worker.in_post().worker_id}
        worker.in_post().cases -= 1
        row["told_was_right"] = contact.is_right
        if is_protected or not_in_need or child.age_on(day.on) >= 17:
            self._done(child)
        else:
            is_looked_after = chance.happens(value("looked_after_begin_share", day.on))
            days = chance.days(LOOKED_AFTER_DAYS if is_looked_after else value("need_days", day.on))
            self._begin(day, child, "cla" if is_looked_after else "cin", chance, days)
            self._done(child)
            if not is_looked_after and days > 14 and chance.happens(value("stepped_up_share", day.on)):
                later = day.on + timedelta(days=chance.randrange(7, min(days, 90)))
                self._agenda[later].append(lambda on: self._enquire(on, contact, chance))

    def _enquire(self, day: Day, contact: Contact, chance: Chance) -> None:
        value, child = self._scenario.value, contact.child
        hours = 1 + int(chance.random() * 2 * value("strategy_hours", day.on))
        quorate = chance.happens(value("quorate_share", day.on))
        self._row(day, "strategy_discussions", child_id=child.council_id, held_on=day.on, hours=hours, quorate=quorate)
        row = self._row(day, "section_47", child_id=child.council_id, started_on=day.on)
        row["is_to_conference"] = chance.happens(value("conference_share", day.on))
        if row["is_to_conference"]:
            in_time = chance.happens(value("conference_in_time_share", day.on))
            held = self._calendar.after(day.on, chance.randrange(8, 15) if in_time else chance.randrange(16, 30))
            self._agenda[held].append(lambda on: self._confer(on, contact, chance, day.on))

    def _confer(self, day: Day, contact: Contact, chance: Chance, enquiry_from: date) -> None:
        value, child = self._scenario.value, contact.child
        is_plan = chance.happens(value("plan_after_conference_share", day.on)) and child.age_on(day.on) < 17
        row = self._row(day, "conferences", child_id=child.council_id, held_on=day.on, is_plan=is_plan)
        row |= {"working_days": self._calendar.between(enquiry_from, day.on), "category": ""}
        plan = self._visiting.plan_of(child)
        if not is_plan or (plan is not None and plan.kind != "cin"):
            return
        if plan is not None:
            self._end(day, plan)
        category = chance.one_of(
            {name: value(f"{name}_share", day.on) for name in ("neglect", "emotional", "physical")} | {"sexual": 0.049}
        )
        row["category"] = category
        self._begin(day, child, "cp", chance, chance.days(value("plan_days", day.on)))

    def begin_with(self, day: Day, child: Child, kind: str, days: int, began: date) -> None:
        """Have a plan that began before the first day."""
        self._begin(day, child, kind, self._chance("stock", child.child_id), days, began)

    def _begin(self, day: Day, child: Child, kind: str, chance: Chance, days: int, began: date | None = None) -> None:
        if self._visiting.plan_of(child) is not None:
            return
        plan = self._visiting.begin(child, kind, began or day.on, day.on)
        self._open[child.child_id] += 1
        row = self._row(day, "plans", child_id=child.council_id, plan=kind, started_on=plan.started_on, team=plan.team)
        row["worker_id"] = plan.worker.worker_id if plan.worker else ""
        birthday = child.dob.replace(year=child.dob.year + 18, day=min(child.dob.day, 28))
        ends = min(day.on + timedelta(days=max(days, 1)), birthday - timedelta(days=1))
        self._agenda[max(ends, day.on + timedelta(days=1))].append(lambda on: self._end(on, plan))
        if kind == "cp":
            self._review(day, plan, chance, 90)

    def _review(self, day: Day, plan: Plan, chance: Chance, days: int) -> None:
        in_time = chance.happens(self._scenario.value("reviews_in_time_share", day.on))
        due = day.on + timedelta(days=days)
        held = self._calendar.before(due) if in_time else self._calendar.after(due, chance.randrange(3, 25))

        def hold(on: Day) -> None:
            if plan.ended_on is None:
                self._row(on, "reviews", child_id=plan.child.council_id, due_on=due, held_on=on.on)
                self._review(on, plan, chance, 182)

        self._agenda[held].append(hold)

    def _end(self, day: Day, plan: Plan) -> None:
        if plan.ended_on is None:
            self._visiting.end(plan, day.on)
            self._row(day, "plans_ended", child_id=plan.child.council_id, plan=plan.kind, ended_on=day.on)
            self._done(plan.child)

    def _done(self, child: Child) -> None:
        self._open[child.child_id] = max(0, self._open[child.child_id] - 1)

    def _row(self, day: Day, table: str, **cells: Any) -> Row:
        self._numbers[table] += 1
        row: Row = {f"{table.removesuffix('s')}_no": self._numbers[table], "on": day.on, **cells}
        day.rows[table].append(row)
        return row

    def _chance(self, *name: object) -> Chance:
        return stream(self._seed, *name)
