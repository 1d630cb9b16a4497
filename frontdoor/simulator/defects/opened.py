"""Files opened for a change and closed again: rows of delimited text, objects of JSON lines, cells of a workbook.

What is packed stays packed: a zip holds the changed file under the name it had. The same file gives the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

from frontdoor.contract import AgencyFeed, normalised

SHEET = "xl/worksheets/sheet1.xml"
_CELL = r'<c r="{place}"[^>]*?><is><t[^>]*>(.*?)</t></is></c>'
Rows = list[list[str]]


def kind_of(agreed: AgencyFeed) -> str:
    """What the agency's files are from outside: `zip` for anything in a zip, or the format."""
    return agreed.archive if agreed.archive != "none" else agreed.format


def within(content: bytes, agreed: AgencyFeed, change: Callable[[bytes], bytes | None]) -> bytes | None:
    """The file with what it holds changed; None where that has no such thing to change."""
    if kind_of(agreed) != "zip":
        return change(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (entry,) = archive.infolist()
        made = change(archive.read(entry))
    return None if made is None else _zipped([(entry, made)])


def rows_of(content: bytes) -> Rows:
    """Delimited text as cells; the headers come first."""
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def of_rows(rows: Rows) -> bytes:
    """Cells as delimited text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def objects_of(content: bytes) -> list[dict[str, Any]]:
    """JSON lines as objects."""
    return [json.loads(line) for line in content.splitlines()]


def of_objects(objects: list[dict[str, Any]]) -> bytes:
    """Objects as JSON lines."""
    return "".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) + "\n" for each in objects).encode()


def header_of(agreed: AgencyFeed, present: list[str], *names: str) -> str | None:
    """The header that the file has for the first of these properties that it has one for."""
    known = {normalised(header): name for header, name in agreed.headers.items()}
    properties = {known.get(normalised(header), header): header for header in present}
    return next((properties[name] for name in names if name in properties), None)


def sheet_of(content: bytes) -> str:
    """The XML of a workbook's first sheet."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return book.read(SHEET).decode()


def of_sheet(content: bytes, sheet: str) -> bytes:
    """The workbook with this XML in the place of its first sheet."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        parts = [(entry, book.read(entry)) for entry in book.infolist()]
    return _zipped([(entry, sheet.encode() if entry.filename == SHEET else part) for entry, part in parts])


def headers_of_sheet(sheet: str) -> dict[str, str]:
    """Header -> letters of its column."""
    found = re.finditer(_CELL.format(place="([A-Z]+)1"), sheet)
    return {header: column for column, header in (each.groups() for each in found)}


def cell_of(sheet: str, place: str) -> re.Match[str] | None:
    """The text cell at a place such as C7; its group 1 is the text, escaped as in XML."""
    return re.search(_CELL.format(place=place), sheet)


def _zipped(parts: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, part in parts:
            named = zipfile.ZipInfo(entry.filename, entry.date_time)
            named.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(named, part)
    return made.getvalue()
