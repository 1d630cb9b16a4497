"""A receipt as a document: what came of one delivery, in the words and rows of whoever sent it.

    receipt     which delivery, of whom, under which contract, and when
    verdict     the word, and the sentence that opens every receipt
    counts      in, on the list, unread: they add up; and how many records need an answer
    rules       every rule that was put to it: what it came to, what is expected, what to do
    findings    row by row, in the sender's order
    mended      findings of earlier deliveries that this one closed
    answers     what the sender said to findings, of this delivery or earlier ones, and what came of it; never its words
    unread      lines that could not be read
    told        who was told of it in a letter or is to be rung, when, and what still waits

Only what the sender can mend is listed: a rule that the council itself must answer is a number here, and its sentence
goes to the council. No value of a record is in it, and the sender's own references only where they are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from frontdoor.contract.rows import Rows, rows_of
from frontdoor.receipts import facts
from frontdoor.receipts.columns import Columns, columns_of
from frontdoor.receipts.told import told

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House, Rule

LIAISON = "liaison"
SAFETY = (
    "This is not the way to report a child. If a child is in immediate danger, call 999."
    " If it is urgent, ring the front door."
)
OPEN = ("new", "persisting")
STATES = ("new", "persisting", "waived", "resolved")
_URGENCY = {"critical": 0, "warning": 1, "info": 2}
_HOUSE_ZONE = ZoneInfo("Europe/London")


def documents(
    connection: Connection, house: House, delivery_ids: Collection[int], *, with_references: bool = False
) -> list[dict[str, Any]]:
    """The receipts of these deliveries, in order; one that nobody knows is left out. Writes nothing.

    ``with_references``: beside each row the sender's own reference, where it looks like one. For those behind a login.
    """
    checks = facts.checks(connection, delivery_ids)
    findings = facts.findings(connection, delivery_ids)
    mended = facts.mended(connection, delivery_ids)
    waived = facts.waived(connection, delivery_ids)
    answered = facts.answered(connection, delivery_ids)
    unread = facts.unread(connection, delivery_ids)
    people = told(connection, delivery_ids)
    made = []
    for delivery in facts.deliveries(connection, delivery_ids):
        named: Mapping[int, str] = {}
        if with_references and delivery.feed in house.feeds:
            named = facts.references(connection, delivery, house.feeds[delivery.feed].reference_property)
        of_it = delivery.delivery_id
        made.append(
            _document(
                connection,
                house,
                delivery,
                checks[of_it],
                findings[of_it],
                mended[of_it],
                waived[of_it],
                unread[of_it],
                answered[of_it],
                people[of_it],
                named,
            )
        )
    return made


def _document(
    connection: Connection,
    house: House,
    delivery: facts.Delivery,
    checks: Sequence[facts.Check],
    findings: Sequence[facts.Finding],
    mended: Sequence[facts.Mended],
    waived: Sequence[facts.Waived],
    unread: Sequence[facts.Unread],
    answered: Sequence[facts.Answered],
    people: Mapping[str, Any],
    named: Mapping[int, str],
) -> dict[str, Any]:
    agency = house.agencies.get(delivery.agency_code)
    on = delivery.received_at.astimezone(ZoneInfo(agency.timezone) if agency else _HOUSE_ZONE).date()
    rows = rows_of(house, delivery.source, delivery.reading)
    year = delivery.reading.get("layout_year")
    columns = columns_of(house, delivery.agency_code, delivery.source, delivery.feed, delivery.part, on, year)
    ours = [check for check in checks if check.recipient_role == LIAISON]
    rules = [_rule(house, delivery, check, columns, waived) for check in ours]
    severity = {rule["rule_id"]: rule["severity"] for rule in rules}
    counts = _counts(connection, delivery, checks, severity)
    listed = [_finding(each, severity[each.rule_id], rows, named) for each in findings if each.rule_id in severity]
    return {
        "receipt": {
            **{
                name: value
                for name, value in asdict(delivery).items()
                if name not in ("reading", "part") and not (name in facts.ONLY_WHERE_SAID and value is None)
            },
            "agency_name": agency.name if agency else "",
            "timezone": agency.timezone if agency else _HOUSE_ZONE.key,
            "title": house.feeds[delivery.feed].title,
        },
        "verdict": delivery.verdict or ("unreadable" if delivery.status == "dead_letter" else None),
        "sentence": _sentence(house, delivery, counts, listed, unread),
        "counts": counts,
        "rules": sorted(rules, key=_most_urgent_first),
        "rows_are": rows.label,
        "findings": listed,
        "findings_not_listed": max(sum(sum(check.states.values()) for check in ours) - len(listed), 0),
        "mended": [
            {"delivery_id": each.delivery_id, "record_no": each.record_no, "rule_id": each.rule_id}
            for each in mended
            if each.rule_id in severity
        ],
        "answers": [asdict(each) for each in answered],
        "unread": [asdict(each) for each in unread],
        "told": people,
        "columns": [
            {
                "property": prop.name,
                "column": columns.name_of(prop.name),
                "needed": columns.needed(prop.name),
                "expected": columns.expected(prop.name),
            }
            for prop in columns.feed.properties
        ],
        "safety": SAFETY,
    }


def _rule(
    house: House, delivery: facts.Delivery, check: facts.Check, columns: Columns, waived: Sequence[facts.Waived]
) -> dict[str, Any]:
    rule = _declared(house, delivery.feed, check.rule_id)
    tightened = columns.agreed.tightened if columns.agreed else {}
    about = columns.of_rule(rule) if rule else ()
    return {
        "rule_id": check.rule_id,
        "title": rule.title if rule else "",
        "severity": tightened.get(check.rule_id, check.severity),
        "dimension": check.score_dimension,
        "scope": check.scope,
        "sentence": check.sentence,
        "what_to_do": check.what_to_do,
        "status": check.status,
        "checked": check.checked_count,
        "failed": check.failed_count,
        **{state: check.states.get(state, 0) for state in STATES},
        "waivers": [
            {"waiver_id": each.waiver_id, "findings": each.findings, "until": each.expires_at, "reason": each.reason}
            for each in waived
            if each.rule_id == check.rule_id
        ],
        "properties": list(about),
        "columns": [columns.name_of(name) for name in about],
    }


def _declared(house: House, feed: str, rule_id: str) -> Rule | None:
    return next((rule for rule in (*house.feeds[feed].rules, *house.file_rules) if rule.rule_id == rule_id), None)


def _counts(
    connection: Connection, delivery: facts.Delivery, checks: Sequence[facts.Check], severity: Mapping[str, str]
) -> dict[str, int]:
    wanting = [rule_id for rule_id, grave in severity.items() if grave != "info"]
    broken = any(check.failed_count and check.rule_id in wanting for check in checks)
    records, newly = facts.to_answer(connection, delivery.delivery_id, wanting) if broken else (0, 0)
    return {
        "records_in": delivery.records_in,
        "records_listed": delivery.records_loaded,
        "records_unread": delivery.records_dead,
        "records_to_answer": records + delivery.records_dead,
        "records_to_answer_new": newly + delivery.records_dead,
        "findings_for_the_council": sum(sum(each.states.values()) for each in checks if each.recipient_role != LIAISON),
    }


def _finding(finding: facts.Finding, severity: str, rows: Rows, named: Mapping[int, str]) -> dict[str, Any]:
    found = {
        # Record 0 is the file as a whole.
        "row": finding.record_no + rows.ahead if finding.record_no else None,
        "record_no": finding.record_no,
        "rule_id": finding.rule_id,
        "severity": severity,
        "state": finding.state,
    }
    return {**found, "reference": named.get(finding.record_no)} if named else found


def _sentence(
    house: House,
    delivery: facts.Delivery,
    counts: Mapping[str, int],
    findings: Sequence[Mapping[str, Any]],
    unread: Sequence[facts.Unread],
) -> str:
    """Say "142 received, 142 on the front door's list, 6 need an answer"."""
    if delivery.status == "dead_letter":
        return f"{unread[0].reason if unread else 'It cannot be read.'} Nothing of it is on the front door's list."
    if delivery.nil_signed_by:
        return f"0 received: a nil return, signed by {delivery.nil_signed_by}. Nothing needs an answer."
    listed = "on the front door's list" if house.feeds[delivery.feed].worklist else "in the front door's books"
    said = [f"{counts['records_in']:,} received", f"{counts['records_listed']:,} {listed}"]
    if counts["records_unread"]:
        said.append(f"{counts['records_unread']:,} could not be read")
    waiting, newly = counts["records_to_answer"], counts["records_to_answer_new"]
    if waiting:
        said.append(f"{waiting:,} {'needs' if waiting == 1 else 'need'} an answer")
        if newly < waiting:
            said.append(f"{newly:,} of them new" if newly else "none of them new")
    elif any(_is_of_the_file(each) and each["severity"] != "info" and each["state"] in OPEN for each in findings):
        said.append("the file needs an answer")
    else:
        said.append("none needs an answer")
    return f"{', '.join(said)}."


def _is_of_the_file(finding: Mapping[str, Any]) -> bool:
    return finding["record_no"] == 0


def _most_urgent_first(rule: Mapping[str, Any]) -> tuple[int, int, str]:
    still_open = sum(rule[state] for state in OPEN)
    return (0 if still_open else 1, _URGENCY.get(rule["severity"], 1), rule["rule_id"])
