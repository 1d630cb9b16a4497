"""Hostile files of which it is known how many records they hold: a good file of a sender, its cells exchanged, perhaps harmed.

`counted(house, on)` is a strategy of hypothesis. The writers are libraries of their own, so that what was written is
known without the readers that are tried.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import date
from typing import Any

import openpyxl
import xlsxwriter
from hypothesis import strategies as st
from lxml import etree

from frontdoor.contract import House
from frontdoor.simulator.sample import sample_records

SENDERS = {
    ("wearside_police", "police"): "csv",
    ("wearside_schools", "referral"): "csv",
    ("wearside_council", "visit"): "csv",
    ("wearside_health", "referral"): "jsonl",
    ("wearside_housing", "referral"): "xlsx",
    ("wearside_council", "cin_census"): "xml",
}
MOST_RECORDS, FEW_SEEDS = 6, 3
# A record that cannot be told from what follows it.
BROKEN_LINE = {"csv": b'X1,"never closed,,,\n', "jsonl": b'{"never": "closed\n'}
HOSTILE = (
    *("", " ", "'; drop table raw.police; --", '"', "''", "{{ 7 * 7 }} %s %(x)s $1 \\N \\.", "=cmd|' /C calc'!A0", "-infinity"),
    *("9" * 400, "0000-00-00", "31/02/2026", "\u202e\u200b\ufeff", "\U0001d573" * 20, "\x01\x02\x1f\x7f", "\u0000"),
    *("one\ntwo\r\nthree", "ZoÃ«", "null", "true", ",;|\t", "Total", "unknown", "2026-10-25 01:30", "45000", "\u00a0x"),
)  # fmt: skip
CELLS = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# What XML cannot hold at all.
NOT_XML = dict.fromkeys({*range(0x20), 0x7F, 0xFFFE, 0xFFFF} - {0x09, 0x0A, 0x0D})


@dataclass(frozen=True)
class Counted:
    """One file, what was done to it, and how many records it holds; None: nobody can say."""

    what: str
    agency: str
    source: str
    content: bytes
    records: int | None


@st.composite
def counted(draw: st.DrawFn, house: House, on: date) -> Counted:
    """Draw a file: of few senders and few seeds, so that records of one file meet those of others."""
    (agency, source), form = draw(st.sampled_from(sorted(SENDERS.items())))
    records = draw(st.integers(0 if form == "csv" else 1, MOST_RECORDS))
    good = sample_records(house, agency, source, records or 1, seed=draw(st.integers(1, FEW_SEEDS)), on=on)
    changes = draw(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), CELLS), max_size=8))
    content = _written(form, good, records, changes)
    harm = draw(
        st.sampled_from(("none", "none", "cut", "damaged", "twice", "a line without end", "packed", "in one archive"))
    )
    at = 1 + int(draw(st.floats(0, 1)) * (len(content) - 2))
    known: int | None = records
    if harm == "cut":
        content, known = content[:at], _lines(content, at) if form == "csv" else None
    elif harm == "damaged":
        flipped = bytearray(content)
        for place in range(at, len(content), max(1, len(content) // 5)):
            flipped[place] ^= 1 + at % 255
        content, known = bytes(flipped), None
    elif harm == "twice":
        content, known = content[:at] + content[at // 2 :], None
    elif harm == "a line without end" and records and form in BROKEN_LINE:
        content, known = content + BROKEN_LINE[form], records + 1
    elif harm == "packed":
        content = gzip.compress(content, mtime=0)
    elif harm == "in one archive":
        content, known = _archive({"one": content, "two": _written(form, good, records, [])}), 2 * records
    return Counted(f"{form}, {harm}", agency, source, content, known)


def _lines(content: bytes, at: int) -> int | None:
    """Return how many lines of records are left of a cut table; None where a cell runs over lines or a mark is cut open."""
    left = content[:at]
    if (
        b"\n" not in left
        or left.count(b'"') % 2
        or any(b'"' in line and line.count(b'"') % 2 for line in left.split(b"\n"))
    ):
        return None
    return sum(1 for line in left.split(b"\n")[1:] if line.strip(b"\r \x1a"))


def _written(form: str, good: bytes, records: int, changes: list[tuple[int, int, str]]) -> bytes:
    return {"csv": _csv, "jsonl": _jsonl, "xlsx": _xlsx, "xml": _xml}[form](good, records, changes)


def _changed(rows: list[list[Any]], changes: list[tuple[int, int, str]]) -> list[list[Any]]:
    """The rows with cells exchanged, never the first of a row: a line of another kind is told by it."""
    for row, column, text in changes if rows else ():
        cells = rows[row % len(rows)]
        cells[1 + column % (len(cells) - 1)] = text
    return rows


def _csv(good: bytes, records: int, changes: list[tuple[int, int, str]]) -> bytes:
    text = good.decode("utf-8-sig")
    dialect = csv.Sniffer().sniff(text.split("\n")[0], ",;|\t")
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter)
    made = io.StringIO(newline="")
    writer = csv.writer(made, delimiter=dialect.delimiter)
    writer.writerows([header, *_changed(rows[:records], changes)])
    return made.getvalue().encode()


def _jsonl(good: bytes, records: int, changes: list[tuple[int, int, str]]) -> bytes:
    lines = [json.loads(line) for line in good.decode().splitlines()][:records]
    rows = _changed([list(line.values()) for line in lines], changes)
    told = [dict(zip(line, row, strict=True)) for line, row in zip(lines, rows, strict=True)]
    return "".join(json.dumps(each) + "\n" for each in told).encode()


def _xlsx(good: bytes, records: int, changes: list[tuple[int, int, str]]) -> bytes:
    sheet = openpyxl.load_workbook(io.BytesIO(good), read_only=True).worksheets[0]
    header, *rows = ([str(cell or "") for cell in row] for row in sheet.iter_rows(values_only=True))
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        written = book.add_worksheet("Sheet1")
        for number, row in enumerate([header, *_changed(rows[:records], changes)]):
            for column, cell in enumerate(row):
                written.write_string(number, column, str(cell))
    return made.getvalue()


def _xml(good: bytes, records: int, changes: list[tuple[int, int, str]]) -> bytes:
    root = etree.fromstring(good)
    leaves = [each for each in root.iter() if not len(each)]
    for at, _, text in changes:
        leaves[at % len(leaves)].text = text.translate(NOT_XML)
    assert len(root.findall(".//CINdetails")) == records
    return bytes(etree.tostring(root, encoding="utf-8"))


def _archive(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()
