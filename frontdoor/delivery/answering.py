"""A sender's answers to a receipt, read back from the workbook that it was sent, or from JSON.

    the sheet "Summary"     its last two columns, one of them filled: a dispute, or that no action is needed
    JSON                    {"delivery_id": 17, "answers": [{"rule_id": "POL-020", "answer": "dispute", "reason": "...",
                            "row": 12}]}; `row` as the receipt counts them, 0 for the file, left out for all of the rule

The file is taken whole or not at all. A refusal says where it is wrong, by row and rule, and never what stands there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.contract.rows import rows_of as counting
from frontdoor.intake.content import Content
from frontdoor.intake.readers import ooxml, workbook
from frontdoor.intake.reasons import SENTENCES, Unreadable
from frontdoor.quality import disputes
from frontdoor.quality.disputes import DISPUTE, NO_ACTION, REASON_MAX_CHARACTERS, Answer

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

MOST_BYTES, MOST_ROWS, MOST_ANSWERS = 5 * 2**20, 5_000, 1_000
SHEET, RULE = "Summary", "Rule"
COLUMNS = {"Dispute: say why": DISPUTE, "No action needed: say why": NO_ACTION}
# What its receipt lists: a rule that the council itself must answer is not the sender's to dispute.
OF_THE_SENDER = """
    select findings.record_no, findings.rule_id
    from quality.findings as findings
    left join quality.checks as checks
        on findings.rule_id = checks.rule_id and findings.contract_version = checks.contract_version
    where findings.delivery_id = %s and coalesce(checks.recipient_role, 'liaison') = 'liaison'
