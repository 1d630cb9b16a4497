"""A receipt as a workbook, for whoever mends in a spreadsheet: the sender's own columns and rows, and no value of them.

    Summary         the verdict, and rule by rule what is open, with two columns to fill: a dispute, no action needed
    Critical first  what changes what somebody does today
    All             every finding, in the order of the sender's rows
    Your rows       the sender's columns; in the cell that a rule is about stands the rule
    Rules           the dictionary: every rule that was put to the delivery
    Columns         what is expected in each column
    Who was told    letters and calls, when, and what still waits; where there is something
    Your answers    what was answered before, and what came of it; where there is something

The same receipt gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

# Stands in the workbook as the time at which it was made.
MADE_AT = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
OPEN = ("new", "persisting")
Cells = Sequence[str | int | None]


def workbook(document: Mapping[str, Any]) -> bytes:
    """The workbook (XLSX) of a receipt (`receipts.documents`)."""
    import xlsxwriter

    made = io.BytesIO()
    # Nothing in it is a formula or a link, whatever a text begins with.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(made, options) as book:
        book.set_properties({"created": MADE_AT, "title": _title(document)})
        styles = _Styles(book)
        rules = {rule["rule_id"]: rule for rule in document["rules"]}
        _summary(book.add_worksheet("Summary"), styles, document)
        critical = [each for each in document["findings"] if each["severity"] == "critical"]
        _findings(book.add_worksheet("Critical first"), styles, critical, rules)
        _findings(book.add_worksheet("All"), styles, document["findings"], rules)
        _rows(book.add_worksheet("Your rows"), styles, document, rules)
        _rules(book.add_worksheet("Rules"), styles, document)
        _table(
            book.add_worksheet("Columns"),
            styles,
            {"Column": 32, "When": 24, "What is expected": 100},
            ([each["column"], each["needed"], each["expected"]] for each in document["columns"]),
        )
        if document["told"] and (document["told"]["letters"] or document["told"]["calls"]):
            _told(book.add_worksheet("Who was told"), styles, document)
        if document["answers"]:
            _answers(book.add_worksheet("Your answers"), styles, document)
    return made.getvalue()


def _title(document: Mapping[str, Any]) -> str:
    if "check" in document:
        return "Check before sending"
    return f"Receipt for delivery {document['receipt']['delivery_id']}"


class _Styles:
    """The few formats of a receipt."""

    def __init__(self, book: Workbook) -> None:
        self.heading = book.add_format({"bold": True, "font_size": 14})
        self.label = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.text = book.add_format({"text_wrap": True, "valign": "top"})
        self.to_fill = book.add_format({"text_wrap": True, "valign": "top", "bg_color": "#FFF8DC", "locked": False})
        self.warning = book.add_format({"bold": True, "font_color": "#A40E26", "text_wrap": True})


def _summary(sheet: Worksheet, styles: _Styles, document: Mapping[str, Any]) -> None:
    receipt, counts = document["receipt"], document["counts"]
    widths = {
        "Rule": 12, "Severity": 11, "What": 42, "Open": 8, "New": 8, "Persisting": 11, "Waived": 9, "What to do": 60,
        "Dispute: say why": 30, "No action needed: say why": 30,
    }  # fmt: skip
    for column, width in enumerate(widths.values()):
        sheet.set_column(column, column, width)
    sheet.write_string(0, 0, document["sentence"], styles.heading)
    which = "Check before sending" if "check" in document else f"Delivery {receipt['delivery_id']}"
    sheet.write_string(1, 0, f"{which}, {receipt['title']} of {receipt['agency_name']}")
    sheet.write_string(2, 0, f"Verdict: {(document['verdict'] or 'not judged').replace('_', ' ')}")
    sheet.write_string(
        3,
        0,
        f"{counts['records_in']:,} in = {counts['records_listed']:,} on the list + {counts['records_unread']:,} unread",
    )
    sheet.write_string(4, 0, document["safety"], styles.warning)
    to_send_back = "Send this sheet back with its last columns filled. No name and no detail of a child in it."
    sheet.write_string(5, 0, document["check"]["notice"] if "check" in document else to_send_back)
    for column, label in enumerate(widths):
        sheet.write_string(7, column, label, styles.label)
    broken = [rule for rule in document["rules"] if rule["failed"]]
    for number, rule in enumerate(broken, start=8):
        still_open = sum(rule[state] for state in OPEN)
        title = rule["title"] or rule["sentence"]
        states = [still_open, rule["new"], rule["persisting"], rule["waived"]]
        _write(sheet, number, [rule["rule_id"], rule["severity"], title, *states, rule["what_to_do"]], styles)
        for column in (8, 9):
            sheet.write_blank(number, column, None, styles.to_fill)
    sheet.freeze_panes(8, 0)


def _findings(
    sheet: Worksheet, styles: _Styles, findings: Sequence[Mapping[str, Any]], rules: Mapping[str, Mapping[str, Any]]
) -> None:
    has_references = any("reference" in each for each in findings)
    # What to do about a rule stands under Rules, once.
    widths = {"Row": 8, "Rule": 12, "Severity": 11, "What": 80, "Columns": 40, "State": 11}
    _table(
        sheet,
        styles,
        widths | ({"Your reference": 24} if has_references else {}),
        (
            [
                each["row"] if each["row"] is not None else "file",
                each["rule_id"],
                each["severity"],
                rules[each["rule_id"]]["sentence"],
                ", ".join(rules[each["rule_id"]]["columns"]),
                each["state"],
                *([each["reference"]] if has_references else []),
            ]
            for each in findings
        ),
    )


def _rows(
    sheet: Worksheet, styles: _Styles, document: Mapping[str, Any], rules: Mapping[str, Mapping[str, Any]]
) -> None:
    """One line for each row with something open; a rule that is about no column stands under "The row"."""
    columns = document["columns"]
    open_ones = [each for each in document["findings"] if each["row"] is not None and each["state"] in OPEN]

    def lines() -> Iterable[Cells]:
        for row, found in groupby(open_ones, key=lambda each: each["row"]):
            said: dict[str, list[str]] = {}
            for each in found:
                for name in rules[each["rule_id"]]["properties"] or [""]:
                    said.setdefault(name, []).append(each["rule_id"])
            yield [row, *(" ".join(said.get(name, ())) for name in ["", *(each["property"] for each in columns)])]

    _table(sheet, styles, {"Row": 8, "The row": 12} | {each["column"]: 16 for each in columns}, lines())


def _rules(sheet: Worksheet, styles: _Styles, document: Mapping[str, Any]) -> None:
    zone = ZoneInfo(document["receipt"]["timezone"])
    _table(
        sheet,
        styles,
        {"Rule": 12, "Severity": 11, "Dimension": 14, "What it says of a row": 60, "What to do": 60, "Columns": 40}
        | {"Came to": 14, "Asked of": 10, "Not kept by": 12, "Waived, until when and why": 50},
        (
            [
                rule["rule_id"],
                rule["severity"],
                rule["dimension"],
                rule["sentence"],
                rule["what_to_do"],
                ", ".join(rule["columns"]),
                rule["status"].replace("_", " "),
                rule["checked"],
                rule["failed"],
                "; ".join(
                    f"{waiver['findings']} until {waiver['until'].astimezone(zone):%Y-%m-%d %H:%M}: {waiver['reason']}"
                    for waiver in rule["waivers"]
                ),
            ]
            for rule in sorted(document["rules"], key=lambda rule: rule["rule_id"])
        ),
    )


def _told(sheet: Worksheet, styles: _Styles, document: Mapping[str, Any]) -> None:
    zone = ZoneInfo(document["receipt"]["timezone"])

    def at(instant: datetime | None) -> str:
        return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}" if instant else ""

    told = document["told"]
    letters = (
        [
            each["to_role"].replace("_", " "),
            f"a letter: {each['subject']}",
            "sent" if each["sent_at"] else "not sent yet",
            at(each["sent_at"] or each["written_at"]),
        ]
        for each in told["letters"]
    )
    calls = (
        [
            each["by_role"].replace("_", " "),
            f"a call to you about what could not be read ({each['lines']})",
            (each["outcome"] or "closed").replace("_", " ") if each["closed_at"] else "to be made by",
            at(each["closed_at"] or each["due_at"]),
        ]
        for each in told["calls"]
    )
    _table(sheet, styles, {"Who": 32, "What": 80, "State": 20, "When": 18}, [*letters, *calls])


def _answers(sheet: Worksheet, styles: _Styles, document: Mapping[str, Any]) -> None:
    zone = ZoneInfo(document["receipt"]["timezone"])

    def day(instant: datetime | None) -> str:
        return f"{instant.astimezone(zone):%Y-%m-%d}" if instant else ""

    _table(
        sheet,
        styles,
        {"Rule": 12, "In delivery": 12, "Record": 10, "Your answer": 20, "State": 12, "To be settled by": 18}
        | {"Settled on": 14, "What we say": 60, "What follows": 20},
        (
            [
                each["rule_id"],
                each["delivery_id"],
                each["record_no"],
                "a dispute" if each["answer"] == "dispute" else "no action needed",
                each["state"],
                day(each["due_at"]),
                day(each["settled_at"]),
                each["settlement"],
                (each["next_step"] or "").replace("_", " "),
            ]
            for each in document["answers"]
        ),
    )


def _table(sheet: Worksheet, styles: _Styles, widths: Mapping[str, int], lines: Iterable[Cells]) -> None:
    """Write a header that stays in sight and can be filtered by, and what stands under it."""
    for column, (label, width) in enumerate(widths.items()):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, label, styles.label)
    last = 0
    for last, cells in enumerate(lines, start=1):
        _write(sheet, last, cells, styles)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, last, len(widths) - 1)


def _write(sheet: Worksheet, row: int, cells: Cells, styles: _Styles) -> None:
    for column, cell in enumerate(cells):
        if isinstance(cell, int):
            sheet.write_number(row, column, cell, styles.text)
        elif cell:
            sheet.write_string(row, column, cell, styles.text)
