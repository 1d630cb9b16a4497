"""``frontdoor reconcile``: whether what each sender sent adds up, from its own count to what was decided."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import a_day, add_json

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from frontdoor.settings import Settings

# Days and weeks of the house.
_ZONE = ZoneInfo("Europe/London")
_WHERE = (
    " where received_on = %(on)s and agency_code = coalesce(%(agency)s, agency_code)"
    " and feed = coalesce(%(feed)s, feed)"
)
_DAYS = f"select * from worklists.reconciliation{_WHERE} order by agency_code, feed"
_BREAKS = (
    f"select * from worklists.reconciliation_breaks{_WHERE}"
    " order by agency_code, feed, break_kind, delivery_id, record_no, line_no"
)


def add(commands: Any) -> None:
    """Add ``reconcile``."""
    reconcile = commands.add_parser("reconcile", help="whether a day adds up: sent, kept, on the list, decided")
    reconcile.add_argument("--agency", metavar="A")
    reconcile.add_argument("--feed", metavar="F")
    reconcile.add_argument("--on", type=a_day, metavar="DATE", help="the day of receipt; default: today")
    add_json(reconcile)
    reconcile.set_defaults(run=run_reconcile)


def run_reconcile(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the sums of a day, and every break by name."""
    from frontdoor import clock, database
    from frontdoor.contract import load_house

    house, on = load_house(), arguments.on or clock.now().astimezone(_ZONE).date()
    if arguments.agency is not None and arguments.agency not in house.agencies:
        raise UsageMistake(f"no agency of that name is known; known are: {', '.join(sorted(house.agencies))}")
    if arguments.feed is not None and arguments.feed not in house.feeds:
        raise UsageMistake(f"no feed of that name is known; known are: {', '.join(sorted(house.feeds))}")
    asked = {"on": on, "agency": arguments.agency, "feed": arguments.feed}
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select to_regclass('worklists.reconciliation') is not null")
            if cursor.fetchone() != (True,):
                raise UsageMistake("the sums are made with the first build: frontdoor ingest")
            days, breaks = _rows(cursor, _DAYS, asked), _rows(cursor, _BREAKS, asked)
    finally:
        connection.close()
    if arguments.json:
        emit({"on": on, "days": days, "breaks": breaks})
        return 0
    for day in days:
        say(_sentence(day))
        for each in breaks:
            if (each["agency_code"], each["feed"]) == (day["agency_code"], day["feed"]):
                say(f"  {_place(each)}: {each['reason']}")
    if not days:
        say(_nothing(on))
    return 0


def _rows(cursor: Cursor, sql: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    cursor.execute(sql, asked)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _nothing(on: date) -> str:
    return f"nothing was received on {on}"


def _sentence(day: dict[str, Any]) -> str:
    said = f"{day['agency_code']}/{day['feed']}, {day['received_on']}: {_some(day['deliveries_count'], 'delivery')}"
    if day["sender_count"] is not None:
        said += f", {day['sender_count']:,} records as the sender counts"
    if day["uncounted_deliveries"]:
        said += f", {day['uncounted_deliveries']:,} of them without the sender's count"
    removed = f" + {day['removed_count']:,} erased or past their time" if day["removed_count"] else ""
    said += (
        f"; {day['received_count']:,} received = {day['raw_count']:,} kept + {day['unread_count']:,} unread{removed};"
        f" {day['raw_count']:,} kept = {day['on_list_count']:,} on the list + {day['superseded_count']:,} repeated or"
        " replaced"
    )
    if day["decided_count"] is not None:
        said += (
            f"; {day['on_list_count']:,} on the list = {day['decided_count']:,} decided"
            f" + {day['waiting_count']:,} waiting"
        )
    breaks = day["breaks_count"]
    return f"{said}. It adds up." if not breaks else f"{said}. {_some(breaks, 'break')}:"


def _place(found: dict[str, Any]) -> str:
    where = f"file {found['file_id']}" if found["delivery_id"] is None else f"delivery {found['delivery_id']}"
    if found["record_no"] is not None:
        return f"{where}, record {found['record_no']}"
    if found["line_no"] is not None:
        return f"{where}, line {found['line_no']}"
    count = found["records_count"]
    return where if count is None else f"{where}, {_some(count, 'record')}"


def _some(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
