"""The census layout: XML by mapping, streamed. Mend: frontdoor/intake/readers/xml_layout.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

REAL = Path(__file__).parents[3] / "shared" / "data" / "fake_CIN_data.xml"
CENSUS = "wearside_council/cin_census"
HEADER = "<Header><CollectionDetails><ReferenceDate>2022-07-21</ReferenceDate></CollectionDetails></Header>"


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


def child(name: str, *episodes: str, more: str = "") -> str:
    details = "".join(f"<CINdetails><CINreferralDate>{date}</CINreferralDate></CINdetails>" for date in episodes)
    return f"<Child><ChildIdentifiers><LAchildID>{name}</LAchildID></ChildIdentifiers>{details}{more}</Child>"


def message(*children: str, attributes: str = "") -> bytes:
    return (
        f"<?xml version='1.0'?><Message{attributes}>{HEADER}<Children>{''.join(children)}</Children></Message>".encode()
    )


def test_real_census_gives_every_episode_with_its_child_and_reference_date(place: Place) -> None:
    assert place.ingest(REAL.read_bytes(), "census.xml", to=CENSUS) == ["loaded"]
    assert place.one(
        "select count(*), count(distinct child_ref), count(icpc_date), min(extract_as_of), max(extract_as_of),"
        " min(_record_no), max(_record_no), count(known_at) from raw.referral"
    ) == (402, 332, 350, "2022-07-21", "2022-07-21", 1, 402, 402)
    assert place.findings() == []
    assert place.all("select member_name, feed, record_count from intake.members") == [("referral", "referral", 402)]
    extra = place.one("select extra from raw.referral where _record_no = 1")[0]
    assert extra["ReferralNFA"] == "true"
    assert extra["../ChildCharacteristics/Ethnicity"] == "WIRT"


def test_namespace_comment_and_fields_after_the_episode_are_read(place: Place) -> None:
    late = "<ChildCharacteristics><Ethnicity>WBRI</Ethnicity></ChildCharacteristics>"
    content = message(child("A", "2022-01-01", "2022-02-01", more=f"<!-- x -->{late}"), attributes=' xmlns="urn:cin"')
    assert place.ingest(content, to=CENSUS) == ["loaded"]
    assert place.all("select child_ref, known_at, extra from raw.referral order by _record_no") == [
        ("A", "2022-01-01", {"../ChildCharacteristics/Ethnicity": "WBRI"}),
        ("A", "2022-02-01", {"../ChildCharacteristics/Ethnicity": "WBRI"}),
    ]


def test_child_without_episode_is_not_lost(place: Place) -> None:
    assert place.ingest(message(child("A", "2022-01-01"), child("B")), to=CENSUS) == ["loaded"]
    assert place.all("select child_ref, known_at, extract_as_of from raw.referral order by _record_no") == [
        ("A", "2022-01-01", "2022-07-21"),
        ("B", None, "2022-07-21"),
    ]


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE Message [<!ENTITY x "y">]>',
        '<!DOCTYPE Message SYSTEM "file:///etc/passwd">',
        "<!-- " + "x" * 200_000 + ' --><!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_xml_with_a_document_type_is_refused(place: Place, doctype: str, codec: str) -> None:
    content = (doctype + message(child("A", "2022-01-01")).decode().split("?>")[1]).encode(codec)
    assert place.ingest(content, to=CENSUS) == []
    assert place.one("select status, reason_code from intake.files") == ("dead_letter", "xml_dtd")
    assert place.one("select reason from intake.files")[0].startswith("XML with DTD")
    assert place.one("select status, verdict from intake.deliveries") == ("dead_letter", "unreadable")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"notification_ref,child_ref\nN1,C1\n", "xml_malformed"),
        (b"<Message><Children><Child>", "xml_malformed"),
        (b"<html><body>Service unavailable</body></html>", "xml_wrong"),
    ],
)
def test_xml_of_which_nothing_can_be_read_is_a_dead_letter(place: Place, content: bytes, reason: str) -> None:
    assert place.ingest(content, to=CENSUS) == ["dead_letter"]
    assert place.one("select status, reason_code from intake.files") == ("dead_letter", reason)
    assert place.one("select status, verdict, records_in, records_loaded, records_dead from intake.deliveries") == (
        "dead_letter",
        "unreadable",
        0,
        0,
        0,
    )
    assert place.one("select count(*) from quality.dead_letters") == (1,)


def test_xml_that_breaks_off_keeps_what_came_before(place: Place) -> None:
    content = message(child("A", "2022-01-01"), child("B", "2022-01-01", "2022-03-01"), child("C", "2022-01-01"))
    assert place.ingest(content[: content.index(b">C<")], to=CENSUS) == ["loaded"]
    assert place.all("select child_ref from raw.referral order by _record_no") == [("A",), ("B",), ("B",)]
    assert place.one("select records_in, records_loaded, records_dead from intake.deliveries") == (4, 3, 1)
    assert place.findings() == [(0, "FIL-010")]


def test_census_without_children_says_so(place: Place) -> None:
    assert place.ingest(message(), to=CENSUS) == ["loaded"]
    assert place.findings() == [(0, "FIL-001")]


def test_damaged_and_older_encodings_are_read(place: Place) -> None:
    declared = b"<?xml version='1.0' encoding='ISO-8859-1'?>" + message(child("Zo\xeb", "2022-01-01")).split(b"?>")[
        1
    ].decode().encode("latin-1")
    silent = message(child("Zo\xeb", "2022-01-01")).decode().encode("cp1252")
    damaged = message(child("Zoë", "2022-01-01"), child("B\x00\x0b", "2022-01-01"))
    for content in (declared, silent, damaged):
        assert place.ingest(content, to=CENSUS) == ["loaded"]
    assert [name for (name,) in place.all("select child_ref from raw.referral order by _delivery_id, _record_no")] == [
        "Zoë",
        "Zoë",
        "Zoë",
        "B\ufffd\ufffd",
    ]
    assert place.findings() == [(0, "FIL-008"), (2, "FIL-009")]


def test_stray_ampersand_takes_no_child_off_the_list(place: Place) -> None:
    content = message(
        child("A & B", "2022-01-01"), child("C&nbsp;D", "2022-01-01"), child("E&#0;F&amp;G&#233;", "2022-01-01")
    )
    assert place.ingest(content, to=CENSUS) == ["loaded"]
    assert [name for (name,) in place.all("select child_ref from raw.referral order by _record_no")] == [
        "A & B",
        "C&nbsp;D",
        "E&#0;F&Gé",
    ]
    assert place.findings() == [(0, "FIL-009")]


def test_ampersand_in_character_data_of_a_good_file_is_left_as_it_is(place: Place) -> None:
    assert place.ingest(message(child("<![CDATA[A & B]]>", "2022-01-01")), to=CENSUS) == ["loaded"]
    assert place.one("select child_ref from raw.referral") == ("A & B",)
    assert place.findings() == []
