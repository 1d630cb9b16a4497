"""A day of a town: what happened on it, and what is to be done on a later one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from frontdoor.simulator.town.telling import Contact

Row = dict[str, Any]
# What the case system calls the rows of a table; rows of other tables bear the number of what they are about.
NUMBERED = {
    **{"referrals": "referral_no", "assessments": "assessment_no", "strategy_discussions": "strategy_discussion_no"},
    **{"section_47": "section_47_no", "conferences": "conference_no", "plans": "plan_no", "reviews": "review_no"},
    "removals": "removal_no",
}


@dataclass
class Day:
    """What happened on a day: contacts by their events, and the rows that the case system gained, by table."""

    on: date
    contacts: list[Contact] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


Step = Callable[[Day], None]


class Agenda:
    """What is to be done on which day, and the numbers under which the case system writes down what was done."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._steps: dict[date, list[Step]] = defaultdict(list)
        self._numbers: dict[str, int] = defaultdict(int)

    def put(self, on: date, step: Step) -> None:
        """Have something done on a day."""
        self._steps[on].append(step)

    def days(self) -> list[date]:
        """The days on which something is still to be done."""
        return sorted(day for day, steps in self._steps.items() if steps)

    def work(self, day: Day) -> None:
        """Do what is to be done on a day."""
        # What is done may put more on the agenda of the same day: an assessment that takes none.
        while steps := self._steps.pop(day.on, None):
            for step in steps:
                step(day)

    def row(self, day: Day, table: str, **cells: Any) -> Row:
        """Write a row of the case system, and return it for more cells."""
        row: Row = {"on": day.on, **cells}
        if table in NUMBERED:
            self._numbers[table] += 1
            row = {NUMBERED[table]: self._numbers[table], **row}
        day.rows[table].append(row)
        return row
