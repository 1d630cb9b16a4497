"""``frontdoor waiver``: what a sender need not be told of for a while. No list, indicator or verdict changes by it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import a_role_of_ours, add_json

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House
    from frontdoor.quality.waivers import Waiver
    from frontdoor.settings import Settings

REASON_MAX_CHARACTERS = 300
LONGEST = "waiver_max_days"
_ZONE = ZoneInfo("Europe/London")


def add(commands: Any) -> None:
    """Add ``waiver`` with grant, list and end."""
    verbs = commands.add_parser("waiver", help="what a sender need not be told of for a while").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    grant = verbs.add_parser("grant", help="silence a rule, a record, or all but critical rules of an agency's feed")
    grant.add_argument("--agency", required=True, metavar="A")
    grant.add_argument("--feed", required=True, metavar="F")
    grant.add_argument("--rule", metavar="R", help="this rule only; a critical one wants --delivery and --record")
    grant.add_argument("--delivery", type=int, metavar="ID", help="with --record: this record only")
    grant.add_argument("--record", type=int, metavar="N", help="its number in the delivery, as the triage list has it")
    grant.add_argument("--reason", required=True, metavar="TEXT", help="stands in the receipt: no detail of a child")
    grant.add_argument("--approved-by", required=True, metavar="ROLE", help="a role of ours, never a person's name")
    grant.add_argument("--until", required=True, metavar="DATE", help="the last day on which it holds, 2027-01-31")
    add_json(grant)
    grant.set_defaults(run=run_grant)

    listed = verbs.add_parser("list", help="waivers, the living ones unless --all")
    listed.add_argument("--agency", metavar="A")
    listed.add_argument("--all", action="store_true", help="also those that expired or were ended")
    add_json(listed)
    listed.set_defaults(run=run_list)

    end = verbs.add_parser("end", help="end a waiver now; what it silenced comes back, with one message")
    end.add_argument("waiver", type=int, metavar="ID")
    add_json(end)
    end.set_defaults(run=run_end)


def run_grant(arguments: argparse.Namespace, settings: Settings) -> int:
    """Grant a waiver."""
    from frontdoor import clock, database
    from frontdoor.contract import load_house
    from frontdoor.delivery import waiving
    from frontdoor.quality import waivers

    house = load_house()
    zone = _check_who(house, arguments.agency, arguments.feed)
    _check_rule(house, arguments)
    reason, role = _reason(arguments.reason), a_role_of_ours("--approved-by", arguments.approved_by)
    expires_at = _expiry(arguments.until, zone, clock.now())
    connection = database.connect(settings)
    try:
        record = _record(arguments)
        record_key = _record_key(connection, arguments, record) if record else None
        waiver_id, silenced = waiving.grant(
            connection, house, agency=arguments.agency, feed=arguments.feed, rule_id=arguments.rule, record=record,
            record_key=record_key, reason=reason, approved_by_role=role, expires_at=expires_at,
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            (granted,) = waivers.known(cursor, waiver_id=waiver_id)
    finally:
        connection.close()
    document = _document(granted, clock.now(), silenced)
    emit(document) if arguments.json else say(_line(document, zone))
    return 0


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List waivers."""
    from frontdoor import clock, database
    from frontdoor.contract import load_house
    from frontdoor.quality import waivers

    house, now = load_house(), clock.now()
    if arguments.agency is not None and arguments.agency not in house.agencies:
        raise UsageMistake(f"no agency of that name is known; known are: {', '.join(sorted(house.agencies))}")
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            found = waivers.known(cursor, agency=arguments.agency)
            silenced = waivers.open_findings(cursor, found)
    finally:
        connection.close()
    documents = [
        _document(each, now, silenced.get(each.waiver_id, 0))
        for each in found
        if arguments.all or each.state(now) == "living"
    ]
    if arguments.json:
        emit({"waivers": documents})
        return 0
    for each in documents:
        say(_line(each, _zone_of(house, each["agency_code"])))
    if not documents:
        say("no waiver" if arguments.all else "no living waiver")
    return 0


def run_end(arguments: argparse.Namespace, settings: Settings) -> int:
    """End a waiver."""
    from frontdoor import clock, database
    from frontdoor.contract import load_house
    from frontdoor.delivery import waiving
    from frontdoor.quality import waivers

    house = load_house()
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            found = waivers.known(cursor, waiver_id=arguments.waiver)
        if not found:
            raise UsageMistake(f"there is no waiver {arguments.waiver}")
        if not waiving.end(connection, house, found[0]):
            raise UsageMistake(f"waiver {arguments.waiver} is over already")
        with connection, connection.cursor() as cursor:
            (ended,) = waivers.known(cursor, waiver_id=arguments.waiver)
    finally:
        connection.close()
    document = _document(ended, clock.now(), 0)
    emit(document) if arguments.json else say(_line(document, _zone_of(house, ended.agency_code)))
    return 0


