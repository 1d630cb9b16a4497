"""``frontdoor silence``: on which days a delivery was due, and what came of each."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.settings import Settings

DAYS_SHOWN = 400

_DAYS = """
    select
        agency_code, feed, source, expected_on, due_at, state, delivery_id, received_at, raised_at, settled_at, told_at
    from quality.expected_deliveries
    where
        (%(agency)s is null or agency_code = %(agency)s)
        and (%(feed)s is null or %(feed)s in (feed, source))
        and case when %(on)s::date is null then state in ('missing', 'unusable') else expected_on = %(on)s end
    order by expected_on desc, agency_code, feed, source
    limit %(most)s
"""


def add(commands: Any) -> None:
    """Add ``silence``."""
    silence = commands.add_parser("silence", help="what was due and did not come, or on a day what was due")
    silence.add_argument("--agency", metavar="A")
    silence.add_argument("--feed", metavar="F", help="a feed or layout")
    silence.add_argument("--on", metavar="DATE", help="all that was due on this day, 2027-01-31, whatever came of it")
    add_json(silence)
    silence.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the days."""
    from frontdoor import database
    from frontdoor.contract import load_house
    from frontdoor.quality.laying import zone_of

    house = load_house()
    if arguments.agency is not None and arguments.agency not in house.agencies:
        raise UsageMistake(f"no agency of that name is known; known are: {', '.join(sorted(house.agencies))}")
    if arguments.feed is not None and arguments.feed not in house.sources():
        raise UsageMistake(f"no feed or layout of that name is known; known are: {', '.join(house.sources())}")
    wanted = {"agency": arguments.agency, "feed": arguments.feed, "on": _day(arguments.on), "most": DAYS_SHOWN}
    connection = database.connect(settings)
    try:
        days = _rows(connection, wanted)
    finally:
        connection.close()
    if arguments.json:
        emit({"days": days})
        return 0
    for day in days:
        zone = zone_of(house, day["agency_code"])
        came = f", received {day['received_at'].astimezone(zone):%Y-%m-%d %H:%M}" if day["received_at"] else ""
        came += f" as delivery {day['delivery_id']}" if day["delivery_id"] else ""
        by = "" if day["source"] == day["feed"] else f" by {day['source']}"
        state = day["state"].replace("_", " ")
        due = day["due_at"].astimezone(zone)
        say(f"{due:%Y-%m-%d %H:%M}  {day['agency_code']}/{day['feed']}{by}  {state}{came}")
    if not days:
        say("nothing is missing" if arguments.on is None else "nothing was due")
    return 0


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        raise UsageMistake("--on wants a date as 2027-01-31") from None


def _rows(connection: Connection, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(_DAYS, wanted)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
