"""The council's list of visits as its case system would print it on a morning: the whole of it, or what changed.

The whole: every visit of the plans that run, or that ended since the last list. What changed: a visit that is new, was
made, has another worker or day, or whose plan ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import NamedTuple

from frontdoor.simulator.town.plans import Plan, Visit
from frontdoor.simulator.town.visiting import Visiting


class State(NamedTuple):
    """What a list shows of a visit and may show otherwise on another day."""

    is_made: bool
    has_ended: bool
    worker_id: str
    planned_on: date


class Listed(NamedTuple):
    """A visit on a list."""

    plan: Plan
    visit: Visit
    state: State

    @property
    def is_unallocated(self) -> bool:
        """Whether nobody is named who would make it, where somebody must be."""
        return not self.state.is_made and self.plan.worker is None and self.plan.kind != "cin"


@dataclass
class VisitList:
    """The lists of a town's visits, one after another."""

    visiting: Visiting
    _last: date = date.min
    _told: dict[int, State] = field(default_factory=dict)

    def of(self, morning: date, *, is_whole: bool) -> list[Listed]:
        """The list of a morning: what the case system knew at midnight."""
        since, self._last = self._last, morning
        listed = [
            each
            for plan in self.visiting.plans
            if plan.told_from < morning and not (plan.ended_on is not None and plan.ended_on < since)
            for each in (_whole(plan, morning) if is_whole else reversed([*self._changes(plan, morning)]))
        ]
        self._told.update((each.visit.visit_no, each.state) for each in listed)
        return listed

    def _changes(self, plan: Plan, morning: date) -> Iterator[Listed]:
        """Yield what changed, the latest first: before a visit that was told as made there is nothing new."""
        for visit in reversed(plan.visits):
            listed = _listed(plan, visit, morning)
            if listed is None:
                continue
            told = self._told.get(visit.visit_no)
            if told != listed.state:
                yield listed
            elif told.is_made:
                return


def _whole(plan: Plan, morning: date) -> Iterator[Listed]:
    for visit in plan.visits:
        listed = _listed(plan, visit, morning)
        if listed is not None:
            yield listed


def _listed(plan: Plan, visit: Visit, morning: date) -> Listed | None:
    midnight = datetime.combine(morning, time(0))
    if visit.due_set_at >= midnight:
        return None
    is_made = visit.recorded_at is not None and visit.recorded_at < midnight
    has_ended = plan.ended_on is not None and plan.ended_on < morning
    worker_id = visit.worker_id or (plan.worker.worker_id if plan.worker else "")
    return Listed(plan, visit, State(is_made, has_ended, worker_id, visit.planned_on))
