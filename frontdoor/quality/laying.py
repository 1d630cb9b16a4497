"""The days on which deliveries are due, laid down in quality.expected_deliveries as they come near.

From the instant at which the platform first knows of an agreement, and never before it; each day once, however often
this is asked, and those to come anew where the agreement says something else.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from frontdoor import clock, reference
from frontdoor.contract import Expected, House
from frontdoor.quality.expected import EXPECTED, Day, days_due

# Days are laid down so far ahead, and again when half of it is used up.
AHEAD = timedelta(hours=48)

Agreement = tuple[str, str, str]  # agency, feed, source


def agreements(house: House) -> dict[Agreement, str]:
    """Return the agreements that say when a delivery is due, in any of their versions, each with what they say."""
    said: dict[Agreement, list[str]] = {}
    for each in house.agency_feeds:
        key = (each.agency, each.feed, each.source)
        said.setdefault(key, []).append(f"{each.valid_from} {each.valid_to} {each.expected}")
    agreed = {(each.agency, each.feed, each.source) for each in house.agency_feeds if each.expected}
    return {key: f"{house.agencies[key[0]].timezone} {said[key]}" for key in sorted(agreed)}


def lay_down(cursor: Cursor, house: House) -> None:
    """Lay down the days that come near; from now on only, and anew where the agreement says something else."""
    now, agreed = clock.now(), agreements(house)
    cursor.execute("select agency_code, feed, source, agreed, laid_to from quality.expecting")
    known = {(agency, feed, source): (text, laid_to) for agency, feed, source, text, laid_to in cursor}
    for key in sorted({*agreed, *known}):
        text, (before, laid_to) = agreed.get(key, ""), known.get(key, ("", now))
        if key in known and text == before and (not text or laid_to - now >= AHEAD / 2):
            continue
        _begin(cursor, key, now)
        if text != before:
            cursor.execute(
                "delete from quality.expected_deliveries"
                " where (agency_code, feed, source) = %s and state = %s and due_at > %s",
                (key, EXPECTED, now),
            )
            laid_to = now
        days = list(_days_due(house, key, laid_to, now + AHEAD)) if text else []
        execute_values(
            cursor,
            "insert into quality.expected_deliveries (agency_code, feed, source, expected_on, due_at, state) values %s"
            " on conflict do nothing",
            [(*key, day.expected_on, day.due_at, day.state) for day in days],
        )
        cursor.execute(
            "update quality.expecting set agreed = %s, laid_to = %s where (agency_code, feed, source) = %s",
            (text, now + AHEAD, key),
        )


def _begin(cursor: Cursor, key: Agreement, now: datetime) -> None:
    """Write down since when an agreement is known; what came a day ago and earlier is not looked at."""
    agency, _, source = key
    cursor.execute(
        """
        insert into quality.expecting (agency_code, feed, source, known_from, agreed, laid_to, looked_to)
        select %s, %s, %s, %s, '', %s, coalesce(max(file_id), 0)
        from intake.files
        where agency_code = %s and source = %s and received_at < %s
        on conflict do nothing
        """,
        (*key, now, now, agency, source, now - timedelta(days=1)),
    )


def _days_due(house: House, key: Agreement, after: datetime, until: datetime) -> list[Day]:
    agency, feed, source = key

    def expected(on: date) -> Expected | None:
        agreed = house.agency_feed(agency, source, feed, on)
        return agreed.expected if agreed else None

    return list(days_due(expected, zone_of(house, agency), reference.is_working_day, after, until))


def zone_of(house: House, agency: str) -> ZoneInfo:
    """Return the zone of an agency's clock."""
    return ZoneInfo(house.agencies[agency].timezone) if agency in house.agencies else reference.ZONE