"""
_WHICH = re.compile(r"Delivery (\d{1,18}), .*", re.DOTALL)
_RULE_ID = re.compile(r"[A-Z]{3}-\d{3}")
_FORMULAS = {workbook.FORMULAS, workbook.FORMULA_STRING}


class Refused(ValueError):
    """The answers cannot be taken as they are; the sentence says where, and holds no text of the file."""


def answers_in(path: Path) -> tuple[int, list[tuple[str, int | None, str, str]]]:
    """The delivery that a file answers, and (rule, row or None, answer, reason) of each. Raises `Refused`."""
    try:
        if not path.is_file():
            raise Refused("there is no such file")
        if path.stat().st_size > MOST_BYTES:
            raise Refused(f"the file is larger than {MOST_BYTES // 2**20} MB: no answered receipt is")
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        delivery_id, found = _of_workbook(path) if is_zip else _of_json(path)
    except OSError:
        raise Refused("the file cannot be read") from None
    except Unreadable as refusal:
        raise Refused(SENTENCES[refusal.code]) from None
    except ooxml.Broken:
        raise Refused(SENTENCES["workbook_broken"]) from None
    if len(found) > MOST_ANSWERS:
        raise Refused(f"it holds more than {MOST_ANSWERS} answers")
    if len({(rule, row) for rule, row, _, _ in found}) < len(found):
        raise Refused("it answers one question twice")
    return delivery_id, found


def take(connection: Connection, house: House, agency: str, path: Path) -> tuple[int, int, int]:
    """Write the answers of an agency down; return the delivery, how many are new or changed, how many were known.

    Raises `Refused` where the delivery is not the agency's, or a rule or row found nothing in it.
    """
    delivery_id, found = answers_in(path)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select deliveries.source, coalesce(members.reading, '{}') from intake.deliveries as deliveries"
            " left join intake.members as members using (file_id, member_no)"
            " where deliveries.delivery_id = %s and deliveries.agency_code = %s",
            (delivery_id, agency),
        )
        whose = cursor.fetchone()
        if whose is None:
            raise Refused(f"{agency} sent no delivery of the number that the file names")
        cursor.execute(OF_THE_SENDER, (delivery_id,))
        told = set(cursor.fetchall())
        ahead = counting(house, *whose).ahead
        answers = [Answer(rule, row - ahead if row else row, answer, reason) for rule, row, answer, reason in found]
        of_rules = {rule_id for _, rule_id in told}
        for number, each in enumerate(answers, start=1):
            if each.rule_id not in of_rules or (
                each.record_no is not None and (each.record_no, each.rule_id) not in told
            ):
                raise Refused(f"answer {number}, to {each.rule_id}: the receipt has no such finding")
        by_role = house.agencies[agency].liaison_role if agency in house.agencies else "liaison"
        return delivery_id, *disputes.record(cursor, delivery_id, answers, by_role)


def _of_workbook(path: Path) -> tuple[int, list[tuple[str, int | None, str, str]]]:
    content = Content(path)
    with ooxml.Package(content) as package:
        book = ooxml.Book(package)
        try:
            sheets = [each for each in book.sheets if each.name == SHEET]
            if len(sheets) != 1 or book.has_more:
                raise Refused(f"it is not the workbook that was sent: expected one sheet {SHEET}, and nothing but data")
            return _of_rows(workbook.rows_of(package, book, sheets[0]))
        finally:
            book.strings().close()


def _of_rows(rows: Iterator[workbook.SheetRow]) -> tuple[int, list[tuple[str, int | None, str, str]]]:
    delivery_id, places, found = None, dict[int, str](), list[tuple[str, int | None, str, str]]()
    for number, row in enumerate(rows, start=1):
        cells = row.cells
        if number > MOST_ROWS or cells is None:
            raise Refused(f"row {row.row_no} is more than a receipt holds")
        if delivery_id is None and (which := _WHICH.fullmatch(cells[0])):
            delivery_id = int(which[1])
        if not places:
            if cells[:1] == [RULE]:
                places = {at: COLUMNS[cell] for at, cell in enumerate(cells) if cell in COLUMNS}
            continue
        said = [(answer, _cell(cells, at)) for at, answer in places.items() if _cell(cells, at).strip()]
        if _FORMULAS.intersection(row.faults) or row.formulas:
            raise Refused(
                f"row {row.row_no} holds a formula, or a text that a spreadsheet would run: write plain words"
            )
        if len(said) > 1:
            raise Refused(f"row {row.row_no} is answered both ways: fill one of the two columns")
        for answer, reason in said:
            if not _RULE_ID.fullmatch(cells[0].strip()):
                raise Refused(f"row {row.row_no} is answered, and names no rule")
            found.append((cells[0].strip(), None, answer, _reason(reason, f"row {row.row_no}")))
    if delivery_id is None or len(places) != len(COLUMNS):
        raise Refused("it is not the workbook that was sent: the delivery or the columns to fill are missing")
    return delivery_id, found


def _of_json(path: Path) -> tuple[int, list[tuple[str, int | None, str, str]]]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise Refused("it is neither the workbook that was sent nor JSON") from None
    given = document.get("answers") if isinstance(document, dict) else None
    delivery_id = document.get("delivery_id") if isinstance(document, dict) else None
    if not isinstance(delivery_id, int) or not _is_whole(delivery_id) or not isinstance(given, list):
        raise Refused("expected delivery_id, a number, and answers, a list")
    return delivery_id, [_of_object(each, f"answer {number}") for number, each in enumerate(given, start=1)]


def _of_object(given: Any, place: str) -> tuple[str, int | None, str, str]:
    if not isinstance(given, dict) or not set(given) <= {"rule_id", "row", "answer", "reason"}:
        raise Refused(f"{place}: expected rule_id, answer, reason and perhaps row")
    rule, row, answer, reason = (given.get(name) for name in ("rule_id", "row", "answer", "reason"))
    if not isinstance(rule, str) or not _RULE_ID.fullmatch(rule):
        raise Refused(f"{place}: expected the id of a rule")
    if answer not in (DISPUTE, NO_ACTION):
        raise Refused(f"{place}: expected answer to be {DISPUTE} or {NO_ACTION}")
    if row is not None and not _is_whole(row):
        raise Refused(f"{place}: expected row to be a number as in the receipt, or nothing")
    if not isinstance(reason, str):
        raise Refused(f"{place}: expected a reason in words")
    return rule, row, str(answer), _reason(reason, place)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _reason(text: str, place: str) -> str:
    reason = " ".join(text.replace("\0", " ").split())
    if not 0 < len(reason) <= REASON_MAX_CHARACTERS:
        raise Refused(f"{place}: expected a reason of at most {REASON_MAX_CHARACTERS} characters")
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise Refused(f"{place}: the reason holds what is no text") from None
    return reason


def _cell(cells: Sequence[str], at: int) -> str:
    return cells[at] if at < len(cells) else ""
