"""Workbooks from the landing zone to the landing table. Mend: frontdoor/intake/members.py, readers/workbook.py."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import pytest
import xlsxwriter

from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

HEADER = ["notification_ref", "child_ref", "forename", "dob", "narrative", "grade"]
CANARY = "Canary Childsname"


@pytest.fixture(scope="module")
def zone(database: Database) -> Iterator[Place]:
    from frontdoor.warehouse.raw_tables import ensure_raw_tables

    connection, house = database.connect(), intake_house.house()
    agreed = tuple(replace(each, format="xlsx") if each.source == "police" else each for each in house.agency_feeds)
    house = replace(house, agency_feeds=agreed)
    ensure_raw_tables(connection, house)
    yield Place(database.settings, connection, house)
    connection.close()


@pytest.fixture
def place(zone: Place) -> Place:
    zone.forget()
    return zone


def book(*sheets: tuple[str, list[list[str]]]) -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made) as workbook:
        for name, rows in sheets:
            sheet = workbook.add_worksheet(name)
            for at, row in enumerate(rows):
                for column, cell in enumerate(row):
                    sheet.write_string(at, column, cell)
    return made.getvalue()


def records(*names: str) -> list[list[str]]:
    return [HEADER, *([name, f"C{name}", "Ann", "", "text", "red"] for name in names)]


def test_every_sheet_that_names_columns_is_a_delivery_and_the_others_are_counted(place: Place) -> None:
    content = book(("One", records("N1", "N2")), ("Notes", [["Hello"], ["there"]]), ("Three", records("N3")))
    assert place.ingest(content, "book.xlsx") == ["loaded", "loaded"]
    assert place.all("select member_name, feed, place, record_count from intake.members order by member_no") == [
        ("sheet 1", "police", {"sheet": 1}, 2),
        ("sheet 2", None, {"sheet": 2}, 1),
        ("sheet 3", "police", {"sheet": 3}, 1),
    ]
    assert place.all("select notification_ref from raw.police order by 1") == [("N1",), ("N2",), ("N3",)]
    assert place.findings() == []


def test_a_workbook_whose_columns_nobody_knows_is_on_the_list_all_the_same(place: Place) -> None:
    content = book(("Few", [["a"], ["b"]]), ("Many", [["who", "what"], ["Ann", "x"], ["Bob", "y"]]))
    assert place.ingest(content) == ["loaded"]
    assert place.all("select extra from raw.police order by _record_no") == [
        ({"who": "Ann", "what": "x"},),
        ({"who": "Bob", "what": "y"},),
    ]
    assert place.findings() == [(0, "FIL-002")]


def test_a_workbook_in_an_archive_is_read_there(place: Place) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("plain.csv", ",".join(HEADER) + "\nN1,C1,Ann,,,red\n")
        archive.writestr(f"{CANARY}.xlsx", book(("A", records("N2")), ("B", records("N3"))))
    assert place.ingest(packed.getvalue()) == ["loaded"] * 3
    assert place.all("select notification_ref from raw.police order by 1") == [("N1",), ("N2",), ("N3",)]
    places = place.all("select place from intake.members order by member_no")
    assert places == [({"entry": 1},), ({"entry": 2, "sheet": 1},), ({"entry": 2, "sheet": 2},)]


def test_a_refused_sheet_is_a_dead_letter_and_the_others_are_loaded(place: Place) -> None:
    whole = book(("One", records("N1")), ("Two", records("N2")))
    broken = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(broken, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, b"not XML" if info.filename.endswith("sheet1.xml") else source.read(info))
    place.drop(broken.getvalue())
    place.take()
    place.load()
    assert place.all("select status, verdict from intake.deliveries order by delivery_id") == [
        ("dead_letter", "unreadable"),
        ("loaded", None),
    ]
    assert place.all("select reason_code from quality.dead_letters") == [("workbook_broken",)]
    assert place.one("select status from intake.files") == ("received",)


def test_a_sheet_that_breaks_off_keeps_what_came_before(place: Place) -> None:
    rows = [[f"N{n}", f"C{n}", "Ann", "", f"text {n}", "red"] for n in range(2000)]
    whole = book(("One", [HEADER, *rows]))
    cut = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(cut, "w") as target:
        for info in source.infolist():
            said = source.read(info)
            target.writestr(info.filename, said[: len(said) // 2] if info.filename.endswith("sheet1.xml") else said)
    assert place.ingest(cut.getvalue()) == ["loaded"]
    loaded, dead = place.one("select records_loaded, records_dead from intake.deliveries")
    assert 900 < loaded < 1100
    assert dead == 1
    assert place.one("select count(*) from raw.police where forename = 'Ann' and grade = 'red'") == (loaded,)
    assert place.one("select reason_code, line_no from quality.dead_letters") == ("workbook_broken_off", loaded + 2)


def test_no_name_and_no_value_of_a_workbook_is_said(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place.ingest(book((CANARY, records(CANARY)), ("Canary two", [["x"], [CANARY]])), f"{CANARY}.xlsx")
    place.ingest(book((CANARY, records(CANARY)))[:-100], f"{CANARY}.xlsx")
    said = place.all("select reason, reading::text from intake.files")
    said += place.all("select reason, reason_code from quality.dead_letters")
    said += place.all("select member_name, place::text from intake.members")
    assert "Canary" not in repr(said)
    assert "Canary" not in caplog.text


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_a_workbook_cut_off_anywhere_is_a_dead_letter_with_a_sentence(place: Place, at: int) -> None:
    whole = book(("One", records("N1", "N2")))
    place.ingest(whole[: 4 + (len(whole) - 5) * at // 100])
    assert place.one("select status from intake.files") == ("dead_letter",)
    assert place.one("select count(*) from raw.police") == (0,)
    assert place.one("select length(reason) > 20 from quality.dead_letters") == (True,)


def test_the_census_layout_reads_no_workbook(place: Place) -> None:
    place.ingest(book(("One", records("N1"))), to="wearside_council/cin_census")
    assert place.one("select status, reason_code from intake.files") == ("dead_letter", "archive")
