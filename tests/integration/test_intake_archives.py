"""Archives and JSON from the landing zone into the tables: members, dead parts, nothing lost and nothing logged.

Mend: frontdoor/intake/ (take.py, load.py, duplicate.py, contents/, readers/).
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
GOOD = HEADER + b"N1,C1,Ann,2015-01-02,Seen at home,red\nN2,C2,Bob,2016-01-02,,green\n"
MORE = HEADER + b"N3,C3,Cat,2015-01-02,Seen at home,red\n"
CANARY = "Canary Childsname 943 476 5919"
LINES = b'{"notification_ref":"N7","child_ref":"C7","grade":"red"}\n{"notification_ref":"N8","child_ref":"C8"}\n'


def zipped(*entries: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


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


def deliveries(place: Place) -> list[tuple[Any, ...]]:
    return place.all(
        "select member_no, status, verdict, records_loaded, records_dead from intake.deliveries order by delivery_id"
    )


def test_several_files_in_a_zip_are_several_deliveries_in_their_order(place: Place) -> None:
    content = zipped(
        ("day/", b""), ("day/one.csv", GOOD), (".DS_Store", b"x"), ("two.csv", MORE), ("three.jsonl", LINES)
    )
    assert place.ingest(content) == ["loaded"] * 3
    assert deliveries(place) == [
        (1, "loaded", None, 2, 0), (2, "loaded", None, 1, 0), (3, "loaded", None, 2, 0),
    ]  # fmt: skip
    assert place.all("select notification_ref from raw.police order by _delivery_id, _record_no") == [
        (f"N{n}",) for n in (1, 2, 3, 7, 8)
    ]
    assert place.all(
        "select member_no, member_name, place, record_count, reading ->> 'format' from intake.members order by 1"
    ) == [
        (1, "entry 2", {"entry": 2}, 2, "delimited"),
        (2, "entry 4", {"entry": 4}, 1, "delimited"),
        (3, "entry 5", {"entry": 5}, 2, "jsonl"),
    ]
    sizes = place.all("select size_bytes from intake.deliveries order by delivery_id")
    assert sizes == [(len(GOOD),), (len(MORE),), (len(LINES),)]
    assert place.findings() == [(0, "FIL-016")], "one of the three is JSON"
    assert place.left() == []


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped(("x", content))])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp1252"])
def test_packed_file_gives_the_same_rows_as_the_plain_one(place: Place, pack: Any, codec: str) -> None:
    plain = (GOOD.decode() + 'N3,C3,Zoë,2015-01-02,"a ""quoted""\nword",red\n').encode(codec)
    place.ingest(plain)
    rows = "select _record_no, notification_ref, child_ref, forename, dob, narrative, grade, extra from raw.police order by 1"
    before = place.all(rows)
    place.forget()
    assert place.ingest(pack(plain)) == ["loaded"]
    assert place.all(rows) == before


def test_census_in_a_zip_is_read_by_its_layout(place: Place) -> None:
    record = "<Child><ChildIdentifiers><LAchildID>K1</LAchildID></ChildIdentifiers><CINdetails/></Child>"
    census = f"<Message><Children>{record}</Children></Message>".encode()
    assert place.ingest(zipped(("c.xml", census)), to="wearside_council/cin_census") == ["loaded"]
    assert place.all("select child_ref from raw.referral") == [("K1",)]
    declared = b'<!DOCTYPE x [<!ENTITY a "b">]>' + census
    assert place.ingest(zipped(("c.xml", census), ("d.xml", declared)), to="wearside_council/cin_census") == ["loaded"]
    assert place.all("select reason_code from quality.dead_letters") == [("xml_dtd",)]


def test_refused_member_is_a_dead_letter_and_the_others_are_loaded(place: Place) -> None:
    content = zipped(("one.csv", GOOD), ("inner.zip", zipped(("x", MORE))), ("empty.csv", b""), ("two.csv", MORE))
    assert place.ingest(content) == ["loaded", "loaded"]
    assert deliveries(place) == [
        (1, "loaded", None, 2, 0),
        (2, "dead_letter", "unreadable", 0, 0),
        (3, "dead_letter", "unreadable", 0, 0),
        (4, "loaded", None, 1, 0),
    ]
    assert place.one("select status, reason_code from intake.files") == ("received", None)
    assert place.all(
        "select member_no, reason_code, owner_role from quality.dead_letters inner join intake.deliveries using"
        " (delivery_id) order by 1"
    ) == [(2, "archive_nested", "team_manager"), (3, "empty", "team_manager")]


def test_member_that_is_refused_when_it_is_loaded_leaves_the_others(place: Place) -> None:
    assert place.ingest(zipped(("one.csv", GOOD), ("two.json", b'[{"a'), ("three.csv", MORE))) == [
        "loaded", "dead_letter", "loaded",
    ]  # fmt: skip
    assert place.one("select status from intake.files") == ("received",)
    assert place.all("select reason_code from quality.dead_letters") == [("json_malformed",)]


def test_file_of_which_nothing_is_read_is_dead(place: Place) -> None:
    assert place.ingest(zipped(("a.zip", zipped(("x", MORE))), ("b.csv", b""))) == []
    assert place.one("select status, reason_code from intake.files") == ("dead_letter", "archive_nested")
    assert place.one("select count(*) from quality.dead_letters") == (2,)
    place.forget()
    assert place.ingest(zipped(("a.json", b"[{"), ("b.json", b'{"a":'))) == ["dead_letter", "dead_letter"]
    assert place.one("select status, reason_code from intake.files") == ("dead_letter", "json_malformed")


def test_same_zip_again_is_a_duplicate_unless_a_member_was_not_read(place: Place) -> None:
    content = zipped(("one.csv", GOOD), ("two.csv", MORE + b"N1,C1,Ann,2015-01-02,Corrected within the file,red\n"))
    assert place.ingest(content) == ["loaded", "loaded"]
    assert place.ingest(content, "again.zip") == []
    assert place.all("select status from intake.files order by file_id") == [("received",), ("duplicate",)]
    place.forget()
    partly = zipped(("one.csv", GOOD), ("two.csv", b""))
    assert [place.ingest(partly, name) for name in ("a.zip", "b.zip")] == [["loaded"], ["loaded"]]


def test_two_equal_zips_taken_at_once_are_loaded_once(place: Place) -> None:
    content = zipped(("one.csv", GOOD), ("two.csv", MORE))
    place.drop(content, "a.zip")
    place.drop(content, "b.zip")
    assert place.take() == 2
    assert place.load()[:3] == ["loaded", "loaded", "duplicate"]
    assert place.one("select count(*) from raw.police") == (3,)


@given(cut=st.integers(1, 10**6))
@bounded(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_zip_cut_anywhere_loses_nothing_in_silence(place: Place, cut: int) -> None:
    place.forget()
    whole = zipped(("one.csv", GOOD), ("two.csv", MORE), ("three.jsonl", LINES))
    content = whole[: cut % len(whole)]
    outcome = place.ingest(content, f"{time.time_ns()}.zip")
    read = [name for (name,) in place.all("select notification_ref from raw.police order by _delivery_id, _record_no")]
    whole_entries = [["N1", "N2"], ["N3"], ["N7", "N8"]]
    if content.startswith(b"PK\x03\x04"):
        assert read == list(chain.from_iterable(whole_entries[: len(outcome)]))
        told = place.all("select reason_code from quality.dead_letters")
        assert len(outcome) == 3 or told[-1:] == [("archive_broken",)]
    else:
        assert read in ([], [None]) and (place.findings() or place.all("select * from quality.dead_letters"))


@pytest.mark.parametrize("agency", ["csv", "json", "jsonl"])
def test_other_format_than_agreed_is_read_and_told(place: Place, agency: str) -> None:
    (police, census) = place.house.agency_feeds
    house = replace(place.house, agency_feeds=(replace(police, format=agency), census))
    other = Place(place.settings, place.connection, house)
    sent = {
        "csv": GOOD,
        "json": b'[{"notification_ref":"N1","child_ref":"C1"}]',
        "jsonl": LINES,
    }
    for form, content in sent.items():
        place.forget()
        assert other.ingest(content) == ["loaded"]
        assert ((0, "FIL-016") in other.findings()) == (form != agency)
        assert other.one("select min(child_ref) from raw.police")[0] in ("C1", "C7")


def test_hostile_json_is_loaded_by_the_database(place: Place) -> None:
    lines = [
        {"notification_ref": "\\.", "narrative": 'a\n\\.\n"b",', "grade": "\\N"},
        {
            "notification_ref": "'; drop table raw.police; --",
            "forename": "=cmd|' /C calc'!A0",
            "x": {"y": ["\\.", "\n"]},
        },
        {"notification_ref": "\u0000", "x\u0000": "\ud800", "child_ref": "\udfff"},
        {"notification_ref": "7" * 1_000_000, "big": 10**50, "tiny": 1e-320},
    ]
    content = "\r\n\r\n".join(json.dumps(each) for each in lines) + "\r\n{\r\n"
    assert place.ingest(content.encode()) == ["loaded"]
    rows = place.all("select _record_no, notification_ref, narrative, grade, extra from raw.police order by 1")
    assert [row[0] for row in rows] == [1, 3, 5, 7]
    assert rows[0][1:4] == ("\\.", 'a\n\\.\n"b",', "\\N")
    assert rows[1][4] == {"x.y": ["\\.", "\n"]}
    assert rows[2][1] == "\ufffd" and rows[2][4] == {"x\ufffd": "\ufffd"}
    assert len(rows[3][1]) == 10**6 and rows[3][4]["big"] == str(10**50)
    assert place.all("select line_no, reason_code from quality.dead_letters") == [(8, "json_broken")]
    assert (5, "FIL-009") in place.findings()


def test_nothing_of_an_archive_or_a_record_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = f'{{"notification_ref":"{CANARY}","{CANARY}":[{{"{CANARY}":"{CANARY}"}}]}}\n{{"{CANARY}\n'.encode()
    inner = zipped((f"{CANARY}.csv", GOOD))
    bomb = bytes(24 * 2**20)
    content = zipped((f"{CANARY}/a.jsonl", secret), (f"../{CANARY}.zip", inner), (f"{CANARY}.csv", bomb))
    assert place.ingest(content, f"{CANARY}.zip") == ["loaded"]
    place.ingest(content[:-200], f"{CANARY}.2.zip")
    place.ingest(f"[[{json.dumps(CANARY)}".encode(), f"{CANARY}.json")
    assert "Canary" not in caplog.text
    said = place.all("select reason from quality.dead_letters union all select member_name from intake.members")
    said += place.all("select reading::text from intake.files union all select reading::text from intake.members")
    assert "Canary" not in repr(said)
    assert not [path for path in place.settings.home.rglob("*Canary*") if "landing" not in path.parts]
