"""``frontdoor contract``: whether the declarations are right, what an agency agreed, and how two agreements differ."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli import signing, trying
from frontdoor.cli.output import UsageMistake, emit, note, say
from frontdoor.cli.shared import a_day, add_json, agency_and_source

if TYPE_CHECKING:
    from frontdoor.contract import House
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``contract lint``, ``show``, ``diff``, ``trial`` and ``sign``."""
    contract = commands.add_parser("contract", help="what was agreed with whom, and whether it is right")
    actions = contract.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")

    linted = actions.add_parser("lint", help="look for what a declaration gets wrong; 1 where something is")
    linted.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="default: expectations/")
    add_json(linted)
    linted.set_defaults(run=run_lint)

    shown = actions.add_parser("show", help="all that an agency agreed: fields, codes, format, rules, versions")
    _add_whom(shown)
    shown.add_argument("--on", type=a_day, metavar="DATE", help="as agreed for that day; default: today")
    add_json(shown)
    shown.set_defaults(run=run_show)

    differing = actions.add_parser(
        "diff", help="in words: two days of one agency, two agencies, or what is agreed and a proposed file"
    )
    _add_whom(differing)
    differing.add_argument("--from", dest="before", type=a_day, metavar="DATE", help="default: the version before")
    differing.add_argument("--to", type=a_day, metavar="DATE", help="default: today")
    differing.add_argument("--with", dest="other", metavar="B", help="another agency that sends the same")
    differing.add_argument(
        "--proposed",
        type=Path,
        action="append",
        metavar="FILE",
        help="a contract or an agency's file; twice: old and new",
    )
    add_json(differing)
    differing.set_defaults(run=run_diff)
    trying.add(actions)
    signing.add(actions)


def _add_whom(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agency", required=True, metavar="A")
    parser.add_argument("--feed", required=True, metavar="F", help="the feed or layout by which it sends")


def run_lint(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print one line per problem; 1 if there is one."""
    from frontdoor import clock
    from frontdoor.contract.lint import look

    found, counted = look(arguments.folder, clock.now().date())
    if arguments.json:
        emit({"ok": not found, "problems": found, "sentence": counted})
    else:
        for line in found:
            note(line)
        if not found:
            say(counted)
    return 1 if found else 0


def run_show(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the agreement of a day."""
    from frontdoor.contract import load_house

    documents = _agreed(load_house(), arguments.agency, arguments.feed, arguments.on or _today())
    if arguments.json:
        emit({"agreements": documents})
        return 0
    for document in documents:
        for line in _in_words(document):
            say(line)
    return 0


def run_diff(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the differences, or that there is none."""
    from frontdoor.contract import load_house
    from frontdoor.contract.difference import differences

    if sum(each is not None for each in (arguments.before, arguments.other, arguments.proposed)) > 1:
        raise UsageMistake("diff wants one of --from, --with and --proposed")
    house, to = load_house(), arguments.to or _today()
    after = _agreed(house, arguments.agency, arguments.feed, to)
    if arguments.other is not None:
        before, after = after, _agreed(house, arguments.other, arguments.feed, to)
    elif arguments.proposed is not None:
        if len(arguments.proposed) > 2:
            raise UsageMistake("diff compares two files at the most")
        before, after = ([after, *(_proposed(house, arguments, path, to) for path in arguments.proposed)])[-2:]
    else:
        day = arguments.before or min(each["valid_from"] for each in after) - timedelta(days=1)
        if arguments.before is None and not _is_agreed(house, arguments, day):
            raise UsageMistake(
                "this is the first version, and none came before it: diff wants a day (--from), another agency (--with)"
                " or a file (--proposed)"
            )
        before = _agreed(house, arguments.agency, arguments.feed, day)
    by_feed = {each["feed"]: each for each in before}
    pairs = [(by_feed[each["feed"]], each) for each in after if each["feed"] in by_feed]
    found = [
        {"feed": new["feed"], "before": _which(old), "after": _which(new), "differences": differences(old, new)}
        for old, new in pairs
    ]
    if arguments.json:
        emit({"compared": found})
        return 0
    for each in found:
        say(f"{each['feed']}: {each['before']}, and {each['after']}: {len(each['differences'])} differences")
        for difference in each["differences"]:
            say(f"  {difference['sentence']}")
    return 0


def _today() -> date:
    from frontdoor import clock

    return clock.now().date()


def _agreed(house: House, agency: str, source: str, on: date) -> list[dict[str, Any]]:
    from frontdoor.contract.agreement import agreements

    agency, source = agency_and_source(house, agency, source)
    found = agreements(house, agency, source, on)
    if not found:
        raise UsageMistake(f"nothing was agreed with {agency} about {source} for {on}")
    return found


def _is_agreed(house: House, arguments: argparse.Namespace, on: date) -> bool:
    from frontdoor.contract.agreement import agreements

    return bool(agreements(house, arguments.agency, arguments.feed, on))


def _proposed(house: House, arguments: argparse.Namespace, path: Path, on: date) -> list[dict[str, Any]]:
    from frontdoor.cli.shared import proposed_house

    proposed, _ = proposed_house(house, arguments.agency, arguments.feed, path)
    return _agreed(proposed, arguments.agency, arguments.feed, on)


def _which(document: dict[str, Any]) -> str:
    return f"{document['agency']} version {document['agency_version']} of contract {document['contract_version']}"


def _in_words(document: dict[str, Any]) -> Iterator[str]:
    yield f"{document['title']} as {document['agency_name']} sends it by {document['source']}: {_which(document)}"
    for each in document["versions"]:
        signed = ", ".join(f"{party} {said['on']}" for party, said in each["signed"].items()) or "nobody"
        days = f"from {each['valid_from']} to {each['valid_to'] or 'further notice'}"
        yield f"  version {each['version']}: {days}; signed by {signed}"
    for name, value in document["terms"].items():
        yield f"  {name}: {' | '.join(value) if isinstance(value, list) else value}"
    for role, holder in document["contacts"].items():
        yield f"  contact as {role}: {holder}"
    for each in document["layout_years"]:
        span = f"{each['from']} to {each['to']}" if each["to"] != each["from"] else str(each["from"])
        yield f"  layout of {span}: {each['says']} ({each['source']})"
    yield "\nfields, under the agency's own headers"
    for field in document["fields"]:
        kind = field["kind"] + ("*" if field["is_list"] else "")
        yield f"  {' | '.join(field['headers'])}: {field['property']}, {kind}, {field['need']}. {field['description']}"
    yield "\ncodes; what is none of them goes to a person"
    for name, codes in document["codes"].items():
        yield f"  {name}"
        for code, each in codes.items():
            spelled = f"; also {', '.join(repr(text) for text in each['spellings'])}" if each["spellings"] else ""
            yield f"    {code}: {each['label']}{spelled}"
    yield "\nrules; none holds a record back"
    for rule in document["rules"]:
        standing = {
            "as_contract": "",
            "tightened": f", tightened from {rule['contract_severity']}",
            "waived": ", WAIVED",
        }[rule["standing"]]
        yield f"  {rule['rule_id']} {rule['severity']}{standing}: {rule['sentence']} -> {rule['what_to_do']}"
