"""``frontdoor fault``: what is not charged to the agency. Scores alone change by it; a withdrawn rule is told once."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import a_day, add_json

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House
    from frontdoor.quality.attributions import Attribution
    from frontdoor.settings import Settings

REASON_MAX_CHARACTERS = 300
CAUSES = ("relay", "vendor", "our_mapping", "our_rule")
_ZONE = ZoneInfo("Europe/London")


def add(commands: Any) -> None:
    """Add ``fault`` with charge, list and end."""
    verbs = commands.add_parser("fault", help="what is not charged to the agency").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    charge = verbs.add_parser("charge", help="charge failures to a relay, a vendor, our mapping or our rule, by days")
    charge.add_argument("--rule", metavar="R", help="a rule; alone and --to our_rule it is withdrawn for everybody")
    charge.add_argument("--agency", metavar="A")
    charge.add_argument("--feed", metavar="F")
    charge.add_argument("--delivery", type=int, metavar="ID")
    charge.add_argument("--to", required=True, choices=CAUSES)
    charge.add_argument("--reason", required=True, metavar="TEXT", help="for the house: no detail of a child")
    charge.add_argument("--by-role", required=True, metavar="ROLE", help="a role of ours, never a person's name")
    charge.add_argument("--from", dest="first_day", type=a_day, required=True, metavar="DATE", help="a day of receipt")
    charge.add_argument("--until", type=a_day, metavar="DATE", help="the last day; without it, until it is ended")
    add_json(charge)
    charge.set_defaults(run=run_charge)

    listed = verbs.add_parser("list", help="what is charged elsewhere; all of it, also what is over, with --all")
    listed.add_argument("--agency", metavar="A")
    listed.add_argument("--all", action="store_true")
    add_json(listed)
    listed.set_defaults(run=run_list)

    end = verbs.add_parser("end", help="let it end with a day; a day before its first takes it back")
    end.add_argument("attribution", type=int, metavar="ID")
    end.add_argument("--on", type=a_day, metavar="DATE", help="the last day; default: today")
    add_json(end)
    end.set_defaults(run=run_end)


def run_charge(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a decision down."""
    from frontdoor import database
    from frontdoor.contract import load_house
    from frontdoor.delivery import charging

    house = load_house()
    _check_what(house, arguments)
    reason, role = _reason(arguments.reason), _role(arguments.by_role)
    if arguments.until is not None and arguments.until < arguments.first_day:
        raise UsageMistake("--until lies before --from")
    connection = database.connect(settings)
    try:
        if arguments.delivery is not None:
            _check_delivery(connection, arguments)
        decided, letters = charging.charge(
            connection, house, rule_id=arguments.rule, agency=arguments.agency, feed=arguments.feed,
            delivery_id=arguments.delivery, to=arguments.to, reason=reason, decided_by_role=role,
            days=(arguments.first_day, arguments.until),
        )  # fmt: skip
    finally:
        connection.close()
    document = {**_document(decided, _today()), "letters": letters}
    emit(document) if arguments.json else say(_line(document) + (f"; {letters} told of it" if letters else ""))
    return 0


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List decisions."""
    from frontdoor import database
    from frontdoor.contract import load_house
    from frontdoor.quality import attributions

    if arguments.agency is not None and arguments.agency not in load_house().agencies:
        raise UsageMistake("no agency of that name is known")
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            found = [_document(each, _today()) for each in attributions.known(cursor, agency=arguments.agency)]
    finally:
        connection.close()
    shown = [each for each in found if arguments.all or each["state"] == "standing"]
    if arguments.json:
        emit({"attributions": shown})
        return 0
    for each in shown:
        say(_line(each))
    if not shown:
        say("nothing is charged elsewhere")
    return 0


def run_end(arguments: argparse.Namespace, settings: Settings) -> int:
    """End a decision."""
    from frontdoor import database
    from frontdoor.quality import attributions

    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            if not attributions.known(cursor, attribution_id=arguments.attribution):
                raise UsageMistake(f"there is no attribution {arguments.attribution}")
            if not attributions.end(cursor, arguments.attribution, arguments.on or _today()):
                raise UsageMistake(f"attribution {arguments.attribution} is over by then already")
            (ended,) = attributions.known(cursor, attribution_id=arguments.attribution)
    finally:
        connection.close()
    document = _document(ended, _today())
    emit(document) if arguments.json else say(_line(document))
    return 0


def _check_what(house: House, arguments: argparse.Namespace) -> None:
    from frontdoor.quality.attributions import COVERAGE

    agency, feed, rule = arguments.agency, arguments.feed, arguments.rule
    if agency is not None and agency not in house.agencies:
        raise UsageMistake(f"no agency of that name is known; known are: {', '.join(sorted(house.agencies))}")
    if feed is not None and feed not in house.feeds:
        raise UsageMistake(f"no feed of that name is known; known are: {', '.join(sorted(house.feeds))}")
    sends = {each.feed for each in house.agency_feeds if each.agency == agency}
    if agency is not None and feed is not None and feed not in sends:
        raise UsageMistake(f"{agency} does not send that feed; it sends: {', '.join(sorted(sends)) or 'none'}")
    if rule is None and agency is None and arguments.delivery is None:
        raise UsageMistake("say what it is about: --rule, --agency or --delivery")
    if rule is None and arguments.to == "our_rule":
        raise UsageMistake("--to our_rule wants the --rule that is wrong")
    feeds = [house.feeds[feed]] if feed is not None else list(house.feeds.values())
    rules = {each.rule_id for found in feeds for each in found.rules} | {each.rule_id for each in house.file_rules}
    if rule is not None and rule not in rules | {COVERAGE}:
        raise UsageMistake("no rule of that id is known; frontdoor feed show FEED lists them")


def _check_delivery(connection: Connection, arguments: argparse.Namespace) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select from intake.deliveries where delivery_id = %s and agency_code = coalesce(%s, agency_code)"
            " and feed = coalesce(%s, feed)",
            (arguments.delivery, arguments.agency, arguments.feed),
        )
        if not cursor.rowcount:
            raise UsageMistake(f"there is no delivery {arguments.delivery} of that agency and feed")


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not reason or len(reason) > REASON_MAX_CHARACTERS:
        raise UsageMistake(f"--reason wants one sentence of at most {REASON_MAX_CHARACTERS} characters")
    return reason


def _role(text: str) -> str:
    from frontdoor.contract.model import RECIPIENT_ROLES

    # Who is charged does not decide who is.
    roles = [role for role in RECIPIENT_ROLES if role != "liaison"]
    if text not in roles:
        raise UsageMistake(f"--by-role wants a role of ours, never a name: {', '.join(roles)}")
    return text


def _today() -> date:
    from frontdoor import clock

    return clock.now().astimezone(_ZONE).date()


def _document(decided: Attribution, on: date) -> dict[str, Any]:
    return {**asdict(decided), "state": decided.state(on), "is_withdrawal": decided.is_withdrawal}


def _line(decided: dict[str, Any]) -> str:
    about = [
        f"{name} {decided[key]}"
        for name, key in (("rule", "rule_id"), ("agency", "agency_code"), ("feed", "feed"), ("delivery", "delivery_id"))
        if decided[key] is not None
    ]
    days = f"{decided['first_day']} to {decided['last_day'] or 'now'}"
    what = "withdrawn" if decided["is_withdrawal"] else f"charged to {decided['charged_to'].replace('_', ' ')}"
    return (
        f"attribution {decided['attribution_id']}: {', '.join(about)}, {days}, {what}"
        f" ({decided['state'].replace('_', ' ')}), decided by {decided['decided_by_role']}: {decided['reason']}"
    )
