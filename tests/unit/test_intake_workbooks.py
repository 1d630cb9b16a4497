"""A table in, the same table out, whoever wrote the workbook; and a hostile one is refused at once, or read as it is.

Mend: frontdoor/intake/readers/workbook.py, ooxml.py, cells.py; frontdoor/intake/contents/workbook.py.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, example, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from frontdoor.intake.content import Content
from frontdoor.intake.contents import Member, look_into
from frontdoor.intake.readers import abridged, cells, headers, ooxml
from frontdoor.intake.readers.abridged_sheet import AbridgedSheet
from frontdoor.intake.readers.rows import Lineage
from frontdoor.intake.readers.workbook import WorkbookReader
from frontdoor.intake.reasons import SENTENCES, Unreadable

NAMES = ("ref", "child_ref", "forename", "dob", "narrative", "grade", "known_at", "seen")
WORDS = headers.Vocabulary({name.replace("_", " "): name for name in NAMES}, ())
LINEAGE = Lineage("wearside_housing", 7, datetime(2026, 3, 2, tzinfo=UTC))
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
# Control characters reach a workbook only under an escape that not every program writes.
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u00a0\u2007\u202f\ufffe\uffff"), max_size=12
)
HOSTILE = st.text(st.sampled_from(list("ab <>&\"'=+-@;,\n\té👧_x\u2028")), max_size=12)
csv.field_size_limit(2**26)
NOT_ESCAPED = re.compile("_x[0-9A-Fa-f]{4}_")


def read(path: Path, sheet: int = 1, words: headers.Vocabulary = WORDS) -> tuple[list[dict[str, Any]], WorkbookReader]:
    """Read a sheet as COPY would."""
    reader = WorkbookReader(Content(path, {"sheet": sheet}), words, LINEAGE)
    records = []
    for row in reader.rows():
        (said,) = csv.reader(io.StringIO(row.line.decode(), newline=""), strict=True)
        values = dict(zip(reader.columns, said[4:-1], strict=True))
        assert said[:4] == ["wearside_housing", "7", str(row.record_no), "2026-03-02T00:00:00+00:00"]
        records.append({"_no": row.record_no, "_line": row.line_no, **values, "_extra": json.loads(said[-1])})
    return records, reader


def package(sheet: str, *, parts: Mapping[str, str | bytes] | None = None, main: str = MAIN, name: str = "S") -> bytes:
    """A workbook of one sheet, by hand: `sheet` is what stands within sheetData."""
    kind = RELATED if main == MAIN else "http://purl.oclc.org/ooxml/officeDocument/relationships"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    said: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{relations}"><Relationship Id="a" Type="{kind}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets>'
        f'<sheet name="{name}" sheetId="1" r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{relations}">'
        f'<Relationship Id="b" Type="{kind}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="c" Type="{kind}/sharedStrings" Target="sharedStrings.xml"/>'
        f'<Relationship Id="d" Type="{kind}/styles" Target="styles.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><dimension ref="A1:XFD1048576"/>'
        f"<sheetData>{sheet}</sheetData></worksheet>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in (said | dict(parts or {})).items():
            archive.writestr(part, content)
    return file.getvalue()


def inline(*rows: tuple[str, ...]) -> str:
    return "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )


def kept(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "book.xlsx"
    path.write_bytes(content)
    return path


def faults(reader: WorkbookReader) -> list[tuple[int, str]]:
    return list(reader.tally.faults())


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, len(NAMES)))
    cell = st.one_of(TEXT, HOSTILE, st.sampled_from(["", " ", "TRUE", "1", "#N/A", "=1+1", "0.10", "007"]))
    return draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=6))


def by_xlsxwriter(path: Path, table: list[list[str]]) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(table):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell)


def by_xlsxwriter_in_rows(path: Path, table: list[list[str]]) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(table):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell)


def by_openpyxl(path: Path, table: list[list[str]]) -> None:
    book = openpyxl.Workbook()
    for at, row in enumerate(table, start=1):
        for column, said in enumerate(row, start=1):
            cell = book.active.cell(at, column)
            cell.value, cell.data_type = said, "s"
    book.save(path)


def by_openpyxl_in_rows(path: Path, table: list[list[str]]) -> None:
    from openpyxl.cell import WriteOnlyCell

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in table:
        made = []
        for said in row:
            cell = WriteOnlyCell(sheet, value=said)
            cell.data_type = "s"
            made.append(cell)
        sheet.append(made)
    book.save(path)


@pytest.mark.parametrize("write", [by_xlsxwriter, by_xlsxwriter_in_rows, by_openpyxl, by_openpyxl_in_rows])
@given(table=tables())
@example(table=[["a", "b"], ["", ""], ["=1", " x "]])
@bounded(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_of_text_is_read_back_equal(
    tmp_path: Path, write: Callable[[Path, list[list[str]]], None], table: list[list[str]]
) -> None:
    if write in (by_openpyxl, by_openpyxl_in_rows):  # it writes as text what means a character to everybody else
        table = [[NOT_ESCAPED.sub("", cell) for cell in row] for row in table]
    width = len(table[0]) if table else 1
    columns = [name.replace("_", " ") for name in NAMES[:width]]
    write(tmp_path / "book.xlsx", [columns, *table])
    records, _ = read(tmp_path / "book.xlsx")
    said = [row for row in table if any(row)]
    assert [[record[name] for name in NAMES[:width]] for record in records] == said
    assert all(record["_extra"] == {} for record in records)
    assert [record["_line"] for record in records] == [at for at, row in enumerate(table, start=2) if any(row)]


@given(number=st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)))
@example(number=0.1)
@example(number=12598894)
@example(number=1e300)
@example(number=5e-324)
@example(number=-0.0)
@bounded(max_examples=300, deadline=None)
def test_a_number_is_read_back_as_itself_without_an_exponent(number: float) -> None:
    text = cells.of_number(repr(number), None, False)
    assert float(text) == pytest.approx(number, rel=1e-14, abs=0)
    assert "e" not in text.lower()
    assert not text.endswith(".0")


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("12598894", "12598894"),
        ("12598894.0", "12598894"),
        ("1.2598894E7", "12598894"),
        ("0.1", "0.1"),
        ("0.10000000000000001", "0.1"),
        ("0.30000000000000004", "0.3"),
        ("6.1382614647501708", "6.138261464750171"),
        ("21.242984257357975", "21.242984257357975"),
        ("12598894.000000002", "12598894"),
        ("12345678901234567890", "12345678901234567890"),
        ("1E+20", "100000000000000000000"),
        ("-0", "0"),
        ("not a number", "not a number"),
        ("1_000", "1_000"),
        ("NaN", "NaN"),
        ("1e999999", "1e999999"),
    ],
)
def test_numbers_are_told_without_the_noise_of_binary_fractions(stored: str, text: str) -> None:
    assert cells.of_number(stored, None, False) == text


@pytest.mark.parametrize(
    ("stored", "format_code", "is_1904", "text"),
    [
        ("45321", "dd/mm/yyyy", False, "2024-01-30"),
        ("45321", "[$-809]d mmmm yyyy;@", False, "2024-01-30"),
        ("45321.5", "dd/mm/yyyy", False, "2024-01-30 12:00:00"),
        ("45321", "dd/mm/yyyy hh:mm", False, "2024-01-30 00:00:00"),
        ("45321.604166666664", "yyyy-mm-dd h:mm:ss", False, "2024-01-30 14:30:00"),
        ("0.999999999", "hh:mm", False, "23:59:59.999"),
        ("0.5", "h:mm AM/PM", False, "12:00:00"),
        ("1.5", "[h]:mm", False, "36:00:00"),
        ("1", "d/m/yyyy", False, "1900-01-01"),
        ("59", "d/m/yyyy", False, "1900-02-28"),
        ("60", "d/m/yyyy", False, "1900-02-29"),
        ("61", "d/m/yyyy", False, "1900-03-01"),
        ("0", "d/m/yyyy", False, "1900-01-00"),
        ("2958465", "d/m/yyyy", False, "9999-12-31"),
        ("2958466", "d/m/yyyy", False, "2958466"),
        ("-1", "d/m/yyyy", False, "-1"),
        ("0", "d/m/yyyy", True, "1904-01-01"),
        ("43859", "d/m/yyyy", True, "2024-01-30"),
        ("45321", '"Day "0', False, "45321"),
        ("45321", "0.00E+00", False, "45321"),
        ("45321", "#,##0_d;[Red]-#,##0", False, "45321"),
        ("45321", "General", False, "45321"),
    ],
)
def test_a_date_is_told_by_its_format(stored: str, format_code: str, is_1904: bool, text: str) -> None:
    assert cells.of_number(stored, cells.kind_of(164, format_code), is_1904) == text


@pytest.mark.parametrize("is_1904", [False, True])
def test_dates_as_a_program_writes_them_are_read_back(tmp_path: Path, is_1904: bool) -> None:
    path = tmp_path / "book.xlsx"
    wanted = [date(1996, 2, 29) + timedelta(days=97 * n) for n in range(100)]
    with xlsxwriter.Workbook(str(path), {"date_1904": is_1904}) as book:
        sheet, day, stamp = (
            book.add_worksheet(),
            *(book.add_format({"num_format": form}) for form in ("dd/mm/yy", "d/m/y h:mm")),
        )
        sheet.write_row(0, 0, ["dob", "known at", "seen"])
        for row, each in enumerate(wanted, start=1):
            sheet.write_datetime(row, 0, each, day)
            sheet.write_datetime(row, 1, datetime.combine(each, clock_time(row % 24, row % 60)), stamp)
            sheet.write_boolean(row, 2, row % 2 == 0)
    records, _ = read(path)
    assert [each["dob"] for each in records] == [each.isoformat() for each in wanted]
    assert [each["known_at"] for each in records] == [
        f"{each} {n % 24:02d}:{n % 60:02d}:00" for n, each in enumerate(wanted, start=1)
    ]
    assert {each["seen"] for each in records} == {"TRUE", "FALSE"}


def test_strict_prefixed_and_rich_forms_are_read_like_all_others(tmp_path: Path) -> None:
    strings = (
        f'<x:sst xmlns:x="{STRICT}"><x:si><x:t>ref</x:t></x:si><x:si><x:t>forename</x:t></x:si>'
        "<x:si><x:r><x:rPr/><x:t>Zo</x:t></x:r><x:r><x:t>ë_x000A_Ann_x005F_x0041_</x:t></x:r>"
        "<x:rPh><x:t>reading aid</x:t></x:rPh></x:si></x:sst>"
    )
    sheet = (
        f'<x:worksheet xmlns:x="{STRICT}"><x:sheetData><x:row r="3"><x:c t="s" r="B3"><x:v>0</x:v></x:c><x:c t="s" r="D3">'
        '<x:v>1</x:v></x:c></x:row><x:row r="4" hidden="1"><x:c r="B4"><x:v>7</x:v></x:c><x:c t="s" r="D4"><x:v>2</x:v></x:c>'
        '</x:row><x:row r="5"><x:c t="s" r="D5"><x:v>99</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    parts = {"xl/sharedStrings.xml": strings, "xl/worksheets/sheet1.xml": sheet}
    records, reader = read(kept(tmp_path, package("", parts=parts, main=STRICT)))
    assert [(each["_no"], each["_line"], each["ref"], each["forename"]) for each in records] == [
        (1, 4, "7", "Zoë\nAnn_x0041_"),
        (2, 5, "", "\ufffd"),
    ]
    assert (2, "FIL-009") in faults(reader)


def test_results_of_formulas_are_read_and_nothing_is_calculated(tmp_path: Path) -> None:
    cell = '<row><c><f>HYPERLINK("http://x","y")</f><v>7</v></c><c t="str"><f>DDE("cmd","/c calc")</f><v>Ann</v></c><c><f>A1+1</f></c></row>'
    records, reader = read(kept(tmp_path, package(inline(("ref", "forename", "dob")) + cell)))
    assert [(each["ref"], each["forename"], each["dob"], each["_extra"]) for each in records] == [
        ("7", "Ann", "", {"_formulas": {"dob": "=A1+1"}})
    ]
    assert faults(reader) == [(0, "FIL-030")]


def test_text_that_a_spreadsheet_would_run_is_text_and_told(tmp_path: Path) -> None:
    texts = (
        "=cmd|'/c calc'!A0",
        "+1+cmd()",
        "@SUM(A1)",
        "-2+3+cmd",
        "-",
        "+44 191 498 0000",
        "- no bullet",
        "a=b",
        "-12.5",
        "x y",
    )
    rows = inline(("ref", "narrative"), *((f"N{n}", text.replace("&", "&amp;")) for n, text in enumerate(texts)))
    records, reader = read(kept(tmp_path, package(rows)))
    assert [each["narrative"] for each in records] == [text.replace("\u00a0", " ") for text in texts]
    assert [fault for fault in faults(reader) if fault[1] == "FIL-031"] == [
        (1, "FIL-031"),
        (2, "FIL-031"),
        (3, "FIL-031"),
        (4, "FIL-031"),
        (7, "FIL-031"),
    ]


def test_headers_below_a_title_are_found_and_a_record_above_them_is_kept(tmp_path: Path) -> None:
    rows = inline(
        ("Referrals of October",),
        (),
        ("N0", "C0", "Ann"),
        ("Ref", "Child ref", "forename", "shoe size"),
        ("N1", "C1", "Bob", "5"),
    )
    records, reader = read(kept(tmp_path, package(rows)))
    assert [(each["_no"], each["_line"], each["ref"]) for each in records] == [(3, 3, "N0"), (4, 5, "N1")]
    assert records[1]["_extra"] == {"shoe size": "5"}
    assert faults(reader) == [(0, "FIL-020"), (0, "FIL-004")]


def test_cells_beyond_the_headers_and_columns_that_come_twice_are_kept(tmp_path: Path) -> None:
    records, reader = read(kept(tmp_path, package(inline(("ref", "dob", "DOB"), ("N1", "1", "2", "3")))))
    assert records[0]["_extra"] == {"_surplus": ["3"], "_cells": ["N1", "1", "2", "3"], "dob#2": "2"}
    assert sorted(faults(reader)) == [(0, "FIL-005"), (1, "FIL-007")]


def test_macros_and_links_are_told_and_left_alone(tmp_path: Path) -> None:
    rows = inline(("ref", "dob"), ("N1", "1"))
    for part in ("xl/vbaProject.bin", "xl/externalLinks/externalLink1.xml", "xl/connections.xml"):
        records, reader = read(kept(tmp_path, package(rows, parts={part: b"\xd0\xcf\x11\xe0"})))
        assert len(records) == 1
        assert faults(reader) == [(0, "FIL-034")]


# Hostile ones. What is refused costs less than a second of processor time, what is read little memory.

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def swollen(byte: bytes) -> bytes:
    return b"<worksheet><sheetData><row><c><v>" + byte * (200 * 2**20) + b"</v></c></row></sheetData></worksheet>"


def compound(name: str) -> bytes:
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\x00\x03\x00\xfe\xff\x09\x00" + bytes(16) + bytes(4)
    return head.ljust(512, b"\0") + name.encode("utf-16-le").ljust(128, b"\0") + bytes(2048)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "entities in the sheet": (
        lambda: package(
            "",
            parts={
                "xl/worksheets/sheet1.xml": BOMB
                + "<worksheet><sheetData><row><c><v>&c;</v></c></row></sheetData></worksheet>"
            },
        ),
        "xml_dtd",
    ),
    "entities in the strings": (
        lambda: package(
            inline(("ref", "dob")), parts={"xl/sharedStrings.xml": BOMB + "<sst><si><t>&c;</t></si></sst>"}
        ),
        "xml_dtd",
    ),
    "a file of ours as an entity": (
        lambda: package("", parts={"xl/workbook.xml": OUTSIDE + f'<workbook xmlns="{MAIN}">&a;</workbook>'}),
        "xml_dtd",
    ),
    "a sheet that swells": (lambda: package("", parts={"xl/worksheets/sheet1.xml": swollen(b" ")}), "workbook_bomb"),
    "strings that swell": (
        lambda: package(inline(("ref",)), parts={"xl/sharedStrings.xml": swollen(b"a")}),
        "workbook_bomb",
    ),
    "too many entries": (
        lambda: package("", parts={f"xl/media/{n}.png": b"" for n in range(10_001)}),
        "workbook_bomb",
    ),
    "a tag without end": (
        lambda: package("", parts={"xl/worksheets/sheet1.xml": f"<worksheet><sheetData><row a='{'1 2' * 2**20}"}),
        "workbook_broken",
    ),
    "too many sheets": (
        lambda: package(
            "", parts={"xl/workbook.xml": "<workbook><sheets>" + "<sheet id='b'/>" * 1001 + "</sheets></workbook>"}
        ),
        "workbook_too_many",
    ),
    "no sheet": (lambda: package("", parts={"xl/workbook.xml": "<workbook/>"}), "workbook_empty"),
    "a sheet that is no XML": (lambda: package("", parts={"xl/worksheets/sheet1.xml": "PK"}), "workbook_broken"),
    "locked": (lambda: compound("EncryptedPackage"), "workbook_locked"),
    "old": (lambda: compound("Workbook"), "workbook_old"),
    "binary": (
        lambda: package(
            "",
            parts={
                "_rels/.rels": '<Relationships><Relationship Id="a" Type="x/officeDocument" Target="xl/workbook.bin"/></Relationships>',
                "xl/workbook.bin": b"\x83\x01",
            },
        ),
        "workbook_binary",
    ),
}


def look(path: Path) -> list[Member]:
    return look_into(path, None)


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_workbook_is_refused_at_once_with_a_sentence(tmp_path: Path, name: str) -> None:
    make, reason = REFUSED[name]
    path = kept(tmp_path, make())
    began = time.process_time()
    members = look(path)
    assert time.process_time() - began < 1
    assert [member.refusal for member in members] == [reason]
    assert reason in SENTENCES


def test_a_bomb_is_weighed_by_what_streams_whatever_its_directory_claims(tmp_path: Path) -> None:
    bomb = package("", parts={"xl/worksheets/sheet1.xml": swollen(b" ")})
    lying = bytearray(bomb)
    at = bomb.rindex(b"xl/worksheets/sheet1.xml") - 46
    assert bomb[at : at + 4] == b"PK\x01\x02"
    lying[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    members = look(kept(tmp_path, bytes(lying)))
    assert [member.refusal for member in members] == ["workbook_broken"]
    many = {
        f"xl/worksheets/sheet{n}.xml": f"<worksheet><sheetData>{' ' * (15 * 2**20)}</sheetData></worksheet>"
        for n in range(1, 41)
    }
    relations = "".join(
        f'<Relationship Id="b{n}" Type="{RELATED}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in range(1, 41)
    )
    sheets = "".join(f'<sheet name="{n}" r:id="b{n}"/>' for n in range(1, 41))
    parts = many | {
        "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns:r="{RELATED}">{sheets}</workbook>',
    }
    path = kept(tmp_path, package("", parts=parts))
    began = time.process_time()
    assert [member.refusal for member in look(path)] == ["workbook_bomb"]
    assert time.process_time() - began < 1


MEASURE = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from frontdoor.intake.content import Content
from frontdoor.intake.contents import look_into
from frontdoor.intake.readers import headers
from frontdoor.intake.readers.rows import Lineage
from frontdoor.intake.readers.workbook import WorkbookReader
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
path, before = Path(sys.argv[1]), peak()
look_into(path, None)
words = headers.Vocabulary({"ref": "ref", "dob": "dob"}, ())
reader = WorkbookReader(Content(path, {"sheet": 1}), words, Lineage("a", 1, datetime.now(UTC)))
print(sum(1 for _ in reader.rows()), reader.tally.dead, peak() - before)
"""


