"""The days of a town: which are worked, and when an office is open."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime, time, timedelta

from frontdoor import reference
from frontdoor.simulator.town.chance import Chance

OPENS, CLOSES = 9, 17
# April to March, how many contacts a month has against the mean (year to March 2019).
MONTH_INDEX = (1.11, 1.58, 1.28, 0.97, 0.80, 0.83, 0.93, 1.01, 0.75, 0.88, 0.79, 1.05)


class Calendar:
    """Working days between two dates, with a year and a half on either side, looked up once."""

    def __init__(self, date_from: date, date_to: date) -> None:
        """Look up the days."""
        first, days = date_from - timedelta(days=550), (date_to - date_from).days + 1100
        self._working = [day for n in range(days) if reference.is_working_day(day := first + timedelta(days=n))]
        self._is_working = frozenset(self._working)

    def is_working(self, day: date) -> bool:
        """Whether offices are open."""
        return day in self._is_working

    def after(self, day: date, working_days: int) -> date:
        """The day so many working days later; with 0 the day itself, or the next working day."""
        if working_days == 0 and day in self._is_working:
            return day
        at = bisect_left(self._working, day + timedelta(days=1))
        return self._working[at + max(working_days, 1) - 1]

    def before(self, day: date) -> date:
        """The last working day before a day."""
        return self._working[bisect_left(self._working, day) - 1]

    def between(self, date_from: date, date_to: date) -> int:
        """Working days after `date_from` up to and including `date_to`."""
        later = timedelta(days=1)
        return bisect_left(self._working, date_to + later) - bisect_left(self._working, date_from + later)


def month_index(day: date) -> float:
    """How busy the month is against the mean."""
    return MONTH_INDEX[(day.month - 4) % 12]


def office_time(chance: Chance, day: date) -> datetime:
    """A time while offices are open."""
    return datetime.combine(day, time(chance.randrange(OPENS, CLOSES - 1), chance.randrange(60)))