def _check_who(house: House, agency: str, feed: str) -> ZoneInfo:
    if agency not in house.agencies:
        raise UsageMistake(f"no agency of that name is known; known are: {', '.join(sorted(house.agencies))}")
    sends = sorted({each.feed for each in house.agency_feeds if each.agency == agency})
    if feed not in sends:
        raise UsageMistake(f"{agency} does not send that feed; it sends: {', '.join(sends) or 'none'}")
    return _zone_of(house, agency)


def _check_rule(house: House, arguments: argparse.Namespace) -> None:
    """Refuse an unknown rule, one that the agency is not asked, and a critical one without its record."""
    from frontdoor import clock

    if arguments.rule is None:
        return
    rules = {rule.rule_id: rule for rule in (*house.feeds[arguments.feed].rules, *house.file_rules)}
    if arguments.rule not in rules:
        raise UsageMistake(f"{arguments.feed} has no rule of that id; frontdoor feed show {arguments.feed} lists them")
    today = clock.now().astimezone(_zone_of(house, arguments.agency)).date()
    agreed = [
        each
        for each in house.agency_feeds
        if (each.agency, each.feed) == (arguments.agency, arguments.feed)
        and each.valid_from <= today
        and (each.valid_to is None or today <= each.valid_to)
    ]
    if agreed and all(arguments.rule in each.waived_rules for each in agreed):
        raise UsageMistake(f"{arguments.rule} is not asked of {arguments.agency}, by its agreement: nothing to waive")
    severities = {rules[arguments.rule].severity, *(each.tightened.get(arguments.rule) for each in agreed)}
    if "critical" in severities and arguments.delivery is None:
        raise UsageMistake(
            f"{arguments.rule} is critical: it is waived record by record only, with --delivery and --record"
        )


def _record(arguments: argparse.Namespace) -> tuple[int, int] | None:
    if arguments.delivery is None and arguments.record is None:
        return None
    if arguments.delivery is None or arguments.record is None:
        raise UsageMistake("one record is --delivery ID with --record N")
    return arguments.delivery, arguments.record


def _record_key(connection: Connection, arguments: argparse.Namespace, record: tuple[int, int]) -> str | None:
    """Return the key of the record, where it has one of its own; raise where it is no record of this sender."""
    from psycopg2 import sql

    with connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "select case when told.has_own_key then told.record_key end from intake.deliveries as deliveries"
                " inner join raw.{} as told on deliveries.delivery_id = told._delivery_id"
                " and deliveries.received_at = told._received_at"
                " where deliveries.delivery_id = %s and told._record_no = %s"
                " and deliveries.agency_code = %s and deliveries.feed = %s"
            ).format(sql.Identifier(f"{arguments.feed}_read")),
            (*record, arguments.agency, arguments.feed),
        )
        found = cursor.fetchall()
    if not found:
        raise UsageMistake(f"delivery {record[0]} of {arguments.agency} by {arguments.feed} has no record {record[1]}")
    key: str | None = found[0][0]
    return key


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not reason or len(reason) > REASON_MAX_CHARACTERS:
        raise UsageMistake(f"--reason wants one sentence of at most {REASON_MAX_CHARACTERS} characters")
    return reason


def _expiry(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the midnight after the last day, where the agency is."""
    from frontdoor import reference

    try:
        last_day = date.fromisoformat(text)
    except ValueError:
        raise UsageMistake("--until wants a date as 2027-01-31") from None
    today = now.astimezone(zone).date()
    if last_day < today:
        raise UsageMistake("--until lies in the past")
    longest = int(reference.threshold(LONGEST, today))
    if last_day > today + timedelta(days=longest):
        raise UsageMistake(f"--until lies more than {longest} days ahead; if it is for good, change the agreement")
    return datetime.combine(last_day + timedelta(days=1), time(), zone)


def _zone_of(house: House, agency: str) -> ZoneInfo:
    return ZoneInfo(house.agencies[agency].timezone) if agency in house.agencies else _ZONE


def _document(waiver: Waiver, at: datetime, silenced: int) -> dict[str, Any]:
    # The key is the warehouse's own; delivery and record say which record is meant.
    said = {name: value for name, value in asdict(waiver).items() if name != "record_key"}
    return {**said, "state": waiver.state(at), "findings": silenced}


def _line(waiver: dict[str, Any], zone: ZoneInfo) -> str:
    what = waiver["rule_id"] or "every rule that is not critical"
    if waiver["delivery_id"] is not None:
        what = (
            f"{waiver['rule_id'] or 'every rule'} on record {waiver['record_no']} of delivery {waiver['delivery_id']}"
        )
    over = waiver["ended_at"] or waiver["expires_at"]
    until = f"{'until' if waiver['state'] == 'living' else waiver['state']} {over.astimezone(zone):%Y-%m-%d %H:%M}"
    return (
        f"waiver {waiver['waiver_id']}: {waiver['agency_code']}/{waiver['feed']}, {what}, {until},"
        f" approved by {waiver['approved_by_role']}, {waiver['findings']} findings silent: {waiver['reason']}"
    )