def measured(path: Path) -> tuple[int, int]:
    """Take and read a workbook in a process of its own; it must not grow by 200 MB. Return records and dead letters."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    records, dead, grown = map(int, done.stdout.split())
    assert grown < 200, f"{grown} MB"
    return records, dead


@pytest.mark.parametrize(
    ("name", "sheet", "records"),
    [
        (
            "a million empty rows",
            lambda: inline(("ref", "dob"), ("N1", "x")) + "".join(f'<row r="{n}" ht="15"/>' for n in range(3, 2**20)),
            1,
        ),
        (
            "rows at the very end",
            lambda: (
                inline(("ref", "dob"))
                + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row><row r="99999999"><c r="ZZZZ1"><v>2</v></c></row>'
            ),
            2,
        ),
        (
            "ten thousand columns",
            lambda: (
                inline(("ref", "dob", *(f"h{n}" for n in range(10_000))))
                + inline(("N1", "x", *("y" for _ in range(10_000)))) * 20
            ),
            20,
        ),
    ],
)
def test_huge_sheet_is_read_in_little_memory(tmp_path: Path, name: str, sheet: Callable[[], str], records: int) -> None:
    path = kept(tmp_path, package(sheet()))
    assert measured(path) == (records, 0), name


def test_a_cell_of_fifty_megabytes_is_a_dead_letter_of_its_row(tmp_path: Path) -> None:
    huge = random.Random(1).randbytes(25 * 2**20).hex()
    strings = f"<sst><si><t>ref</t></si><si><t>{huge}</t></si><si><t>last</t></si></sst>"
    shared = '<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row><row><c t="s"><v>2</v></c></row>'
    for content in (
        package(shared, parts={"xl/sharedStrings.xml": strings}),
        package(inline(("ref",), (huge,), ("last",))),
    ):
        path = kept(tmp_path, content)
        if look(path)[0].refusal == "workbook_bomb":
            pytest.fail("noise was taken for a bomb")
        records, reader = read(path)
        assert [each["ref"] for each in records] == ["last"]
        assert [(letter.line_no, letter.reason_code) for letter in reader.tally.letters()] == [(2, "line_too_long")]
        assert measured(path) == (1, 1)


def test_strings_beyond_what_memory_should_hold_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frontdoor.intake.readers import ooxml

    monkeypatch.setattr(ooxml, "NEAR_STRINGS", 3)
    table = [["ref", "dob"], *([f"N{n}", f"é{n}"] for n in range(50))]
    by_xlsxwriter(tmp_path / "book.xlsx", table)
    records, _ = read(tmp_path / "book.xlsx")
    assert [[each["ref"], each["dob"]] for each in records] == table[1:]


GOOD = [["ref", "child ref", "narrative"], *([f"N{n}", f"C{n}", f"text {n} {'x' * (n % 50)}"] for n in range(300))]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "book.xlsx"
    by_xlsxwriter(path, GOOD)
    return path.read_bytes()


@given(data=st.data())
@bounded(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_workbook_cut_off_anywhere_is_refused_with_a_sentence(
    tmp_path: Path, good: bytes, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(good) - 1))
    (member,) = look(kept(tmp_path, good[:cut]))
    # Before the name of its first part ends it could be any archive; of two or three bytes nobody can tell anything.
    told = "workbook_broken" if cut > 60 else member.refusal
    assert member.refusal == told
    assert told in ("workbook_broken", "archive_broken", *(("binary", None) if cut < 4 else ()))


@given(data=st.data())
@bounded(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_of_a_damaged_workbook_is_wrong_in_silence(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    damaged = bytearray(good)
    at = data.draw(st.integers(0, len(good) - 1))
    damaged[at] ^= data.draw(st.integers(1, 255))
    path = kept(tmp_path, bytes(damaged))
    members = look(path)
    if any(member.refusal for member in members) or "sheet" not in members[0].place:
        assert all(member.refusal in SENTENCES for member in members)
        return
    try:
        records, reader = read(path)
    except Unreadable:
        return
    told = bool(reader.tally.dead) or bool(faults(reader))
    assert told or [[each.get(name) for name in ("ref", "child_ref", "narrative")] for each in records] == GOOD[1:]


def test_sheets_are_members_by_number_and_their_names_stay_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for name in ("Canary Childsname", "Notes"):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["ref", "dob"])
            sheet.write_row(1, 0, ["N1", "x"])
        book.worksheets_objs[1].very_hidden()
    members = look(path)
    assert [(dict(member.place), member.refusal) for member in members] == [({"sheet": 1}, None), ({"sheet": 2}, None)]
    assert [member.count() for member in members if member.count] == [2, 2]
    assert "Canary" not in repr(members)


SHARED = ["ref", "child ref", "dob", "=1+1", "caf\u00e9", "x" * 30, "a\u00a0b"]
CELLS = st.builds(
    "<c{}{}{}{}".format,
    st.sampled_from([' r="A2"', ' r="B2"', ' r="C2"', ' r="XFD9"', ' r="A0"', "", ' r="ZZZ1"', " r='A2'"]),
    st.sampled_from(["", ' s="0"', ' s="1"', ' s="99"', ' s="x"']),
    st.sampled_from(
        ["", ' t="s"', ' t="s"', ' t="s"', ' t="n"', ' t="b"', ' t="str"', ' t="e"', ' t="d"', ' t="inlineStr"']
    ),
    st.sampled_from(
        [
            "/>",
            "></c>",
            "><v>0</v></c>",
            "><v>3</v></c>",
            "><v>6</v></c>",
            "><v>44197</v></c>",
            "><v>1</v></c>",
            "><v/></c>",
            "><v>2021-01-04</v></c>",
            "><v>-1 +a</v></c>",
            "><v>&amp;</v></c>",
            "><f>A1</f><v>2</v></c>",
            "><v>_x0041_</v></c>",
            "><is><t>in it</t></is></c>",
            "><v>#N/A</v></c>",
            f"><v>{'7' * 41}</v></c>",
            "><v>1</v></c >",
            "><v>é</v></c>",
        ]
    ),
)
ROWS = st.one_of(
    st.builds(
        lambda attributes, inside, end: f"<row{attributes}>{''.join(inside)}</row>{end}",
        st.sampled_from([' r="2"', ' r="3" spans="1:3"', ' r="4" r="4"', "", ' r="2000000"', ' ht="1.5" x:y="0.25"', ' r="x"']),
        st.lists(CELLS, max_size=4),
        st.sampled_from(["", "\n", "between"]),
    ),
    st.sampled_from(["<!-- ", " -->", "<![CDATA[", "]]>", "<?x ", "?>", "<row>", "</row>", "<row/>", '<row r="2">', "<", "&"]),
)  # fmt: skip


@given(st.lists(ROWS, max_size=10), st.sampled_from([5, 60, 2**16]), st.sampled_from([30, 2**20]))
@example(
    ['<row r="2"><c r="A2" t="s"><v>3</v></c></row>', "<!-- ", '<row r="3"><c r="A3"><v>1</v></c></row>', " -->"],
    60,
    99,
)
@bounded(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_taken_out_before_the_parser_are_read_as_it_reads_them(
    tmp_path: Path, rows: list[str], block_bytes: int, longest: int
) -> None:
    top = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>'
    shared = "".join(f"<si><t>{text}</t></si>" for text in SHARED)
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    parts = {
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{shared}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>',
    }
    path = kept(tmp_path, package(top + "".join(rows), parts=parts))

    def seen() -> object:
        reader = WorkbookReader(Content(path, {"sheet": 1}), WORDS, LINEAGE)
        return list(reader.rows()), list(reader.tally.letters()), list(reader.tally.faults())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ooxml, "BLOCK_BYTES", block_bytes)
        patch.setattr(abridged, "LONGEST", longest)
        with_pattern = seen()
        patch.setattr(abridged.Abridged, "_without_records", lambda self, text: text)
        assert with_pattern == seen()


def test_only_plain_rows_are_taken_out() -> None:
    plain = '<row r="2" spans="1:2"><c r="A2" s="1" t="s"><v>3</v></c><c r="B2" s="4"/></row>'
    odd = '<row r="3"><c r="A3"><f>A2</f><v>3</v></c></row>'
    sheet = AbridgedSheet()
    whole = f"<sheetData>{plain}{odd}{plain}<!-- {plain} --></sheetData>".encode()
    left = b"".join(sheet.pieces(iter([whole[:70], whole[70:200], whole[200:]]))).decode()
    mark = f'<row r="2" spans="1:2" {sheet.mark}=""/>'
    assert left == f"<sheetData>{mark}{odd}{mark}<!-- {plain} --></sheetData>"
    assert [sheet.taken(), sheet.taken()] == [[("A", "1", "s", "3"), ("B", "4", "", "")]] * 2


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "cp037"])
def test_a_sheet_in_another_encoding_is_left_to_the_parser(encoding: str) -> None:
    declared = f"<?xml version='1.0' encoding='{encoding}'?>".encode()
    whole = declared + b'<sheetData><row r="2"><c r="A2"><v>3</v></c></row></sheetData>'
    assert b"".join(AbridgedSheet().pieces(iter([whole]))) == whole


@pytest.mark.parametrize(
    "inside",
    [
        '<c r="A2"><v>12<row r="3"><c r="A3"><v>5</v></c></row>34</v></c>',
        '<c r="A2" t="s"><row r="3"><c r="B3"><v>5</v></c></row><v>3</v></c>',
        '<c r="A2" t="inlineStr"><is><rPh><row r="3"><c r="A3"><v>5</v></c></row></rPh></is></c>',
    ],
)
def test_a_row_within_a_cell_is_read_as_the_parser_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    content = package(inline(("ref", "child ref"), ("N1", "C1")) + f'<row r="9">{inside}</row>' + inline(("N2", "C2")))
    quick = read(kept(tmp_path, content))[0]
    monkeypatch.setattr(abridged.Abridged, "_without_records", lambda self, text: text)
    assert quick == read(kept(tmp_path, content))[0]


def test_the_last_row_before_the_damage_is_read() -> None:
    row = '<row r="1"><c r="A1"><v>1</v></c></row>'

    def blocks() -> Iterator[bytes]:
        yield f"<sheetData>{row}{row}".encode()
        raise ooxml.Broken

    sheet, left = AbridgedSheet(), b""
    with pytest.raises(ooxml.Broken):
        for piece in sheet.pieces(blocks()):
            left += piece
    assert left.count(b"<row") == 2 and left.endswith(b"</row>")
