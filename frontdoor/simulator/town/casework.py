"""What the council decides of each contact: refer, close, link, hold; and which closed ones come back as urgent.

What follows a referral is in `cases.py`. What happens on a later day is put on the agenda of that day. Every decision
draws from a stream of its own, named after the contact: one that turns out otherwise moves no other.
"""

from __future__ import annotations

from datetime import date, timedelta

from frontdoor.simulator.town.calendar import Calendar, office_time
from frontdoor.simulator.town.cases import Cases
from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.day import Agenda, Day
from frontdoor.simulator.town.people import Child
from frontdoor.simulator.town.post import Post
from frontdoor.simulator.town.scenario import Scenario
from frontdoor.simulator.town.telling import Contact, Telling

CLOSED = {"no_further_action": 0.45, "information_advice": 0.3, "early_help": 0.25}
REFERRED = {"assessment", "strategy_discussion"}


class Casework:
    """The front door's work on the contacts of a town."""

    def __init__(
        self,
        scenario: Scenario,
        calendar: Calendar,
        seed: int,
        agenda: Agenda,
        cases: Cases,
        telling: Telling,
        post: Post,
    ) -> None:
        """Begin without any contact."""
        self._scenario, self._calendar, self._seed = scenario, calendar, seed
        self._agenda, self._cases, self._telling, self._post = agenda, cases, telling, post
        self._referred: dict[str, tuple[date, Child]] = {}

    def came_before(self, day: date) -> list[Child]:
        """Children who were referred within the year before a day and are not worked with."""
        since = day - timedelta(days=364)
        return [
            child
            for on, child in self._referred.values()
            if on >= since and not self._cases.is_open(child) and child.age_on(day) < 17
        ]

    def remember(self, child: Child, on: date) -> None:
        """Note a referral of before the first day."""
        self._referred[child.child_id] = (on, child)

    def receive(self, day: Day, contact: Contact) -> None:
        """Put the decision of a contact on the agenda of a day on which it has landed; none for what never came."""
        value, chance = self._scenario.value, self._chance("received", contact)
        received_on, wait = self._post.lands_on(contact), 0
        if received_on is None or chance.happens(value("undecided_share", day.on)):
            return
        if chance.happens(value("decided_late_share", day.on)):
            wait = chance.randrange(2, 8)
        on = self._calendar.after(received_on, wait)
        self._agenda.put(on, lambda decided: self._decide(decided, contact, received_on))

    def _decide(self, day: Day, contact: Contact, received_on: date) -> None:
        value, chance, child = self._scenario.value, self._chance("decided", contact), contact.child
        row = self._agenda.row(day, "contacts", contact_no=contact.contact_no, child_id=child.council_id)
        row |= {"source": contact.source, "received_on": received_on, "decided_at": office_time(chance, day.on)}
        checks_late = chance.happens(value("checks_late_share", day.on))
        outcome, is_wrong = self._outcome(day.on, contact, chance)
        row |= {"outcome": outcome, "agreement": contact.agreement, "harm": contact.harm}
        row |= {"is_wrongly_closed": is_wrong, "checks_late": checks_late}
        if outcome in REFERRED:
            self._refer(day, contact, is_urgent=outcome == "strategy_discussion")
        elif outcome != "link_to_open_case":
            self._close(day, contact)

    def _outcome(self, day: date, contact: Contact, chance: Chance) -> tuple[str, bool]:
        """What is decided, and whether it closes what should be referred."""
        value = self._scenario.value
        if self._cases.is_open(contact.child):
            return "link_to_open_case", False
        if contact.is_late_recognition:
            return "strategy_discussion", False
        is_policy = contact.agreement != "given" and self._chance("policy", contact).happens(
            value("consent_policy_share", day)
        )
        if is_policy:
            return chance.choice(("held_for_agreement", "no_further_action")), False
        if chance.happens(value(f"{'police' if contact.source == 'police' else 'partners'}_referred_share", day)):
            is_wrong = chance.happens(value("wrong_closure_share", day))
            return "no_further_action" if is_wrong else "assessment", is_wrong
        return chance.one_of(CLOSED), False

    def _close(self, day: Day, contact: Contact) -> None:
        value, chance = self._scenario.value, self._chance("closed", contact)
        comes_back, after = chance.happens(value("late_recognition_share", day.on)), chance.randrange(7, 90)
        if chance.happens(value("second_screening_share", day.on)):
            agrees = chance.happens(value("second_agreement_share", day.on))
            self._agenda.row(day, "second_screenings", contact_no=contact.contact_no, agrees=agrees)
        if comes_back and contact.child.age_on(day.on) < 17:
            back_on = day.on + timedelta(days=after)
            self._agenda.put(back_on, lambda later: self._recognise_late(later, contact.child))

    def _recognise_late(self, day: Day, child: Child) -> None:
        if not self._cases.is_open(child):
            contact = self._telling.urgent(day.on, child)
            day.contacts.append(contact)
            self.receive(day, contact)

    def _refer(self, day: Day, contact: Contact, *, is_urgent: bool) -> None:
        value, chance, child = self._scenario.value, self._chance("referred", contact), contact.child
        before = self._referred.get(child.child_id)
        is_again = before is not None and (day.on - before[0]).days <= 365
        self._referred[child.child_id] = (day.on, child)
        is_nfa = not is_urgent and chance.happens(value("referral_nfa_share", day.on))
        row = self._agenda.row(day, "referrals", contact_no=contact.contact_no, child_id=child.council_id)
        row |= {"source": contact.source, "referred_on": day.on, "is_re_referral": is_again, "is_nfa": is_nfa}
        if not is_nfa:
            self._cases.open(day, contact, is_urgent=is_urgent)

    def _chance(self, what: str, contact: Contact) -> Chance:
        return stream(self._seed, what, contact.name)
