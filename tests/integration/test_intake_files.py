"""What becomes of each kind of file. Mend: frontdoor/intake/ (take.py, load.py, readers/)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
GOOD = HEADER + b"N1,C1,Ann,2015-01-02,Seen at home,red\nN2,C2,Bob,2016-01-02,,green\n"


@pytest.fixture(scope="module")
def zone(database: Database) -> Iterator[Place]:
    from frontdoor.warehouse.raw_tables import ensure_raw_tables

    connection, house = database.connect(), intake_house.house()
    ensure_raw_tables(connection, house)
    yield Place(database.settings, connection, house)
    connection.close()


@pytest.fixture
def place(zone: Place) -> Place:
    zone.forget()
    return zone


def file_row(place: Place) -> tuple[object, ...]:
    return place.one("select agency_code, source, status, reason_code from intake.files")


def delivery_row(place: Place) -> tuple[object, ...]:
    return place.one("select status, verdict, records_in, records_loaded, records_dead from intake.deliveries")


def test_good_file_is_archived_written_down_loaded_and_cleared(place: Place) -> None:
    assert place.ingest(GOOD, "a name.csv") == ["loaded"]
    assert place.all(
        "select _agency_code, _record_no, notification_ref, child_ref, forename, dob, narrative, grade, extra"
        " from raw.police order by _record_no"
    ) == [
        ("wearside_police", 1, "N1", "C1", "Ann", "2015-01-02", "Seen at home", "red", {}),
        ("wearside_police", 2, "N2", "C2", "Bob", "2016-01-02", None, "green", {}),
    ]
    assert place.findings() == []
    assert delivery_row(place) == ("loaded", None, 2, 2, 0)
    name, sha256, size = place.one("select file_name, sha256_stored, size_bytes from intake.files")
    assert (name, size, sha256) == ("a name.csv", len(GOOD), hashlib.sha256(GOOD).hexdigest())
    assert place.archived() == GOOD
    assert place.left() == []
    assert place.all("select member_no, member_name, feed, record_count from intake.members") == [
        (1, "file", "police", 2)
    ]
    events = place.all("select status_from, status_to from intake.delivery_events order by at")
    assert events == [(None, "received"), ("received", "loaded")]
    reading = place.one("select reading from intake.files")[0]
    assert reading["delimiter"] == "," and reading["headers"] == reading["recognised"] == 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n \r\n", "empty"),
        (b"PK\x03\x04" + bytes(range(256)) * 4, "archive_broken"),
        (b"\x1f\x8b\x08" + bytes(100), "archive_broken"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "archive"),
        (b"%PDF-1.7 something", "binary"),
        (bytes(range(256)) * 50, "binary"),
        (bytes(5000), "binary"),
    ],
)
def test_file_without_text_is_a_dead_letter_with_a_clock(place: Place, content: bytes, reason: str) -> None:
    assert place.ingest(content) == []
    assert file_row(place) == ("wearside_police", "police", "dead_letter", reason)
    assert delivery_row(place) == ("dead_letter", "unreadable", 0, 0, 0)
    found, due, role, line = place.one("select found_at, due_at, owner_role, line_no from quality.dead_letters")
    assert due - found == timedelta(hours=1)
    assert (role, line) == ("team_manager", None)
    assert place.one("select reason from intake.files")[0].endswith(".")
    assert place.left() == []


def test_header_only_file_is_loaded_with_no_record_and_says_so(place: Place) -> None:
    assert place.ingest(HEADER) == ["loaded"]
    assert delivery_row(place) == ("loaded", None, 0, 0, 0)
    assert place.findings() == [(0, "FIL-001")]


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("nobody/police", "unknown_agency"),
        ("wearside_police/nothing", "unknown_feed"),
        ("wearside_police/cin_census", "unknown_feed"),
        ("wearside_police", "misplaced"),
        (".", "misplaced"),
    ],
)
def test_file_for_an_unknown_agency_or_feed_is_kept_for_a_person(place: Place, folder: str, reason: str) -> None:
    assert place.ingest(GOOD, to=folder) == []
    assert file_row(place) == ("unknown", "unknown", "dead_letter", reason)
    assert place.all("select * from intake.deliveries") == []
    assert place.one("select owner_role, delivery_id from quality.dead_letters") == ("data_engineer", None)
    assert place.archived() == GOOD
    assert place.left() == []


def test_file_in_a_folder_that_its_sender_made_is_taken_like_any_other(place: Place) -> None:
    assert place.ingest(GOOD, to="wearside_police/police/2026/november") == ["loaded"]
    assert place.one("select agency_code, feed from intake.deliveries") == ("wearside_police", "police")
    assert place.left() == []


def test_link_is_set_aside_and_never_followed(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_bytes(GOOD)
    folder = place.settings.landing / "wearside_police" / "police"
    folder.mkdir(parents=True, exist_ok=True)
    os.symlink(secret, folder / "link.csv")
    os.mkfifo(folder / "pipe.csv")
    assert place.take() == 2
    assert place.all("select distinct status, reason_code, size_bytes from intake.files") == [
        ("dead_letter", "not_a_file", 0)
    ]
    assert secret.read_bytes() == GOOD
    assert place.left() == []
    assert place.take() == 0


@pytest.mark.parametrize("name", [".hidden", "upload.part", "upload.tmp"])
def test_file_with_a_temporary_name_is_left_alone(place: Place, name: str) -> None:
    folder = place.settings.landing / "wearside_police" / "police"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(GOOD)
    assert place.take() == 0
    assert place.left() == [f"wearside_police/police/{name}"]
    (folder / name).unlink()


def test_unknown_headers_are_kept_in_extra_and_no_column_known_still_loads(place: Place) -> None:
    assert place.ingest(b"Alpha,Beta\n1x,two\n") == ["loaded"]
    assert place.one("select notification_ref, extra, _record_no from raw.police") == (
        None,
        {"Alpha": "1x", "Beta": "two"},
        1,
    )
    assert place.findings() == [(0, "FIL-002")]


def test_file_without_header_loses_no_record(place: Place) -> None:
    assert place.ingest(b"N1,2015-01-02,Ann\nN2,2016-01-02,Bob\n") == ["loaded"]
    assert place.all("select extra from raw.police order by _record_no") == [
        ({"column_1": "N1", "column_2": "2015-01-02", "column_3": "Ann"},),
        ({"column_1": "N2", "column_2": "2016-01-02", "column_3": "Bob"},),
    ]
    assert place.findings() == [(0, "FIL-002")]


def test_agency_headers_missing_unknown_and_double_headers_are_told_once(place: Place) -> None:
    assert place.ingest(b"OUR_REF;  Child\xe2\x80\x99s first-name:;Shoe size;our ref;shoe size\nN1;Ann;3;N9;4\n") == [
        "loaded"
    ]
    assert place.one("select notification_ref, forename, extra from raw.police") == (
        "N1",
        "Ann",
        {"Shoe size": "3", "notification_ref#2": "N9", "shoe size": "4"},
    )
    assert place.findings() == [(0, "FIL-003"), (0, "FIL-004"), (0, "FIL-005")]


def test_short_and_long_rows_are_loaded_with_their_cells_and_findings(place: Place) -> None:
    assert place.ingest(HEADER + b"N1,C1,Ann\nN2,C2,Bob,2016-01-02,,green,more,\nN3,C3,Cy,2016-01-02,x,red,,\n") == [
        "loaded"
    ]
    rows = place.all("select notification_ref, dob, grade, extra from raw.police order by _record_no")
    assert rows == [
        ("N1", None, None, {}),
        (
            "N2",
            "2016-01-02",
            "green",
            {"_surplus": ["more", ""], "_cells": ["N2", "C2", "Bob", "2016-01-02", "", "green", "more", ""]},
        ),
        ("N3", "2016-01-02", "red", {}),
    ]
    assert place.findings() == [(1, "FIL-006"), (2, "FIL-007")]


def test_windows_1252_is_read_and_told(place: Place) -> None:
    assert place.ingest(HEADER + "N1,C1,Zoë,2015-01-02,“quoted”,red\n".encode("cp1252")) == ["loaded"]
    assert place.one("select forename, narrative from raw.police") == ("Zoë", "“quoted”")
    assert place.findings() == [(0, "FIL-008")]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_any_unicode_is_read(place: Place, codec: str) -> None:
    text = (HEADER + 'N1,C1,Zoë 👧,2015-01-02,"a\nb",red\n'.encode()).decode()
    assert place.ingest(text.replace("\n", "\r\n").encode(codec)) == ["loaded"]
    assert place.one("select forename, narrative, grade from raw.police") == ("Zoë 👧", "a\r\nb", "red")
    assert place.findings() == []


def test_nul_and_bad_bytes_are_replaced_on_the_record_that_has_them(place: Place) -> None:
    content = (
        HEADER
        + "N1,C1,Zoë,,,red\n".encode()
        + b"N2,C2,B\0b,,,red\nN3,C3,Zo\xeb,,,red\nN4,C4,Di,,,red\n"
        + "N5,C5,Zoé,,,\n".encode()
    )
    assert place.ingest(content) == ["loaded"]
    names = [name for (name,) in place.all("select forename from raw.police order by _record_no")]
    assert names == ["Zoë", "B\ufffdb", "Zo\ufffd", "Di", "Zoé"]
    assert place.findings() == [(2, "FIL-009"), (3, "FIL-009")]


def test_unreadable_record_among_good_ones_is_a_dead_letter_of_its_line(place: Place) -> None:
    content = HEADER + b'N1,C1,Ann,,,red\nN2,C2,"Bob,,,red\nN3,C3,Cy,,,red\nN4,C4,Di,,"one\ntwo",red\nN5,C5,Ed,,,red\n'
    assert place.ingest(content) == ["loaded"]
    assert place.all("select _record_no, notification_ref, narrative from raw.police order by 1") == [
        (1, "N1", None),
        (3, "N3", None),
        (4, "N4", "one\ntwo"),
        (5, "N5", None),
    ]
    assert place.one("select line_no, reason_code, delivery_id is not null from quality.dead_letters") == (
        3,
        "unbalanced_quote",
        True,
    )
    assert delivery_row(place) == ("loaded", None, 5, 4, 1)
    assert place.findings() == [(0, "FIL-010")]


def test_record_that_the_database_refuses_becomes_the_only_dead_letter(place: Place) -> None:
    place.do("alter table raw.police add constraint never check (forename <> 'refuse me')")
    try:
        lines = [b"N%d,C%d,%b,,,red\n" % (n, n, b"refuse me" if n == 777 else b"Ann") for n in range(1, 1501)]
        assert place.ingest(HEADER + b"".join(lines)) == ["loaded"]
    finally:
        place.do("alter table raw.police drop constraint never")
    assert delivery_row(place) == ("loaded", None, 1500, 1499, 1)
    assert place.one("select line_no, reason_code from quality.dead_letters") == (778, "refused")
    assert place.one("select count(*), max(_record_no) from raw.police") == (1499, 1500)


def test_two_stray_marks_merge_no_rows(place: Place) -> None:
    rows = [b"N%d,C%d,Ann,2015-01-02,,red\n" % (n, n) for n in range(10)]
    rows[3] = b'N3,C3,"Ann,2015-01-02,,red\n'
    rows[7] = b'N7,C7,Ann",2015-01-02,,red\n'
    assert place.ingest(HEADER + b"".join(rows)) == ["loaded"]
    assert delivery_row(place) == ("loaded", None, 10, 9, 1)
    assert place.one("select forename from raw.police where notification_ref = 'N7'") == ('Ann"',)


def test_long_record_and_wide_text_pass_through(place: Place) -> None:
    text = b"x" * (3 * 2**20)
    assert place.ingest(HEADER + b"N1,C1,Ann,,%b,red\nN2,C2,Bob,,,red\n" % text) == ["loaded"]
    assert place.all("select length(narrative) from raw.police order by _record_no") == [(len(text),), (None,)]


def test_line_too_long_for_a_record_is_a_dead_letter_and_reading_goes_on(place: Place) -> None:
    assert place.ingest(HEADER + b"N1,C1,Ann,,%b,red\nN2,C2,Bob,,,red\n" % (b"x" * (17 * 2**20))) == ["loaded"]
    assert delivery_row(place) == ("loaded", None, 2, 1, 1)
    assert place.one("select line_no, reason_code from quality.dead_letters") == (2, "line_too_long")


def test_hostile_text_in_every_column_is_kept_as_sent(place: Place) -> None:
    cells = ["'; drop table raw.police; --", "\\.", "{{ x }}", "=cmd|'/c calc'!A1", 'say ""hi""\nnext', "\\N"]
    line = ",".join(f'"{cell}"' for cell in cells)
    assert place.ingest(HEADER + f"{line}\n\\.,C2,,,,\n".encode()) == ["loaded"]
    row = place.one(
        "select notification_ref, child_ref, forename, dob, narrative, grade from raw.police where _record_no = 1"
    )
    assert list(row) == [cell.replace('""', '"') for cell in cells]
    assert place.one("select notification_ref from raw.police where _record_no = 2") == ("\\.",)


def test_delivery_given_up_is_a_dead_letter_for_an_engineer(place: Place) -> None:
    from frontdoor import intake

    place.drop(GOOD)
    place.take()
    (delivery_id,) = place.one("select delivery_id from intake.deliveries")
    intake.give_up(place.connection, place.house, delivery_id)
    place.connection.commit()
    assert delivery_row(place) == ("dead_letter", "unreadable", 0, 0, 0)
    assert file_row(place)[2:] == ("dead_letter", "given_up")
    assert place.one("select owner_role from quality.dead_letters") == ("data_engineer",)
    assert place.load() == []
