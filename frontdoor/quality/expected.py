"""Which days a delivery was due on, and which of them a file settles. Pure: no table, no clock.

A file belongs to the day on which it is received, by the sender's own clock; where none is due on that day, to the next
one if that is due within a day. Which days it settles goes by what it says:

    a whole list (snapshot)     its own day, and every earlier one still open: the list says it all again
    what changed (increment)    its own day only; where that is settled already, the oldest one still open. What was to
                                come on Monday may not be in Tuesday's file, and nobody could tell from it
    a signed nil return         its own day, and every earlier one still open: a role says that nothing is waiting
    nothing that can be used    no day: its own is unusable until something better comes

An earlier day that is settled so was late. The same file again is the same list again, and no increment at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from frontdoor.contract import Expected

EXPECTED, RECEIVED, LATE, MISSING, SIGNED_NIL, UNUSABLE = (
    *("expected", "received", "late", "missing"),
    *("signed_nil", "unusable"),
)
OPEN = (EXPECTED, MISSING, UNUSABLE)
# How long before it is due a file may come for a day that is not its own.
EARLY = timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """A day on which a delivery is due, and how it stands."""

    expected_on: date
    due_at: datetime
    state: str = EXPECTED

    @property
    def is_open(self) -> bool:
        """Whether a file may still settle it."""
        return self.state in OPEN


@dataclass(frozen=True)
class Arrival:
    """A file that came. `is_usable`: it has records on the list; `is_nil`: it has none, and a role signed for that."""

    delivery_id: int | None
    received_at: datetime
    is_snapshot: bool
    is_usable: bool
    is_nil: bool = False


def days_due(
    agreed_on: Callable[[date], Expected | None],
    zone: ZoneInfo,
    is_working_day: Callable[[date], bool],
    after: datetime,
    until: datetime,
) -> Iterator[Day]:
    """Yield the days that are due after one instant and up to another, under what was agreed on each."""
    day, last = after.astimezone(zone).date(), until.astimezone(zone).date()
    while day <= last:
        expected = agreed_on(day)
        if expected and expected.is_due_on(day, is_working_day) and after < expected.due_at(day, zone) <= until:
            yield Day(day, expected.due_at(day, zone))
        day += timedelta(days=1)


def settled_by(arrival: Arrival, days: Sequence[Day], zone: ZoneInfo) -> dict[date, str]:
    """Return the days that a file changes, with their new states. days: in order, settled ones among them."""
    own = _own_day(arrival, days, zone)
    if not arrival.is_usable and not arrival.is_nil:
        return {own.expected_on: UNUSABLE} if own and own.is_open else {}
    before = [day for day in days if day.is_open and day.due_at < arrival.received_at and day != own]
    found = [own] if own and own.is_open else []
    if arrival.is_snapshot or arrival.is_nil:
        found += before
    elif not found:
        found = before[:1]
    return {day.expected_on: _state(arrival, day) for day in found}


def _own_day(arrival: Arrival, days: Sequence[Day], zone: ZoneInfo) -> Day | None:
    on = arrival.received_at.astimezone(zone).date()
    soon = (day for day in days if day.expected_on >= on)
    own = next(soon, None)
    if own and (own.expected_on == on or own.due_at - arrival.received_at <= EARLY):
        return own
    return None


def _state(arrival: Arrival, day: Day) -> str:
    if arrival.is_nil:
        return SIGNED_NIL
    return RECEIVED if arrival.received_at <= day.due_at else LATE
