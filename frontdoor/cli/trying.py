"""``frontdoor contract trial``: what a proposed contract or agreement would have found in an agency's last months."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, progress, say
from frontdoor.cli.shared import add_json, agency_and_source, proposed_house

if TYPE_CHECKING:
    from frontdoor.contract import AgencyFeed, House
    from frontdoor.settings import Settings

MONTHS = 6


def add(actions: Any) -> None:
    """Add ``contract trial`` to the actions of ``contract``."""
    tried = actions.add_parser(
        "trial", help="what a proposed contract or agreement would have found in the last months; nothing is changed"
    )
    tried.add_argument("--agency", required=True, metavar="A")
    tried.add_argument("--feed", required=True, metavar="F", help="the feed or layout by which it sends")
    tried.add_argument("--proposed", required=True, type=Path, metavar="FILE", help="a contract, or an agency's file")
    tried.add_argument("--months", type=int, default=MONTHS, metavar="N", help=f"default: {MONTHS}")
    add_json(tried)
    tried.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Try it, and print what would change."""
    from frontdoor import database
    from frontdoor.contract import load_house
    from frontdoor.delivery.trial import trial

    if not 1 <= arguments.months <= 120:
        raise UsageMistake("--months wants a number from 1 to 120")
    house = load_house()
    agency, source = agency_and_source(house, arguments.agency, arguments.feed)
    proposed, agreed = proposed_house(house, agency, source, arguments.proposed)
    feed = _feed(house, proposed, agreed, source)
    connection = database.connect(settings, application_name="frontdoor trial")
    try:
        with progress("reading and judging twice"):
            document = trial(connection, house, proposed, feed, agency, source, arguments.months)
    finally:
        connection.close()
    if arguments.json:
        emit(document)
        return 0
    for line in _in_words(document):
        say(line)
    return 0


def _feed(house: House, proposed: House, agreed: AgencyFeed | None, source: str) -> str:
    if agreed is not None:
        return agreed.feed
    (feed,) = (code for code, each in proposed.feeds.items() if house.feeds.get(code) is not each)
    supplied = house.layouts[source].feeds if source in house.layouts else (source,)
    if feed not in supplied:
        raise UsageMistake(f"--proposed is the contract of {feed}, which is not sent by {source}")
    return feed


def _in_words(document: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{document['feed']} of {document['agency']}: {document['records']} records in {document['deliveries']}"
        f" deliveries of the last {document['months']} months, under the versions of their days and as proposed"
    )
    changed = [each for each in document["rules"] if _is_changed(each)]
    for each in changed:
        now, then = _severity(each["severity"]["now"]), _severity(each["severity"]["proposed"])
        severity = now if now == then else f"{now} becomes {then}"
        yield (
            f"{each['rule_id']} ({severity}): {_score(each['now'])}; proposed {_score(each['proposed'])};"
            f" {each['newly_failing']} newly failing, {each['cleared']} cleared"
        )
        for title, found in (("newly failing", each["newly_failing_in"]), ("cleared", each["cleared_in"])):
            for delivery in found:
                rows = ", ".join(map(str, delivery["rows"][:12])) + (", .." if len(delivery["rows"]) > 12 else "")
                yield f"  {title}, delivery {delivery['delivery_id']}, {delivery['rows_are'].lower()}: {rows}"
    if not changed:
        yield "nothing would have been found otherwise"
    for when, rules in document["not_run"].items():
        if rules:
            yield f"could not be run ({when}): {', '.join(rules)}"


def _is_changed(each: dict[str, Any]) -> bool:
    severity = each["severity"]
    return bool(each["newly_failing"] or each["cleared"] or severity["now"] != severity["proposed"]) or (
        each["now"] != each["proposed"]
    )


def _severity(severity: str | None) -> str:
    return severity or "no such rule"


def _score(score: dict[str, Any] | None) -> str:
    if score is None:
        return "not asked"
    if score["kept_share"] is None:
        return "no record that it applies to"
    return f"{score['failed']} of {score['checked']} fail, {score['kept_share']:.1%} keep it"
