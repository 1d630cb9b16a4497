"""Hostile names, many takers at once, and nothing said about either. Mend: frontdoor/intake/take.py, taken.py."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from frontdoor import intake
from frontdoor.intake import archive, ledger
from frontdoor.intake.content import Content
from frontdoor.intake.contents import probe
from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
CANARY = "Canary Childsname 943 476 5919"


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


@pytest.mark.parametrize("folder", ["wearside_police/police", "no\nbody's \udcff/poli ce;--", "-/-", "wearside_police"])
@pytest.mark.parametrize("name", ["a\nb.csv", "'; drop table x --.csv", "\udcff\udcfe.csv", "x" * 250, "~", "%s%d{}"])
def test_any_name_of_file_or_folder_is_taken_and_kept_in_its_one_column(place: Place, folder: str, name: str) -> None:
    place.drop(HEADER + b"N1,C1,Ann,,,red\n", "plain.csv", to=folder)
    there = place.settings.landing / folder
    os.rename(there / "plain.csv", there / name)
    assert place.take() == 1
    (kept,) = place.one("select file_name from intake.files")
    assert os.fsencode(name).decode("utf-8", "replace") in kept
    assert place.left() == []


def test_many_takers_at_once_take_every_file_once(place: Place, database: Database) -> None:
    for number in range(60):
        place.drop(HEADER + b"N%d,C1,Ann,,,red\n" % number, f"{number}.csv")
    counts: list[int] = []

    def run() -> None:
        connection = database.connect()
        counts.append(intake.take(connection, place.settings, place.house))
        connection.close()

    takers = [threading.Thread(target=run) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sum(counts) == 60
    assert place.one("select count(*), count(distinct sha256_received) from intake.files") == (60, 60)
    assert place.left() == []


def test_failures_name_no_file_no_folder_no_value(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> archive.Stored:
        raise OSError(28, "No space left on device", f"/landing/{CANARY}.csv")

    caplog.set_level(logging.DEBUG)
    place.drop(HEADER + f"N1,C1,{CANARY},,,red\n".encode(), f"{CANARY}.csv", to=f"{CANARY}/police")
    with monkeypatch.context() as patched:
        patched.setattr(archive, "store", full)
        assert place.take() == 0
    assert place.take() == 1
    place.do("alter table raw.police add constraint never check (forename not like 'Canary%%')")
    try:
        place.ingest(HEADER + f"N1,C1,{CANARY},,,red\nN2,C2,Ann,,,red\n".encode(), f"{CANARY}.csv")
    finally:
        place.do("alter table raw.police drop constraint never")
    assert place.one("select records_loaded, records_dead from intake.deliveries") == (1, 1)
    assert caplog.records
    assert "Canary" not in caplog.text
    said = place.all("select reason from intake.files union all select reason from quality.dead_letters")
    said += place.all("select reading::text from intake.files union all select member_name from intake.members")
    assert "Canary" not in repr(said)


def test_error_of_one_file_holds_no_other_and_is_a_dead_letter(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.drop(HEADER + b"N1,C1,Ann,,,red\n", "bad.csv")
    bad = place.settings.landing / "wearside_police" / "police" / "bad.csv"
    bad_bytes = bad.read_bytes()
    place.drop(HEADER + b"N2,C2,Bob,,,red\n", "good.csv")
    place.drop(b"<Message/>", "census.xml", to="wearside_council/cin_census")
    refusal = probe.refusal

    def fails(content: Content, form: str | None) -> str | None:
        if content.open().read() == bad_bytes:
            raise LookupError(f"unknown encoding: {CANARY}")
        return refusal(content, form)

    monkeypatch.setattr(probe, "refusal", fails)
    assert place.take() == 3
    assert place.left() == []
    assert place.all("select file_name, status, reason_code from intake.files order by file_name") == [
        ("bad.csv", "dead_letter", "unreadable"),
        ("census.xml", "received", None),
        ("good.csv", "received", None),
    ]
    assert place.all("select reason_code, owner_role from quality.dead_letters") == [("unreadable", "data_engineer")]


@pytest.mark.parametrize("error", [RuntimeError(CANARY), psycopg2.DataError(CANARY)])
def test_file_that_cannot_be_written_down_waits_and_holds_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    place.drop(HEADER + b"N1,C1,Ann,,,red\n", f"{CANARY}.csv")
    place.drop(HEADER + b"N2,C2,Bob,,,red\n", "good.csv")
    place.drop(HEADER + b"N3,C3,Cat,,,red\n", "stranger.csv", to="zz/police")
    add_file = ledger.add_file

    def fails(cursor: Any, file: ledger.File) -> int:
        if file.name == f"{CANARY}.csv":
            raise error
        return add_file(cursor, file)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "add_file", fails)
        assert place.take() == 2
    assert "Canary" not in caplog.text and type(error).__name__ in caplog.text
    assert place.take() == 1
    assert place.left() == []


def test_database_that_is_away_ends_the_taking(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> int:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    place.drop(HEADER + b"N1,C1,Ann,,,red\n")
    with monkeypatch.context() as patched, pytest.raises(psycopg2.OperationalError):
        patched.setattr(ledger, "add_file", away)
        place.take()
    place.connection.rollback()
    assert place.take() == 1


@pytest.mark.parametrize("refused", [errno.EXDEV, errno.EROFS])
def test_link_or_pipe_that_cannot_be_moved_is_one_dead_letter(
    place: Place, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    folder = place.settings.landing / "wearside_police" / "police"
    folder.mkdir(parents=True, exist_ok=True)
    os.symlink("/nowhere", folder / "link.csv")
    os.mkfifo(folder / "pipe.csv")
    rename = os.rename

    def mounted(source: Any, target: Any) -> None:
        if ".set_aside" in str(target):
            raise OSError(refused, os.strerror(refused), str(source))
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", mounted)
        assert place.take() == 2
        assert place.take() == 0
        assert place.left() == ["wearside_police/police/pipe.csv"]
    assert place.take() == 0, "known from before"
    assert place.left() == []
    assert place.all("select reason_code from quality.dead_letters") == [("not_a_file",)] * 2
