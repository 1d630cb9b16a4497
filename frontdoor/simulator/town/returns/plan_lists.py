"""The lists of children under a plan, now or in the six months before: in need, protected, looked after.

A list tells when a child was last visited, and not whether it was seen: of an attempt, too, it has the day. Where
nobody holds a child, the cell of its worker holds what the spreadsheet made of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

from frontdoor.simulator.town.plans import Plan, Visit
from frontdoor.simulator.town.returns.lines import Cells, Line, LookedUp

NO_WORKER, UNALLOCATED = "#N/A", (("unallocated", "VIS-004"),)


def listed(of: LookedUp, plans: list[Plan]) -> list[Plan]:
    """The plans that run, or ended in the six months."""
    return [plan for plan in plans if plan.told_from < of.on and (plan.ended_on is None or plan.ended_on >= of.since)]


def in_need(of: LookedUp, plans: list[Plan]) -> Iterator[Line]:
    """Yield every plan, of whatever kind."""
    for plan in plans:
        seen = _last(of, plan, is_seen=True)
        cells = {
            "Case Status": of.status(plan.kind),
            "CIN Start Date": plan.started_on,
            "CIN Closure Date": plan.ended_on or "",
            "Date Child Was Last Seen": _day(seen),
        }
        yield _line(of, plan, cells, "list 6", seen)


def protected(of: LookedUp, plans: list[Plan]) -> Iterator[Line]:
    """Yield the protection plans."""
    for plan in plans:
        if plan.kind != "cp":
            continue
        last = _last(of, plan)
        reviews = [each.on for each in of.of(plan.child, "reviews") if each.on >= plan.started_on]
        before = [each for each in of.of(plan.child, "plans") if each.code == "cp" and each.on < plan.started_on]
        cells = {
            "Child Protection Plan Start Date": plan.started_on,
            "Child Protection Plan End Date": plan.ended_on or "",
            "Date of the Last Statutory Visit": _day(last),
            "Was the Child Seen Alone?": of.yes(is_so=last.is_seen) if last else "",
            "Date of latest review conference": max(reviews, default=""),
            "Number of Previous Child Protection Plans": len(before),
        }
        yield _line(of, plan, cells, "list 7", last)


def looked_after(of: LookedUp, plans: list[Plan]) -> Iterator[Line]:
    """Yield the times of being looked after."""
    for plan in plans:
        if plan.kind == "cla":
            last = _last(of, plan)
            cells = {
                "Date Started to be Looked After": plan.started_on,
                "Date Ceased to be Looked After": plan.ended_on or "",
                "Date of Last Social Work Visit": _day(last),
            }
            yield _line(of, plan, cells, "list 8", last)


def _line(of: LookedUp, plan: Plan, cells: Cells, list_name: str, visit: Visit | None) -> Line:
    worker = plan.worker.worker_id if plan.worker else NO_WORKER
    cells = of.child(plan.child) | cells | {"Allocated Team": plan.team, "Allocated Worker": worker}
    defects = UNALLOCATED if plan.worker is None and plan.kind != "cin" else ()
    if visit is None:
        # Without a day of a visit a row has no reference.
        return Line(plan.child, cells, "", f"plans {plan.plan_no}", defects)
    return Line(plan.child, cells, f"{list_name} {_day(visit)}", f"visits {visit.visit_no}", defects)


def _last(of: LookedUp, plan: Plan, *, is_seen: bool = False) -> Visit | None:
    """The last visit under a plan that is recorded by now: one that was made, or at which the child was seen."""
    midnight = datetime.combine(of.on, time(0))
    known = (
        visit
        for visit in reversed(plan.visits)
        if visit.recorded_at and visit.recorded_at < midnight and (visit.is_seen or not is_seen)
    )
    return next(known, None)


def _day(visit: Visit | None) -> date | str:
    return visit.made_at.date() if visit and visit.made_at else ""
