"""``frontdoor feed``: what we ask for, as the contracts say it, and an invented file that keeps (or breaks) them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli import starting
from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import add_json, agency_and_source

if TYPE_CHECKING:
    from frontdoor.contract import Feed, House, Layout
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``feed list``, ``feed show``, ``feed sample`` and ``feed new``."""
    feed = commands.add_parser("feed", help="the contracts, and invented files that keep them")
    actions = feed.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")

    listed = actions.add_parser("list", help="all feeds and layouts, and who sends them")
    add_json(listed)
    listed.set_defaults(run=run_list)

    shown = actions.add_parser("show", help="fields and rules of one feed, or what a layout supplies")
    shown.add_argument("feed", metavar="FEED")
    add_json(shown)
    shown.set_defaults(run=run_show)

    sampled = actions.add_parser("sample", help="write an invented good file; with --break one record fails a rule")
    sampled.add_argument("feed", metavar="FEED")
    sampled.add_argument("--agency", required=True, metavar="A", help="in whose headers and codes")
    sampled.add_argument("--records", type=int, default=10, metavar="N")
    sampled.add_argument("--break", dest="break_rule", metavar="RULE", help="such as POL-020")
    sampled.add_argument("--nil", metavar="ROLE", help="no record: a nil return, signed by this role")
    sampled.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed gives the same file")
    sampled.add_argument("--out", required=True, type=Path, metavar="FILE", help="- for stdout")
    sampled.set_defaults(run=run_sample)
    starting.add_feed(actions)


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print one line per feed and layout."""
    from frontdoor.contract import load_house

    house = load_house()
    documents = [_summary(house, source) for source in house.sources()]
    if arguments.json:
        emit({"feeds": documents})
        return 0
    for document in documents:
        kind = f"layout for {', '.join(document['feeds'])}" if document["kind"] == "layout" else document["version"]
        senders = ", ".join(document["agencies"]) or "nobody"
        say(f"{document['code']:<12} {kind:<22} {document['title']}; sent by {senders}")
    return 0


def run_show(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print fields and rules."""
    from frontdoor.contract import load_house

    house = load_house()
    if arguments.feed not in house.sources():
        raise UsageMistake(f"no feed or layout of that name is known; known are: {', '.join(house.sources())}")
    summary = _summary(house, arguments.feed)
    feeds = [house.feeds[code] for code in summary["feeds"]]
    if arguments.json:
        emit({**summary, "contracts": [_contract(feed) for feed in feeds]})
        return 0
    say(f"{summary['code']}: {summary['title']}")
    say(f"sent by: {', '.join(summary['agencies']) or 'nobody yet'}")
    for feed in feeds:
        say(
            f"\n{feed.code} {feed.version}, {feed.delivery_mode}; a record is known by {', '.join(feed.key_properties)}"
        )
        for prop in feed.properties:
            kind = prop.kind + ("*" if prop.is_list else "")
            say(f"  {prop.name:<26} {kind:<11} {prop.need:<11} {prop.description}")
        say("")
        for rule in feed.rules:
            say(f"  {rule.rule_id}  {rule.severity:<9} {rule.sentence} -> {rule.what_to_do}")
    return 0


def run_sample(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the file."""
    from frontdoor.contract import load_house
    from frontdoor.simulator.sample import sample_nil, sample_records

    house = load_house()
    agency, source = agency_and_source(house, arguments.agency, arguments.feed)
    if arguments.records < 0:
        raise UsageMistake("--records wants a number, zero or more")
    records = 0 if arguments.nil else arguments.records
    if arguments.nil and arguments.break_rule:
        raise UsageMistake("--nil has no record in which a rule could fail")
    try:
        content = (
            sample_nil(house, agency, source, arguments.nil)
            if arguments.nil
            else sample_records(house, agency, source, records, seed=arguments.seed, break_rule=arguments.break_rule)
        )
    except ValueError as error:  # speaks of agency, feed and rule as they are declared
        raise UsageMistake(str(error)) from None
    if str(arguments.out) == "-":
        sys.stdout.buffer.write(content)
        return 0
    try:
        arguments.out.write_bytes(content)
    except OSError:
        raise UsageMistake("--out cannot be written") from None
    say(f"{records} records, {len(content):,} bytes: {arguments.out}")
    return 0


def _summary(house: House, source: str) -> dict[str, Any]:
    thing: Feed | Layout = house.layouts[source] if source in house.layouts else house.feeds[source]
    is_layout = source in house.layouts
    return {
        "code": source,
        "title": thing.title,
        "kind": "layout" if is_layout else "feed",
        "version": None if is_layout else house.feeds[source].version,
        "feeds": list(house.layouts[source].feeds) if is_layout else [source],
        "agencies": [code for code in sorted(house.agencies) if house.accepts(code, source)],
        "rules": None if is_layout else len(house.feeds[source].rules),
    }


def _contract(feed: Feed) -> dict[str, Any]:
    return {
        "feed": feed.code,
        "version": feed.version,
        "delivery_mode": feed.delivery_mode,
        "key_properties": list(feed.key_properties),
        "properties": [
            {
                "name": prop.name,
                "kind": prop.kind,
                "is_list": prop.is_list,
                "need": prop.need,
                "classification": prop.classification,
                "code_list": prop.code_list,
                "description": prop.description,
            }
            for prop in feed.properties
        ],
        "rules": [
            {
                "rule_id": rule.rule_id,
                "severity": rule.severity,
                "dimension": rule.score_dimension,
                "scope": rule.scope,
                "sentence": rule.sentence,
                "what_to_do": rule.what_to_do,
                "recipient_role": rule.recipient_role,
            }
            for rule in feed.rules
        ],
    }
