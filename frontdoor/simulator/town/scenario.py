"""What a town is like, and what changes in it on which day: numbers by name, from a file of dated changes.

`parameters.yaml` holds every number with its source. A scenario is a few dated changes, in the file of its name:

    title: Police tell less of what must be known
    finding: Q06
    changes:
      - {since: 2019-01-07, parameter: police_missing_share, to: 0.35}
      - {since: 2019-01-07, until: 2019-05-20, parameter: police_late_share, to: 0.4, over_days: 28}

Where several changes hang on one day, it is an anchor (`anchors: {visit: 2019-01-14}`), and they say `since: visit`,
perhaps with `after_days`. An anchor may ask for the lists of an inspection: `lists: {visit: [2, 7]}` are the working
days after it on which the council hands them over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any

import yaml

FOLDER = resources.files("frontdoor.simulator") / "scenarios"
BASE = "parameters"


class UnknownScenario(LookupError):
    """There is no scenario of that name."""


class BadScenario(ValueError):
    """A scenario says something that cannot be."""


class BadTown(ValueError):
    """No such town can be: its days, how many live there, its defects, or where it is to be written."""


@dataclass(frozen=True)
class Change:
    """From a day (to a last day, where it ends) a parameter goes to a value, at once or in a line over days."""

    since: date
    parameter: str
    to: float
    until: date | None = None
    over_days: int = 0


@dataclass(frozen=True)
class Scenario:
    """The numbers of a town by day."""

    name: str
    title: str
    finding: str | None
    base: Mapping[str, float]
    changes: tuple[Change, ...]
    anchors: Mapping[str, date] = field(default_factory=dict)
    lists: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def value(self, parameter: str, day: date) -> float:
        """The number on a day: the base's, moved by each change in the order of the file."""
        number = self.base[parameter]
        for change in self.changes:
            if change.parameter != parameter or day < change.since or (change.until is not None and day > change.until):
                continue
            share = min(((day - change.since).days + 1) / change.over_days, 1.0) if change.over_days else 1.0
            number += (change.to - number) * share
        return number

    @property
    def began_on(self) -> date | None:
        """The day of the first change; none where nothing changes."""
        return min((change.since for change in self.changes), default=None)


def names() -> list[str]:
    """Every scenario."""
    files = (path.name for path in FOLDER.iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml") and not name.startswith(BASE))


@cache
def load(name: str) -> Scenario:
    """The scenario of that name. Raises UnknownScenario and BadScenario."""
    if name not in names():
        raise UnknownScenario(f"no scenario {name!r}; there are: {', '.join(names())}")
    parameters = _document(BASE)
    base = {each: float(row["value"]) for each, row in parameters.items()}
    told = _document(name)
    unknown = set(told) - {"title", "finding", "base", "anchors", "lists", "changes"}
    base_changes = told.get("base") or {}
    anchors = told.get("anchors") or {}
    changes = [_change(name, each, anchors) for each in told.get("changes") or []]
    wrong = unknown | ({*base_changes} | {change.parameter for change in changes}) - set(base)
    if wrong or "title" not in told:
        raise BadScenario(f"{name}: no such key or parameter: {', '.join(sorted(wrong)) or 'a title is missing'}")
    for change in changes:
        if parameters[change.parameter].get("only_first_day"):
            raise BadScenario(f"{name}: {change.parameter} is what a town begins with; say it in base, not in changes")
    numbers, lists = {**base, **base_changes}, _lists(name, told, anchors)
    return Scenario(name, told["title"], told.get("finding"), numbers, tuple(changes), anchors, lists)


def _change(name: str, told: Mapping[str, Any], anchors: Mapping[str, date]) -> Change:
    rest = {key: value for key, value in told.items() if key != "after_days"}
    try:
        days = {key: anchors.get(told[key], told[key]) for key in ("since", "until") if key in told}
        if "after_days" in told:
            days["since"] += timedelta(days=told["after_days"])
        change = Change(**{**rest, **days, "to": float(told["to"])})
    except (KeyError, TypeError, ValueError) as error:
        raise BadScenario(
            f"{name}: a change needs since, parameter and to, perhaps until, after_days and over_days"
        ) from error
    if not isinstance(change.since, date) or (change.until is not None and change.until < change.since):
        raise BadScenario(f"{name}: {change.parameter} does not change from one day to a later one")
    return change


def _lists(name: str, told: Mapping[str, Any], anchors: Mapping[str, date]) -> dict[str, tuple[int, ...]]:
    """By anchor: the working days after it on which the lists are handed over."""
    lists = {anchor: tuple(days) for anchor, days in (told.get("lists") or {}).items()}
    if {*lists} - {*anchors} or any(not isinstance(day, int) or day < 1 for days in lists.values() for day in days):
        raise BadScenario(f"{name}: lists are asked for by an anchor, some working days after it")
    return lists


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return document
