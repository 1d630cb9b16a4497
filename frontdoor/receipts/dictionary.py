"""What is asked of one sender, as a workbook: its own columns and labels, and every rule in plain words.

    Columns     each column by the sender's own name: when it is needed, what is expected, what it is for
    Labels      what may stand in a column of codes, and what we take it for
    Rules       what is checked, what to do, and in which columns; of the records, then of the file

Rules that the council itself must answer are not in it. The same contracts give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import date

from frontdoor import reference
from frontdoor.contract import House
from frontdoor.receipts.columns import Columns, columns_of
from frontdoor.receipts.document import LIAISON
from frontdoor.receipts.workbook import MADE_AT, Cells, _Styles, _table

Part = tuple[str, Columns]


def dictionary(house: House, agency: str, source: str, on: date) -> bytes:
    """The workbook (XLSX) for what an agency sends by a feed or layout, as agreed on a day."""
    import xlsxwriter

    parts = list(_parts(house, agency, source, on))
    listed = {"List": 16} if any(name for name, _ in parts) else {}
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"created": MADE_AT, "title": f"Dictionary of {source} for {agency}"})
        styles = _Styles(book)
        _table(
            book.add_worksheet("Columns"),
            styles,
            listed | {"Column": 32, "When": 24, "What is expected": 60, "What it is": 80, "Our name": 26},
            _in_lists(parts, _fields),
        )
        _table(
            book.add_worksheet("Labels"),
            styles,
            listed | {"Column": 32, "You may write": 40, "We take it for": 60, "Our code": 26},
            _in_lists(parts, _labels),
        )
        _table(
            book.add_worksheet("Rules"),
            styles,
            {"Rule": 12, "Severity": 11, "Dimension": 14, "What it says of a row": 60, "What to do": 60, "Columns": 40},
            _rules(house, agency, source, parts),
        )
    return made.getvalue()


def _parts(house: House, agency: str, source: str, on: date) -> Iterator[Part]:
    """Each list that is read of a file, by its name, with its columns; one without a name where a file is one list."""
    layout = house.layouts.get(source)
    if layout is None:
        yield "", columns_of(house, agency, source, source, "", on)
    elif layout.lists:
        for listed in layout.lists:
            if listed.feed is not None:
                name = listed.names[0] if listed.names else listed.code
                yield name, columns_of(house, agency, source, listed.feed, listed.code, on)
    else:
        for feed in layout.feeds:
            yield "", columns_of(house, agency, source, feed, "", on)


def _properties(columns: Columns) -> Iterator[str]:
    """The properties that have a column: those of a layout's own, else all of the contract."""
    is_layout = columns.agreed is not None and columns.agreed.source != columns.feed.code
    for prop in columns.feed.properties:
        if prop.name in columns.names or not is_layout:
            yield prop.name


def _in_lists(parts: list[Part], lines: Callable[[Columns], Iterator[Cells]]) -> Iterator[Cells]:
    for part, columns in parts:
        for cells in lines(columns):
            yield [part, *cells] if part else cells


def _fields(columns: Columns) -> Iterator[Cells]:
    for name in _properties(columns):
        described = columns.feed.property(name).description
        yield [columns.name_of(name), columns.needed(name), columns.expected(name), described, name]


def _labels(columns: Columns) -> Iterator[Cells]:
    for name in _properties(columns):
        code_list = columns.feed.property(name).code_list
        if code_list is None:
            continue
        try:
            known = reference.codes(code_list, columns.on)
        except reference.UnknownConstant:
            known = {}
        mapped = columns.agreed.codes.get(code_list, {}) if columns.agreed else {}
        for label, code in [*mapped.items(), *((code, code) for code in known if code not in mapped)]:
            yield [columns.name_of(name), label, known.get(code, code), code]


def _rules(house: House, agency: str, source: str, parts: list[Part]) -> Iterator[Cells]:
    told: set[str] = set()
    for _, columns in parts:
        waived = columns.agreed.waived_rules if columns.agreed else ()
        tightened = columns.agreed.tightened if columns.agreed else {}
        for rule in columns.feed.rules:
            if rule.rule_id in told or rule.rule_id in waived or rule.recipient_role != LIAISON:
                continue
            mode = columns.agreed.delivery_mode if columns.agreed else None
            if not rule.applies(house.agencies[agency], source, mode):
                continue
            told.add(rule.rule_id)
            asked = ", ".join(columns.name_of(name) for name in columns.of_rule(rule))
            severity = tightened.get(rule.rule_id, rule.severity)
            yield [rule.rule_id, severity, rule.score_dimension, rule.sentence, rule.what_to_do, asked]
    for rule in house.file_rules:
        yield [rule.rule_id, rule.severity, rule.score_dimension, rule.sentence, rule.what_to_do, "the file"]
