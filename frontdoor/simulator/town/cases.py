"""What follows a referral: assessments, enquiries, conferences, plans, reviews, removals. Each is on its day's agenda.

Every step draws from a stream of its own, named after the contact or the plan that it belongs to.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta

from frontdoor.simulator.town.calendar import Calendar, office_time
from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.day import Agenda, Day
from frontdoor.simulator.town.factors import NONE_FOUND, factors_found
from frontdoor.simulator.town.people import ASSESSMENT_TEAMS, Child, Worker
from frontdoor.simulator.town.plans import Plan
from frontdoor.simulator.town.scenario import Scenario
from frontdoor.simulator.town.telling import Contact, on_the_clock
from frontdoor.simulator.town.visiting import Visiting

# Days of assessments within 45 working days, and beyond (DfE c2 2019); most are authorised as the deadline comes near.
IN_TIME = {(0, 0): 0.5, (1, 10): 7.2, (11, 20): 19.6, (21, 30): 15.3, (31, 40): 24.0, (41, 45): 17.6}
TOO_LATE = {(46, 50): 5.0, (51, 60): 5.5, (61, 80): 5.2}
LOOKED_AFTER_DAYS = 900
FIRST_REVIEW_DAYS, REVIEW_DAYS, WEEK = 90, 182, 7
# How many children in need step up, against referrals, for each of `stepped_up_share`: fitted.
IN_NEED = 0.3
# Of a protection plan. Sexual abuse has the rest of the published shares.
CATEGORIES, SEXUAL_SHARE = ("neglect", "emotional", "physical"), 0.049
# Why a case is closed, as the census codes it.
NOT_IN_NEED, NO_LONGER = "RC8", "RC7"


class Cases:
    """The children with whom the council works."""

    def __init__(self, scenario: Scenario, calendar: Calendar, seed: int, agenda: Agenda, visiting: Visiting) -> None:
        """Begin without any case."""
        self._scenario, self._calendar, self._seed = scenario, calendar, seed
        self._agenda, self._visiting = agenda, visiting
        self._open: dict[str, int] = defaultdict(int)

    def is_open(self, child: Child) -> bool:
        """Whether the child is worked with."""
        return self._open[child.child_id] > 0

    def open(self, day: Day, contact: Contact, *, is_urgent: bool) -> None:
        """Begin an assessment of a child that was referred, and an enquiry where it needs one."""
        self._open[contact.child.child_id] += 1
        chance = self._chance("enquiry", contact.name)
        is_enquiry = chance.happens(self._enquiries_per_referral(day.on)) or is_urgent
        if is_enquiry:
            self._enquire(day, contact)
        self._assess(day, contact)

    def _enquiries_per_referral(self, day: date) -> float:
        """How many referrals lead straight to an enquiry; others come from children in need who step up."""
        value = self._scenario.value
        stepped_up = value("stepped_up_share", day) * IN_NEED
        return value("section_47_per_10000", day) / self._referrals_per_10000(day) - stepped_up

    def _referrals_per_10000(self, day: date) -> float:
        value = self._scenario.value
        notices = value("police_per_10000", day) * value("police_referred_share", day)
        return notices + value("partners_per_10000", day) * value("partners_referred_share", day)

    def _assess(self, day: Day, contact: Contact) -> None:
        value, chance = self._scenario.value, self._chance("assessment", contact.name)
        team = chance.choice(ASSESSMENT_TEAMS)
        in_time = chance.happens(value("assessed_in_time_share", day.on))
        low, high = chance.one_of(IN_TIME if in_time else TOO_LATE)
        days = chance.randrange(low, high + 1)
        worker = self._visiting.workforce.least_busy(team)
        worker.cases += 1
        row = self._agenda.row(day, "assessments", child_id=contact.child.council_id, referred_on=day.on, team=team)
        row |= {"working_days": days, "worker_id": worker.worker_id}
        number = row["assessment_no"]
        ends = self._calendar.after(day.on, days)
        self._agenda.put(ends, lambda ended: self._authorise(ended, contact, number, worker))

    def _authorise(self, day: Day, contact: Contact, number: int, worker: Worker) -> None:
        value, child = self._scenario.value, contact.child
        chance = self._chance("authorised", contact.name)
        has_gaps = chance.happens(value("authorised_with_gaps_share", day.on))
        authorised_at = office_time(chance, day.on)
        # Those who go to conference are never "not in need", so the share of all others is higher.
        others = 1 - self._enquiries_per_referral(day.on) * value("conference_share", day.on)
        not_in_need = chance.happens(min(value("not_in_need_share", day.on) / others, 1.0))
        plan = self._visiting.plan_of(child)
        is_protected = plan is not None and plan.kind != "cin"
        outcome = "protection" if is_protected else "not_in_need" if not_in_need else "child_in_need"
        kind = "not_in_need" if outcome == "not_in_need" else "in_need"
        has_factor = chance.happens(value(f"factors_{kind}_share", day.on))
        factors = self._chance("factors", contact.name)
        found = factors_found(self._scenario, factors, day.on) if has_factor else [NONE_FOUND]
        row = self._agenda.row(day, "assessments_authorised", assessment_no=number, child_id=child.council_id)
        row |= {"authorised_at": authorised_at, "outcome": outcome, "factors": " ".join(found), "has_gaps": has_gaps}
        row |= {"worker_id": worker.in_post().worker_id, "told_was_right": contact.is_right}
        worker.in_post().cases -= 1
        if is_protected or not_in_need or child.age_on(day.on) >= 17:
            self._done(day, child, NOT_IN_NEED if outcome == "not_in_need" else NO_LONGER)
        else:
            self._help(day, contact)

    def _help(self, day: Day, contact: Contact) -> None:
        """Begin a plan for a child in need, who may step up to an enquiry; a few come to be looked after."""
        value, chance = self._scenario.value, self._chance("helped", contact.name)
        if chance.happens(value("looked_after_begin_share", day.on)):
            days, later = chance.days(LOOKED_AFTER_DAYS), day.on + timedelta(days=chance.randrange(WEEK))
            self._agenda.put(later, lambda on: self._remove(on, contact, days))
            return
        days = chance.days(value("need_days", day.on))
        self._begin(day, contact.child, "cin", days)
        self._done(day, contact.child)
        if days > 14 and chance.happens(value("stepped_up_share", day.on)):
            later = day.on + timedelta(days=chance.randrange(7, min(days, 90)))
            self._agenda.put(later, lambda on: self._enquire(on, contact))

    def _remove(self, day: Day, contact: Contact, days: int) -> None:
        """Decide, at any hour, that a child is looked after by the council from now on."""
        child, chance = contact.child, self._chance("removed", contact.name)
        if self._visiting.plan_of(child) is None:
            at = on_the_clock(datetime.combine(day.on, time(chance.randrange(24), chance.randrange(60))))
            has_options = chance.happens(self._scenario.value("removals_with_options_share", day.on))
            row = self._agenda.row(day, "removals", child_id=child.council_id, decided_at=at)
            row["options_recorded"] = has_options
            self._begin(day, child, "cla", days)
        self._done(day, child)

    def _enquire(self, day: Day, contact: Contact) -> None:
        value, child = self._scenario.value, contact.child
        chance = self._chance("section 47", contact.name, day.on)
        hours = 1 + int(chance.random() * 2 * value("strategy_hours", day.on))
        row = self._agenda.row(day, "strategy_discussions", child_id=child.council_id, held_on=day.on, hours=hours)
        row["quorate"] = chance.happens(value("quorate_share", day.on))
        row = self._agenda.row(day, "section_47", child_id=child.council_id, started_on=day.on)
        row["is_to_conference"] = chance.happens(value("conference_share", day.on))
        if row["is_to_conference"]:
            in_time = chance.happens(value("conference_in_time_share", day.on))
            held = self._calendar.after(day.on, chance.randrange(8, 15) if in_time else chance.randrange(16, 30))
            self._agenda.put(held, lambda on: self._confer(on, contact, day.on))

    def _confer(self, day: Day, contact: Contact, enquiry_from: date) -> None:
        value, child = self._scenario.value, contact.child
        chance = self._chance("conference", contact.name, enquiry_from)
        is_plan = chance.happens(value("plan_after_conference_share", day.on)) and child.age_on(day.on) < 17
        row = self._agenda.row(day, "conferences", child_id=child.council_id, held_on=day.on, is_plan=is_plan)
        row |= {"working_days": self._calendar.between(enquiry_from, day.on), "category": ""}
        plan = self._visiting.plan_of(child)
        if not is_plan or (plan is not None and plan.kind != "cin"):
            return
        if plan is not None:
            self._end(day, plan)
        shares = {name: value(f"{name}_share", day.on) for name in CATEGORIES}
        row["category"] = chance.one_of({**shares, "sexual": SEXUAL_SHARE})
        self._begin(day, child, "cp", chance.days(value("plan_days", day.on)))

    def begin_with(self, day: Day, child: Child, kind: str, days: int, began: date) -> None:
        """Have a plan that began before the first day."""
        self._begin(day, child, kind, days, began)

    def _begin(self, day: Day, child: Child, kind: str, days: int, began: date | None = None) -> None:
        if self._visiting.plan_of(child) is not None:
            return
        plan = self._visiting.begin(child, kind, began or day.on, day.on)
        self._open[child.child_id] += 1
        row = self._agenda.row(day, "plans", child_id=child.council_id, plan=kind, started_on=plan.started_on)
        row |= {"team": plan.team, "worker_id": plan.worker.worker_id if plan.worker else ""}
        birthday = child.dob.replace(year=child.dob.year + 18, day=min(child.dob.day, 28))
        ends = min(day.on + timedelta(days=max(days, 1)), birthday - timedelta(days=1))
        self._agenda.put(max(ends, day.on + timedelta(days=1)), lambda on: self._end(on, plan))
        if kind == "cp":
            due = plan.started_on + timedelta(days=FIRST_REVIEW_DAYS)
            while due <= day.on + timedelta(days=WEEK):
                due += timedelta(days=REVIEW_DAYS)
            self._review(plan, due, day.on)

    def _review(self, plan: Plan, due: date, today: date) -> None:
        chance = self._chance("review", plan.name, due)
        in_time = chance.happens(self._scenario.value("reviews_in_time_share", today))
        held = self._calendar.before(due) if in_time else self._calendar.after(due, chance.randrange(3, 25))

        def hold(on: Day) -> None:
            if plan.ended_on is None:
                row = self._agenda.row(on, "reviews", child_id=plan.child.council_id, due_on=due, held_on=on.on)
                row["plan_no"] = plan.plan_no
                self._review(plan, on.on + timedelta(days=REVIEW_DAYS), on.on)

        self._agenda.put(held, hold)

    def _end(self, day: Day, plan: Plan) -> None:
        if plan.ended_on is None:
            self._visiting.end(plan, day.on)
            row = self._agenda.row(day, "plans_ended", plan_no=plan.plan_no, child_id=plan.child.council_id)
            row |= {"plan": plan.kind, "ended_on": day.on}
            self._done(day, plan.child)

    def _done(self, day: Day, child: Child, reason: str = NO_LONGER) -> None:
        """One thing less is done for a child; after the last one the case is closed."""
        if self._open[child.child_id] == 1:
            self._agenda.row(day, "cases_closed", child_id=child.council_id, reason=reason)
        self._open[child.child_id] = max(0, self._open[child.child_id] - 1)

    def _chance(self, *name: object) -> Chance:
        return stream(self._seed, *name)
