"""A row of a list for an inspection, and what every list needs: labels, who a child is, what was before a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from frontdoor.contract import House
from frontdoor.simulator.town.people import Child
from frontdoor.simulator.town.post import COUNCIL
from frontdoor.simulator.town.returns.casefile import CaseFile, Step
from frontdoor.simulator.town.returns.census import SOURCE_CODES

SOURCE = "annex_a"
MONTHS, YEAR = 6, timedelta(days=365)
Cells = dict[str, Any]


class Line(NamedTuple):
    """A row of a list: its cells by header, its key, what it tells of, what is wrong with it."""

    child: Child
    cells: Cells
    reference: str
    tells_of: str
    defects: tuple[tuple[str, str], ...] = ()


def began_before(on: date) -> date:
    """The first day of the six months before a day."""
    month = on.month - MONTHS
    year, month = (on.year, month) if month > 0 else (on.year - 1, month + 12)
    return date(year, month, min(on.day, 28))


class LookedUp:
    """What lists of a day are written of, and in which words. `children`: by the council's number."""

    def __init__(self, house: House, on: date, file: CaseFile, children: Mapping[str, Child]) -> None:
        """Look up the words. Raises ValueError where nothing is agreed."""
        self.on, self.since = on, began_before(on)
        self._file, self._children = file, children
        self._labels: dict[str, dict[str, str]] = {}
        for feed in house.layouts[SOURCE].feeds:
            agreed = house.agency_feed(COUNCIL, SOURCE, feed, on)
            if agreed is None:
                raise ValueError(f"{COUNCIL} has agreed no {SOURCE} on {on}")
            for name, codes in agreed.codes.items():
                self._labels[name] = {code: label for label, code in reversed([*codes.items()])}

    def steps(self, table: str, since: date | None = None) -> Iterator[tuple[Child, Step]]:
        """Yield the steps of the six months, or since a day, in their order."""
        found = self._file.steps(table, since or self.since, self.on)
        for child_id, step in sorted(found, key=lambda each: (each[1].on, each[1].number)):
            yield self._children[child_id], step

    def of(self, child: Child, table: str) -> list[Step]:
        """The steps of a child."""
        return [step for step in self._file.of_child(child.council_id, table) if step.on < self.on]

    def count(self, child: Child, table: str) -> int:
        """How many of these there were within twelve months."""
        return sum(step.on >= self.on - YEAR for step in self.of(child, table))

    def child(self, child: Child) -> Cells:
        """Who the child is."""
        return {
            "Child Unique ID": child.council_id,
            "Gender": self._labels["sex"][child.sex],
            "Ethnicity": self._labels["ethnicity"][child.ethnicity],
            "Date of Birth": child.dob,
            "Age": child.age_on(self.on),
        }

    def source(self, step: Step) -> str:
        """Who told of it."""
        return self._labels["source"][SOURCE_CODES[step.code]]

    def status(self, kind: str) -> str:
        """A kind of plan."""
        return self._labels["plan_type"][kind]

    def yes(self, *, is_so: bool) -> str:
        """Yes or no."""
        return self._labels["yes_no"]["yes" if is_so else "no"]
