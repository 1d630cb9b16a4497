"""The same bytes again, the same name with other bytes, A-B-A. Mend: frontdoor/intake/duplicate.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from frontdoor.intake import archive, journal
from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
A = HEADER + b"N1,C1,Ann,2015-01-02,first,red\nN2,C2,Bob,2016-01-02,,green\n"
B = HEADER + b"N1,C1,Ann,2015-01-02,corrected,amber\n"
OTHER = HEADER + b"N9,C9,Zed,2015-01-02,elsewhere,red\n"


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


def read_and_publish(place: Place) -> None:
    """Stand in for the reading: key and hash of what is loaded, and publish it."""
    place.do(
        """
        insert into raw.police_read
            (_agency_code, _delivery_id, _record_no, _received_at, record_key, content_hash, has_own_key)
        select
            _agency_code, _delivery_id, _record_no, _received_at, notification_ref || child_ref,
            md5(row(forename, dob, narrative, grade)::text), true
        from raw.police
        where _delivery_id in (select delivery_id from intake.deliveries where status = 'loaded')
        """
    )
    place.do("update intake.deliveries set status = 'published' where status = 'loaded'")


def send(place: Place, content: bytes, name: str = "file.csv") -> str:
    """Send a file through to publication; return the status of its row."""
    place.ingest(content, name)
    read_and_publish(place)
    return str(place.one("select status from intake.files order by file_id desc limit 1")[0])


def repeats_by_notes(place: Place) -> list[bool]:
    """What the notes beside the archived files say, in order of arrival."""
    tokens = place.all("select taken_token from intake.files order by file_id")
    notes = [journal.read(place.settings, token) for (token,) in tokens]
    return [note.is_repeat for note in notes if note]


def test_same_bytes_under_the_same_and_another_name_are_counted_and_bring_no_row(place: Place) -> None:
    assert [send(place, A), send(place, A), send(place, A, "other name.csv")] == ["received", "duplicate", "duplicate"]
    first, *repeats = place.all("select file_id, duplicate_of from intake.files order by file_id")
    assert [original for _, original in repeats] == [first[0]] * 2
    assert place.one("select count(*) from intake.deliveries") == (1,)
    assert place.one("select count(*) from raw.police") == (2,)
    assert place.left() == []
    assert repeats_by_notes(place) == [False, True, True]


def test_same_name_with_other_bytes_is_another_file(place: Place) -> None:
    assert [send(place, A), send(place, B)] == ["received", "received"]
    assert place.one("select count(*) from raw.police") == (3,)


def test_a_then_b_then_a_is_a_new_statement(place: Place) -> None:
    assert [send(place, each) for each in (A, B, A, A)] == ["received", "received", "received", "duplicate"]


def test_later_file_about_other_children_leaves_the_repeat_a_repeat(place: Place) -> None:
    assert [send(place, each) for each in (A, OTHER, A)] == ["received", "received", "duplicate"]


def test_same_bytes_from_another_feed_or_agency_are_no_repeat(place: Place) -> None:
    send(place, A)
    assert place.ingest(A, to="wearside_council/cin_census") == ["dead_letter"]


@pytest.mark.parametrize("content", [HEADER, b"", HEADER + b'N1,"C1,,,,\n'])
def test_file_without_a_record_is_never_the_reason_for_a_repeat(place: Place, content: bytes) -> None:
    first = send(place, content)
    assert send(place, content) == first != "duplicate"


def test_two_of_a_kind_taken_together_are_told_apart_when_the_second_is_loaded(place: Place) -> None:
    place.drop(A, "one.csv")
    place.drop(A, "two.csv")
    assert place.take() == 2
    assert place.load() == ["loaded", "duplicate"]
    assert place.all("select status from intake.files order by file_id") == [("received",), ("duplicate",)]
    assert place.one("select count(*) from intake.deliveries") == (1,)
    assert place.one("select count(*) from raw.police") == (2,)
    assert repeats_by_notes(place) == [False, True], "whoever has the archive alone must know it too"


def test_a_b_a_taken_together_keeps_all_three(place: Place) -> None:
    for number, content in enumerate((A, B, A)):
        place.drop(content, f"{number}.csv")
    assert place.take() == 3
    outcome = []
    for (delivery_id,) in place.all("select delivery_id from intake.deliveries order by 1"):
        from frontdoor import intake

        outcome.append(intake.load(place.connection, place.settings, place.house, delivery_id))
        place.connection.commit()
        read_and_publish(place)
    assert outcome == ["loaded"] * 3


def test_while_a_later_file_is_not_read_nothing_is_called_a_repeat(place: Place) -> None:
    send(place, A)
    place.drop(B)
    place.take()
    place.drop(A, "again.csv")
    place.take()
    assert place.all("select status from intake.files order by file_id") == [("received",)] * 3


def test_repeat_is_told_by_bytes_not_by_size(place: Place) -> None:
    send(place, A)
    assert send(place, A.replace(b"first", b"FIRST")) == "received"


def test_original_missing_from_the_archive_is_archived_again(place: Place) -> None:
    send(place, A)
    send(place, OTHER)
    (name,) = place.one("select stored_name from intake.files order by file_id limit 1")
    assert archive.delete(place.settings, name)
    assert send(place, A) == "duplicate"
    assert place.archived() == A, "the row of the first file names the copy that is there"
