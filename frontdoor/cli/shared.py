"""What several commands share: options, the names that are known, a file in words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from frontdoor.cli.output import UsageMistake, note

if TYPE_CHECKING:
    from frontdoor.contract import AgencyFeed, House
    from frontdoor.settings import Settings


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, logs on stderr")


@contextmanager
def a_database(settings: Settings) -> Iterator[None]:
    """Use the database that runs; where this home's own does not, start it for as long as the work takes."""
    from frontdoor import database, platform

    try:
        database.connect(settings).close()
    except database.DatabaseUnavailable:
        if settings.database_url is not None:
            raise
        with platform.up(settings, with_airflow=False, say=note):
            yield
        return
    yield


def agency_and_source(house: House, agency: str, source: str) -> tuple[str, str]:
    """Return both if this agency sends this feed or layout; else raise UsageMistake with the names that are known."""
    if agency not in house.agencies:
        raise UsageMistake(f"no agency of that name is known; known are: {_names(house.agencies)}")
    if source not in house.sources():
        raise UsageMistake(f"no feed or layout of that name is known; known are: {_names(house.sources())}")
    if not house.accepts(agency, source):
        its_own = [known for known in house.sources() if house.accepts(agency, known)]
        raise UsageMistake(f"{agency} does not send {source}; it sends: {_names(its_own)}")
    return agency, source


def a_day(text: str) -> date:
    """Return a date written YYYY-MM-DD, for argparse."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("wants a date written YYYY-MM-DD") from None


def a_role_of_ours(option: str, text: str) -> str:
    """Return the role if it is one of ours; else raise UsageMistake. A sender's liaison never excuses the sender."""
    from frontdoor.contract.model import RECIPIENT_ROLES

    roles = [role for role in RECIPIENT_ROLES if role != "liaison"]
    if text not in roles:
        raise UsageMistake(f"{option} wants a role of ours, never a name: {', '.join(roles)}")
    return text


def proposed_house(house: House, agency: str, source: str, path: Path) -> tuple[House, AgencyFeed | None]:
    """Return the house as it would be if the file held (`frontdoor.contract.proposal`); else raise UsageMistake."""
    from frontdoor.contract import ContractError
    from frontdoor.contract.proposal import house_with

    layout = house.layouts.get(source)
    try:
        proposed, agreed = house_with(house, path, layout.feeds[0] if layout else source)
    except OSError:
        raise UsageMistake("--proposed cannot be read") from None
    except ContractError as error:  # speaks of our own declarations
        raise UsageMistake(str(error)) from None
    if agreed is not None and (agreed.agency, agreed.source) != (agency, source):
        raise UsageMistake(f"--proposed speaks of {agreed.agency} and {agreed.source}")
    return proposed, agreed


def describe_file(document: dict[str, Any]) -> Iterator[str]:
    """Yield a FILE in lines for a person."""
    because = f": {document['reason']}" if document["reason"] else ""
    copy_of = f" of file {document['duplicate_of']}" if document["duplicate_of"] else ""
    yield f"file {document['file_id']}: {document['status']}{copy_of}{because}"
    for delivery in document["deliveries"]:
        if delivery["reason"] and len(document["deliveries"]) > 1:
            yield f"  delivery {delivery['delivery_id']}, part {delivery['member_no']}: {delivery['reason']}"
            continue
        findings = ", ".join(f"{count} {severity}" for severity, count in delivery["findings"].items())
        yield (
            f"  delivery {delivery['delivery_id']} {delivery['agency_code']}/{delivery['feed']}: {delivery['status']},"
            f" {delivery['verdict'] or 'not judged'}; {delivery['records_loaded']} of {delivery['records_in']} records"
            f" listed, {delivery['records_dead']} unreadable; findings: {findings};"
            f" {'in the marts' if delivery['built_at'] else 'not built yet'}"
        )


def describe_receipt(document: dict[str, Any]) -> Iterator[str]:
    """Yield a receipt (`receipts.documents`) in lines for a person."""
    from frontdoor.receipts.page import ranges

    receipt = document["receipt"]
    yield document["sentence"]
    which = "" if "check" in document else f"delivery {receipt['delivery_id']}, "
    yield f"{which}{receipt['title']} of {receipt['agency_name']}: {document['verdict']}"
    at_rows: dict[str, list[int]] = {}
    for finding in document["findings"]:
        if finding["row"] is not None:
            at_rows.setdefault(finding["rule_id"], []).append(finding["row"])
    for rule in document["rules"]:
        if rule["failed"]:
            states = ", ".join(
                f"{rule[state]} {state}" for state in ("new", "persisting", "waived", "resolved") if rule[state]
            )
            yield f"\n{rule['rule_id']} {rule['severity']}, {states}: {rule['sentence']}"
            yield f"  what to do: {rule['what_to_do']}"
            for waiver in rule["waivers"]:
                until = waiver["until"].astimezone(ZoneInfo(receipt["timezone"]))
                yield f"  waiver {waiver['waiver_id']}, until {until:%Y-%m-%d %H:%M}: {waiver['reason']}"
            if rule["rule_id"] in at_rows:
                yield f"  {document['rows_are'].lower()}: {ranges(at_rows[rule['rule_id']])}"
    not_asked = document.get("check", {}).get("not_asked", [])
    if not_asked:
        yield f"\nnot asked: {', '.join(not_asked)}. {document['check']['why_not_asked']}"
    not_run = [rule["rule_id"] for rule in document["rules"] if rule["status"] == "not_run"]
    not_run = [rule_id for rule_id in not_run if rule_id not in not_asked]
    if not_run:
        yield f"\nnot run: {', '.join(not_run)}"
    for each in document["unread"]:
        where = f"line {each['line_no']}" if each["line_no"] else "the file or a part of it"
        yield f"{where} could not be read: {each['reason']}"
    for each in (document["told"] or {}).get("letters", ()):
        sent = (
            f"sent {each['sent_at'].astimezone(ZoneInfo(receipt['timezone'])):%Y-%m-%d %H:%M}"
            if each["sent_at"]
            else ""
        )
        yield f"told: {each['to_role']}, {sent or 'not sent yet'}"
    for each in document["answers"]:
        said = each["answer"].replace("_", " ")
        yield f"answered: {said}, {each['rule_id']} in delivery {each['delivery_id']}: {each['state']}"
    if document["mended"]:
        yield f"\nmended: {len(document['mended'])} findings of earlier deliveries"
    yield f"\n{document['safety']}"


def _names(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"
