"""By when an answer is due: the contract's own time to repair, in working time; sooner for what is critical.

A critical defect changes what somebody does today, so its clock (a dated row, ``reference.clocks``) runs at night
and at weekends too. For the rest a limit of 24 hours is the same hour of the next working day.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from frontdoor import clock

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

# The contract's slaProperties; hours, as the standard's unit 'h' says there.
REPAIR = "timeToRepair"
# An agency's answer goes by grade; what changes somebody's day is answered like a question about a red child.
CRITICAL_CLOCK = "lateral_check_red"
# Only for a feed whose contract says nothing.
FALLBACK_HOURS = 24.0


def repair_by(connection: Connection, house: House, feed: str, severity: str, zone: ZoneInfo) -> datetime:
    """Return the instant by which a defect of this feed and severity is to be answered, counted from now."""
    now = clock.now()
    levels = house.feeds[feed].service_levels if feed in house.feeds else {}
    hours = _number(levels.get(REPAIR)) or FALLBACK_HOURS
    if severity == "critical":
        return now + timedelta(hours=min(_critical_hours(connection, now) or hours, hours))
    there = now.astimezone(zone)
    with connection.cursor() as cursor:
        cursor.execute("select reference.add_working_days(%s, %s)", (there.date(), math.ceil(hours / 24)))
        row = cursor.fetchone()
    if row is None or row[0] is None:  # a day that the calendar does not know yet
        return now + timedelta(hours=hours)
    return datetime.combine(row[0], there.time(), zone).astimezone(UTC)


def _critical_hours(connection: Connection, now: datetime) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select limit_value from reference.clocks where clock_id = %s and limit_unit in ('h', 'hour', 'hours')"
            " and valid_from <= %s and (valid_to is null or valid_to >= %s)",
            (CRITICAL_CLOCK, now.date(), now.date()),
        )
        row = cursor.fetchone()
    return _number(row[0]) if row else None


def _number(value: object) -> float | None:
    try:
        return float(str(value)) if value is not None else None
    except ValueError:
        return None
