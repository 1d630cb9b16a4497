"""quality.expected_deliveries: days settled by what came, raised when nothing did, and what of it is to be told.

Each function works in the caller's transaction. Work follows the news: days are laid down once a day (`laying`), files
are looked at once (`arrivals`), and of the days only those that are due or not yet told of twice are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, reference
from frontdoor.contract import House
from frontdoor.quality import arrivals
from frontdoor.quality.expected import EXPECTED, MISSING, Day
from frontdoor.quality.laying import Agreement, lay_down, zone_of

__all__ = ["Agreement", "Silence", "lay_down", "look", "with_news", "zone_of"]

AGAIN_AFTER = "silence_told_again_working_days"


@dataclass(frozen=True)
class Silence:
    """What is to be told: the days that are missing, the earliest first, and when a file last came that could be used.

    `is_again`: told before, and still missing after some working days.
    """

    agency: str
    feed: str
    source: str
    days: Sequence[Day]
    last_received_at: datetime | None
    is_again: bool


def with_news(cursor: Cursor) -> list[Agreement]:
    """Return the agreements of which a file came, a day is due, or a silence may have to be told of again."""
    cursor.execute(
        """
        select expecting.agency_code, expecting.feed, expecting.source
        from quality.expecting as expecting
        where
            exists (
                select from intake.files as files
                where
                    files.agency_code = expecting.agency_code and files.source = expecting.source
                    and files.file_id > expecting.looked_to
            )
        union
        select agency_code, feed, source
        from quality.expected_deliveries
        where
            settled_at is null
            and (
                (state = 'expected' and due_at < %s)
                or (state = 'missing' and told_again_at is null)
                or (
                    state = 'unusable'
                    and exists (
                        select from intake.deliveries as deliveries
                        where
                            deliveries.delivery_id = expected_deliveries.delivery_id
                            and deliveries.status = 'published' and deliveries.records_loaded > 0
                    )
                )
            )
        order by 1, 2, 3
        """,
        (clock.now(),),
    )
    return [(agency, feed, source) for agency, feed, source in cursor]


def look(cursor: Cursor, house: House, key: Agreement) -> list[Silence]:
    """Settle the days of an agreement by what came, raise those of which nothing did; return what is to be told.

    Holds the agreement until the caller commits, so that two who look find each thing once.
    """
    cursor.execute("select looked_to from quality.expecting where (agency_code, feed, source) = %s for update", (key,))
    row = cursor.fetchone()
    if row is None:
        return []
    came, looked_to, is_busy = arrivals.since(cursor, key, row[0])
    if looked_to != row[0]:
        cursor.execute(
            "update quality.expecting set looked_to = %s where (agency_code, feed, source) = %s", (looked_to, key)
        )
    zone = zone_of(house, key[0])
    for arrival in [*arrivals.read_since(cursor, key), *came]:
        arrivals.settle(cursor, key, arrival, zone)
    if is_busy:
        return []
    return _raise(cursor, key, zone)


def _raise(cursor: Cursor, key: Agreement, zone: ZoneInfo) -> list[Silence]:
    """Mark as missing what is due and did not come; return what of it is to be told: a silence once, and once again."""
    now = clock.now()
    cursor.execute(
        "update quality.expected_deliveries set state = %s, raised_at = %s"
        " where (agency_code, feed, source) = %s and state = %s and due_at < %s",
        (MISSING, now, key, EXPECTED, now),
    )
    cursor.execute(_MISSING, {"key": key})
    missing = [_Missing(Day(*row[:3]), *row[3:]) for row in cursor]
    last = [each for each in missing if each.is_of_the_last]
    told_at = max((each.told_at for each in last if each.told_at), default=None)
    again_at = max((each.told_again_at for each in last if each.told_again_at), default=None)
    # A day more of a silence that was told of is not told of by itself.
    untold = [each for each in missing if not each.told_at and not (each.is_of_the_last and told_at)]
    today = now.astimezone(zone).date()
    limit = int(reference.threshold(AGAIN_AFTER, today))
    waited = [
        each
        for each in missing
        if not each.told_again_at
        and not (each.is_of_the_last and again_at)
        and reference.working_days_between(each.day.expected_on, today) >= limit
    ]
    found = []
    if untold:
        found.append(_silence(cursor, key, untold, is_again=False))
    if waited:
        found.append(_silence(cursor, key, missing, is_again=True))
    _note_told(cursor, key, missing, now, now if waited else None)
    if again_at:
        _note_told(cursor, key, last, now, again_at)
    return found


_MISSING = """
    select
        expected_on, due_at, state, told_at, told_again_at,
        expected_on > coalesce(
            (
                select max(ended.expected_on) from quality.expected_deliveries as ended
                where
                    (ended.agency_code, ended.feed, ended.source) = %(key)s
                    and ended.state not in ('missing', 'expected')
            ),
            date '-infinity'
        )
    from quality.expected_deliveries
    where (agency_code, feed, source) = %(key)s and state = 'missing'
    order by expected_on
"""


@dataclass(frozen=True)
class _Missing:
    """A day that is missing; `is_of_the_last`: nothing came for any later day, so that the silence still lasts."""

    day: Day
    told_at: datetime | None
    told_again_at: datetime | None
    is_of_the_last: bool


def _note_told(
    cursor: Cursor, key: Agreement, days: Sequence[_Missing], told_at: datetime, told_again_at: datetime | None
) -> None:
    cursor.execute(
        """
        update quality.expected_deliveries
        set told_at = coalesce(told_at, %(told)s), told_again_at = coalesce(told_again_at, %(again)s)
        where
            (agency_code, feed, source) = %(key)s and expected_on = any(%(days)s)
            and (told_at is null or (told_again_at is null and %(again)s::timestamptz is not null))
        """,
        {"told": told_at, "again": told_again_at, "key": key, "days": [each.day.expected_on for each in days]},
    )


def _silence(cursor: Cursor, key: Agreement, missing: Sequence[_Missing], *, is_again: bool) -> Silence:
    agency, feed, source = key
    cursor.execute(
        """
        select received_at from intake.deliveries
        where agency_code = %s and feed = %s and source = %s and status = 'published' and records_loaded > 0
        order by delivery_id desc limit 1
        """,
        (agency, feed, source),
    )
    row = cursor.fetchone()
    return Silence(agency, feed, source, [each.day for each in missing], row[0] if row else None, is_again)
