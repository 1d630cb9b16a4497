"""What happens to children in the town, and who tells the front door of it, when and how well."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate

from frontdoor.simulator.town.calendar import Calendar, month_index, office_time
from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.people import Child, Household
from frontdoor.simulator.town.scenario import Scenario

POLICE_HARM = {"domestic_abuse": 0.62, "neglect": 0.2, "criminal_exploitation": 0.1, "physical_abuse": 0.08}
PARTNERS_HARM = {"neglect": 0.45, "emotional_abuse": 0.25, "domestic_abuse": 0.2, "physical_abuse": 0.1}
RED_FACTS = ("weapon", "strangulation", "child_injury", "threat_to_kill")
# Who tells besides the police and has a feed; all others (families, the public, the council's own services) have none.
PARTNERS = {"health": "wearside_health", "school": "wearside_schools", "housing": "wearside_housing"}
# What a sender may leave out, by feed: the element, and the fields of the contract that carry it.
ELEMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "police": {
        "voice": ("voice_words", "demeanour"),
        "household": ("household_adults",),
        "history": ("incidents_12m", "history_searched"),
        "rationale": ("grade_rationale",),
        "grade": ("child_risk_grade",),
    },
    "referral": {
        "voice": ("child_voice",),
        "household": ("household_adults",),
        "other_children": ("other_children",),
        "history": ("previous_concerns",),
    },
}
# What a sender may say is not known, in either feed, with no rule that asks again.
NOT_KNOWN = {"needs": "disability_communication"}
SCHOOL_FROM, EXPLOITED_FROM = 4, 10
MOST_TRIES = 100
# Whoever is told of is a child still, and a baby still, when the file is read: after a late notice and a long weekend.
ON_ITS_WAY = timedelta(days=14)
CLOCKS_CHANGE_HOURS = (1, 2)


@dataclass(slots=True)
class Contact:
    """One child in one contact, as it was told. Times are those of the clock on the wall.

    `name`: of the streams of chance that it has; other than its number it is the same, whatever else happened before.
    """

    contact_no: int
    name: str
    child: Child
    source: str
    agency: str | None
    incident_no: int
    happened_at: datetime
    known_at: datetime
    sent_at: datetime
    harm: str
    grade: str
    red_fact: str | None
    left_out: tuple[str, ...]
    agreement: str
    is_right: bool
    is_late_recognition: bool = False
    # Elements of which the sender says that they are not known.
    not_known: tuple[str, ...] = ()

    @property
    def feed(self) -> str:
        """The feed that carries it, if its sender has one."""
        return "police" if self.source == "police" else "referral"

    @property
    def is_late(self) -> bool:
        """Whether the police took longer than agreed."""
        return self.source == "police" and self.sent_at - self.known_at > timedelta(hours=24)


class Telling:
    """The contacts of a town, day by day."""

    def __init__(self, scenario: Scenario, calendar: Calendar, seed: int, homes: Sequence[Household]) -> None:
        """Weigh the households by the trouble that they have."""
        self._scenario, self._calendar, self._seed, self._homes = scenario, calendar, seed, homes
        self._sums = list(accumulate(home.trouble for home in homes))
        self._children = sum(len(home.children) for home in homes)
        self._notified = sum(home.trouble * len(home.children) for home in homes) / self._sums[-1]
        self._incidents = self._contacts = 0

    def of_day(self, day: date, came_before: Sequence[Child]) -> Iterator[Contact]:
        """Yield what happened on a day. `came_before`: children referred within a year, some of whom come again."""
        chance, value = stream(self._seed, "telling", day), self._scenario.value
        of_year = month_index(day) / 365 * self._children / 10_000
        weekend = 1.15 if day.isoweekday() > 5 else 0.94
        for number in range(chance.count(value("police_per_10000", day) * of_year * weekend / self._notified)):
            yield from self._incident(day, f"{day}:police:{number}", came_before)
        if self._calendar.is_working(day):
            # All of a week's in its five days.
            for number in range(chance.count(value("partners_per_10000", day) * of_year * 365 / 253)):
                yield from self._contact(day, f"{day}:partners:{number}", came_before)

    def urgent(self, day: date, child: Child) -> Contact:
        """A child whose earlier contact was closed, in serious trouble now: the police tell of it."""
        self._incidents += 1
        name = f"{day}:urgent:{child.child_id}"
        happened = datetime.combine(day, time(12, stream(self._seed, "urgent", name).randrange(60)))
        return self._notice(name, child, happened, happened + timedelta(minutes=15), is_late_recognition=True)

    def _home(self, chance: Chance) -> Household:
        at = bisect_right(self._sums, chance.random() * self._sums[-1])
        return self._homes[min(at, len(self._homes) - 1)]

    def _again(self, chance: Chance, day: date, came_before: Sequence[Child]) -> Child | None:
        """A child who was referred within a year and of whom is told again."""
        is_again = chance.happens(self._scenario.value("back_within_year_share", day))
        return chance.choice(came_before) if is_again and came_before else None

    def _incident(self, day: date, name: str, came_before: Sequence[Child]) -> Iterator[Contact]:
        self._incidents += 1
        chance = stream(self._seed, "incident", name)
        happened = on_the_clock(datetime.combine(day, time(chance.randrange(24), chance.randrange(60))))
        known = on_the_clock(happened + timedelta(minutes=chance.randrange(5, 50)))
        again = self._again(chance, day, came_before)
        home = again.household if again else self._home(chance)
        for number, child in enumerate(home.children):
            if _is_child(child, day):
                yield self._notice(f"{name}:{number}", child, happened, known)

    def _notice(
        self, name: str, child: Child, happened: datetime, known: datetime, *, is_late_recognition: bool = False
    ) -> Contact:
        value, chance, day = self._scenario.value, stream(self._seed, "notice", name), happened.date()
        # Each is drawn, whatever the others are: a share that changes moves only what it is of.
        is_late, late = chance.happens(value("police_late_share", day)), 60 * (25 + chance.randrange(45))
        in_time = min(20 + int(chance.random() * 120 * value("police_delay_hours", day)), 23 * 60)
        is_red = chance.happens(value("red_facts_share", day)) or is_late_recognition
        red_fact = chance.choice(RED_FACTS)
        harm = chance.one_of(POLICE_HARM)
        if harm == "criminal_exploitation" and child.age_on(day) < EXPLOITED_FROM:
            harm = "neglect"
        return Contact(
            contact_no=self._next(),
            name=name,
            child=child,
            source="police",
            agency="wearside_partnership" if chance.happens(value("partnership_share", day)) else "wearside_police",
            incident_no=self._incidents,
            happened_at=happened,
            known_at=known,
            sent_at=on_the_clock(known + timedelta(minutes=late if is_late else in_time)),
            harm=harm,
            grade=self._grade(chance, day, has_fact=is_red or child.age_on(day) < 1),
            red_fact=red_fact if is_red else None,
            left_out=self._left_out(chance, "police", value("police_missing_share", day)),
            agreement="given" if chance.happens(0.4) else "not_sought",
            is_right=not chance.happens(value("told_wrong_share", day)),
            is_late_recognition=is_late_recognition,
            not_known=self._not_known(name, day),
        )

    def _grade(self, chance: Chance, day: date, *, has_fact: bool) -> str:
        is_odd = chance.happens(self._scenario.value("low_grade_share" if has_fact else "high_grade_share", day))
        fitting = chance.choice(("red", "red", "amber") if has_fact else ("amber", "green", "green"))
        return ("green" if has_fact else "red") if is_odd else fitting

    def _contact(self, day: date, name: str, came_before: Sequence[Child]) -> Iterator[Contact]:
        value, chance = self._scenario.value, stream(self._seed, "told", name)
        self._incidents += 1
        again = self._again(chance, day, came_before)
        shares = {name: value(f"{name}_share", day) for name in PARTNERS}
        source = chance.one_of({**shares, "other": max(0.0, 1 - sum(shares.values()))})
        child = self._child_from(day, name, SCHOOL_FROM if source == "school" else 0, again)
        if child is None:
            return
        happened = office_time(chance, day)
        refused = chance.happens(value("agreement_refused_share", day))
        yield Contact(
            contact_no=self._next(),
            name=name,
            child=child,
            source=source,
            agency=PARTNERS.get(source),
            incident_no=self._incidents,
            happened_at=happened,
            known_at=happened + timedelta(minutes=30),
            sent_at=happened + timedelta(minutes=chance.randrange(120, 420)),
            harm=chance.one_of(PARTNERS_HARM),
            grade="",
            red_fact=None,
            left_out=self._left_out(chance, "referral", value("partners_missing_share", day)),
            agreement="refused" if refused else "given",
            is_right=not chance.happens(value("told_wrong_share", day)),
            not_known=self._not_known(name, day),
        )

    def _child_from(self, day: date, name: str, youngest: int, again: Child | None) -> Child | None:
        """A child of at least that age; none where a small town has no such child."""
        if again and _is_child(again, day, youngest):
            return again
        chance = stream(self._seed, "child", name)
        for _ in range(MOST_TRIES):
            child = chance.choice(self._home(chance).children)
            if _is_child(child, day, youngest):
                return child
        return None

    def _left_out(self, chance: Chance, feed: str, share: float) -> tuple[str, ...]:
        return tuple(element for element in ELEMENTS[feed] if chance.happens(share))

    def _not_known(self, name: str, day: date) -> tuple[str, ...]:
        is_unknown = stream(self._seed, "not known", name).happens(self._scenario.value("needs_unknown_share", day))
        return tuple(NOT_KNOWN) if is_unknown else ()

    def _next(self) -> int:
        self._contacts += 1
        return self._contacts


def _is_child(child: Child, day: date, youngest: int = 0) -> bool:
    if child.dob >= day:
        return False
    age, when_read = child.age_on(day), child.age_on(day + ON_ITS_WAY)
    return youngest <= age and when_read < 18 and (age < 1) == (when_read < 1)


def on_the_clock(at: datetime) -> datetime:
    """A time that the clock shows once: not in the hours that are left out or come twice when the clock changes."""
    is_last_sunday = at.isoweekday() == 7 and at.month in (3, 10) and at.day > 24
    return at + timedelta(hours=2) if is_last_sunday and at.hour in CLOCKS_CHANGE_HOURS else at
