"""Plans of children and the visits under them, as the case system holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from frontdoor.simulator.town.people import Child, Worker

# By kind of plan: the standard, its limit (days, or working days for protection), and how soon a child is seen again.
STANDARDS = {
    "cp": ("cp_visit_10_working_days", None, (4, 9)),
    "cin": ("cin_visit_6_weeks", 42, (9, 21)),
    "cla": ("cla_visit_6_weeks", 42, (12, 24)),
}
UNALLOCATED = "Unallocated"


@dataclass(slots=True)
class Visit:
    """One visit, planned or made. `recorded_at`: none while it is planned."""

    visit_no: int
    due_on: date
    due_set_at: datetime
    planned_on: date
    made_at: datetime | None = None
    ended_at: datetime | None = None
    recorded_at: datetime | None = None
    is_seen: bool = False
    worker_id: str = ""
    worker_role: str = ""


@dataclass(slots=True)
class Plan:
    """A plan of a child. `told_from`: the first day on which the case system knows of it."""

    plan_no: int
    child: Child
    kind: str
    team: str
    started_on: date
    told_from: date
    worker: Worker | None = None
    ended_on: date | None = None
    visits: list[Visit] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the streams of chance that it has; other than its number it is the same, whatever else happened before."""
        return f"{self.child.child_id}:{self.told_from}"
