"""What the case system can look up of each child when a return is due: its steps, and the episodes that they make.

An episode of need begins with a referral, or with the plan of a child that was known before the town's first day, whose
referral nobody has. A referral on which nothing further was done is an episode of its own that ends at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from frontdoor.simulator.town.day import NUMBERED, Day, Row

# By table of the case system, in the order of what can happen to one child on one day: the column of its date, of its
# code, and of whether it is so.
TABLES: Mapping[str, tuple[str, str, str]] = {
    "contacts": ("received_on", "source", ""),
    "referrals": ("referred_on", "source", "is_nfa"),
    "assessments": ("referred_on", "", ""),
    "assessments_authorised": ("authorised_at", "factors", ""),
    "section_47": ("started_on", "", "is_to_conference"),
    "conferences": ("held_on", "category", "is_plan"),
    "reviews": ("held_on", "", ""),
    "cases_closed": ("on", "reason", ""),
    "plans_ended": ("ended_on", "plan", ""),
    "plans": ("started_on", "plan", ""),
}
NUMBER_OF = {**NUMBERED, "contacts": "contact_no", "assessments_authorised": "assessment_no", "plans_ended": "plan_no"}


class Step(NamedTuple):
    """A row of the case system: its table, its day, its number (of what it is about), code, and whether it is so."""

    table: str
    on: date
    number: int
    code: str
    is_so: bool

    @property
    def name(self) -> str:
        """What it is in the truth: table and number."""
        return f"{self.table} {self.number}"


@dataclass(slots=True)
class Episode:
    """A child in need from a day on. `steps`: that it began with, and those that followed."""

    child_id: str
    began_on: date
    steps: list[Step]
    harm: str = ""
    closed_on: date | None = None
    reason: str = ""

    @property
    def first(self) -> Step:
        """The referral, or the plan, with which it began."""
        return self.steps[0]

    @property
    def is_nfa(self) -> bool:
        """Whether nothing further was done."""
        return self.first.table == "referrals" and self.first.is_so

    def of(self, table: str) -> list[Step]:
        """Its steps of a table."""
        return [step for step in self.steps if step.table == table]

    def is_open_since(self, day: date) -> bool:
        """Whether the child was in need on a day, or at any time after it."""
        return self.closed_on is None or self.closed_on >= day


class CaseFile:
    """All steps by child, as the days bring them. Contacts are kept only where somebody will ask for them."""

    def __init__(self, first_day: date, *, with_contacts: bool) -> None:
        """Know nobody yet."""
        self._first_day = first_day
        self._tables = [table for table in TABLES if with_contacts or table != "contacts"]
        self._steps: dict[str, list[Step]] = {}
        self._harm: dict[int, str] = {}

    def note(self, day: Day) -> None:
        """Take in what the case system gained on a day."""
        harm = {row["contact_no"]: row["harm"] for row in day.rows.get("contacts", ())}
        rows = [(table, row) for table in self._tables for row in day.rows.get(table, ())]
        # The first day also brings what began before it.
        for table, row in sorted(rows, key=lambda each: each[1]["on"] >= self._first_day):
            self._steps.setdefault(row["child_id"], []).append(_step(table, row))
        for row in day.rows.get("referrals", ()):
            self._harm[row["referral_no"]] = harm[row["contact_no"]]

    def steps(self, table: str, since: date, before: date) -> Iterator[tuple[str, Step]]:
        """Yield the steps of a table from a day to the day before another, each with the child's number."""
        for child_id, steps in self._steps.items():
            yield from ((child_id, step) for step in steps if step.table == table and since <= step.on < before)

    def of_child(self, child_id: str, table: str) -> list[Step]:
        """The steps of a child of one table."""
        return [step for step in self._steps.get(child_id, ()) if step.table == table]

    def episodes(self, until: date) -> Iterator[Episode]:
        """Yield every child's episodes of need as they were at the end of a day, one child after another."""
        for child_id, steps in sorted(self._steps.items()):
            yield from self._episodes_of(child_id, [step for step in steps if step.on <= until])

    def _episodes_of(self, child_id: str, steps: list[Step]) -> list[Episode]:
        found: list[Episode] = []
        current: Episode | None = None
        for step in steps:
            is_from_before = step.table == "plans" and step.on < self._first_day and current is None
            if step.table == "referrals" or is_from_before:
                harm = "" if is_from_before else self._harm[step.number]
                harm = "" if is_from_before else self._harm[step.number]
                begun = Episode(child_id, step.on, [step], harm)
                found.append(begun)
                if begun.is_nfa:
                    begun.closed_on = step.on
                    continue
                if current is not None and current.closed_on is None:
                    # Only whose case is closed is referred again: what is closed on this day was the one before.
                    current.closed_on, current.reason = step.on, ""
                current = begun
            elif step.table != "contacts" and current is not None:
                current.steps.append(step)
                if step.table == "cases_closed":
                    self._close(found, current, step)
                elif step.table == "plans":
                    # A plan that begins on the day, or after it, has the case open again.
                    current.closed_on, current.reason = None, ""
        return found

    def _close(self, found: list[Episode], current: Episode, step: Step) -> None:
        before = (each for each in found if each.closed_on == step.on and not each.reason and not each.is_nfa)
        closed = next(before, current)
        closed.closed_on, closed.reason = step.on, step.code


def _step(table: str, row: Row) -> Step:
    on, code, is_so = TABLES[table]
    day = row[on].date() if isinstance(row[on], datetime) else row[on]
    number = row[NUMBER_OF[table]] if table in NUMBER_OF else 0
    return Step(table, day, number, row[code] if code else "", bool(row[is_so]) if is_so else False)
