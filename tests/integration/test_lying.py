"""A file that cannot be taken is counted, with its age, and the doctor says why. Mend: intake/lying.py, intake/taken.py."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frontdoor import status
from frontdoor.cli import doctor
from frontdoor.intake import lying
from frontdoor.intake import taken as taken_files
from frontdoor.monitoring import figures, prometheus
from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
ROWS = HEADER + b"N1,C1,Ann,,,red\n"
CANARY = "Zorvika Quelmarsh"
# Nobody's account here; the landing zone of a real platform is written by an SFTP server's.
PLATFORM, SENDER = 61001, 61002


@pytest.fixture(scope="module")
def zone(database: Database) -> Iterator[Place]:
    from frontdoor.warehouse.raw_tables import ensure_raw_tables

    connection, house = database.connect(), intake_house.house()
    ensure_raw_tables(connection, house)
    place = Place(database.settings, connection, house)
    # What is imported when it is first needed must be here before we become a user who may not read it.
    place.drop(ROWS)
    place.take()
    waiting(place), measured(place), said(place)
    yield place
    connection.close()


@pytest.fixture
def place(zone: Place) -> Place:
    zone.forget()
    shutil.rmtree(zone.settings.landing / ".taken", ignore_errors=True)
    return zone


def measured(place: Place) -> dict[str, float]:
    text = prometheus.text(figures.measure(place.connection, place.settings))
    place.connection.rollback()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("frontdoor_landing_")]
    return {name.removeprefix("frontdoor_landing_"): float(value) for name, value in lines}


def waiting(place: Place) -> int:
    return status.pending(place.connection, place.settings)["landing"]


def said(place: Place) -> tuple[bool, str]:
    (check,) = [each for each in doctor.examine(place.settings) if each.id == "lying"]
    return check.ok, check.sentence


@contextmanager
def closed_to_us(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """The kernel's answer to whoever may move a file and not read it; the tests may run as root, who reads anything."""
    opening = os.open

    def refuse(path: str | Path, *arguments: int, **named: int) -> int:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opening(path, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        yield


@contextmanager
def as_the_platform(place: Place) -> Iterator[None]:
    """Become another user than the one whose file it is; the landing zone and all else is ours."""
    if os.geteuid() != 0:
        # A newcomer's own account cannot make a file that it may not read and another may; .ci/run is root.
        pytest.skip("only root can become two users")
    places = [place.settings.home, place.settings.landing, place.settings.archive]
    ours = [path for top in places for path in (top, *top.rglob("*")) if top.exists() and path.stat().st_uid == 0]
    above = [path for path in place.settings.home.parents if path.stat().st_mode & 0o001 == 0]
    for path in above:
        path.chmod(path.stat().st_mode | 0o001)
    for path in ours:
        os.chown(path, PLATFORM, PLATFORM)
    os.setegid(PLATFORM)
    os.seteuid(PLATFORM)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        for path in above:
            path.chmod(path.stat().st_mode & ~0o001)
        for path in ours:
            if path.exists():
                os.chown(path, 0, 0)


def test_file_of_another_user_stays_where_it_was_put_and_is_counted_until_its_rights_are_mended(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = place.drop(ROWS, f"{CANARY}.csv")
    path.chmod(0o600)
    os.chown(path, SENDER, SENDER)
    place.drop(ROWS.replace(b"N1", b"N2"), "readable.csv")
    with as_the_platform(place):
        assert place.take() == 1, "it holds no other"
        assert path.exists() and waiting(place) == 1
        time.sleep(0.02)
        assert measured(place)["files"] == 1 and measured(place)["oldest_seconds"] > 0.01
        ok, sentence = said(place)
        assert not ok and "1 in wearside_police/police" in sentence and f"user {PLATFORM}" in sentence
    os.chown(path, PLATFORM, PLATFORM)
    with as_the_platform(place):
        assert place.take() == 1 and waiting(place) == 0 and measured(place)["files"] == 0
    assert CANARY not in caplog.text + sentence


@pytest.mark.parametrize("to", ["wearside_police/police", "wearside_police", "."])
def test_file_that_was_moved_and_cannot_be_read_is_counted_from_when_it_landed(
    place: Place, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    place.drop(ROWS, "a.csv", to=to)
    time.sleep(0.3)
    at = time.time()
    with monkeypatch.context() as patched:  # its rights went while it was moved
        patched.setattr(taken_files.os, "open", _after_the_first(taken_files.os.open, "a.csv"))
        assert place.take() == 0
    with closed_to_us(monkeypatch, "a.csv"):
        assert place.take() == 0
        assert [path.split("/")[0] for path in place.left()] == [".taken"]
        assert waiting(place) == 1
        found, since = measured(place), time.time() - at
        assert found["files"] == 1 and found["oldest_seconds"] >= since + 0.25
        ok, sentence = said(place)
        lane = ".taken/wearside_police/police" if to.endswith("/police") else ".taken/other folders"
        assert not ok and f"1 in {lane};" in sentence
    assert place.take() == 1 and waiting(place) == 0 and place.left() == []
    assert said(place)[0]


def _after_the_first(opening: object, name: str) -> object:
    seen = []

    def opened(path: str | Path, *arguments: int, **named: int) -> int:
        if Path(path).name == name:
            seen.append(path)
            if str(path).count(".taken"):
                raise PermissionError(13, "Permission denied", str(path))
        return opening(path, *arguments, **named)  # type: ignore[operator]

    return opened


@pytest.mark.parametrize("to", ["wearside_police", "."])
def test_file_outside_the_folders_that_may_not_be_read_is_counted(
    place: Place, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    place.drop(ROWS, "a.csv", to=to)
    with closed_to_us(monkeypatch, "a.csv"):
        assert place.take() == 0 and waiting(place) == 1 and measured(place)["files"] == 1
        assert "1 in other folders;" in said(place)[1]
    assert place.take() == 1 and waiting(place) == 0


def test_file_that_cannot_be_archived_is_counted_and_the_doctor_says_so_after_five_minutes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = place.settings.archive
    archive.rename(archive.with_name("elsewhere"))
    archive.write_bytes(b"")
    try:
        place.drop(ROWS)
        assert place.take() == 0 and waiting(place) == 1 and measured(place)["files"] == 1
        assert said(place)[0]
        monkeypatch.setattr(doctor, "LYING_SECONDS", 0.0)
        assert "1 in wearside_police/police; frontdoor ingest" in said(place)[1]
    finally:
        archive.unlink()
        archive.with_name("elsewhere").rename(archive)
    assert place.take() == 1 and waiting(place) == 0 and said(place)[0]


def test_taken_file_that_the_ledger_knows_waits_for_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.drop(ROWS)
    with monkeypatch.context() as patched:
        patched.setattr(taken_files, "clear", lambda *_: None)  # somebody has it open for writing
        assert place.take() == 1
    assert len(place.left()) == 1 and waiting(place) == 0
    place.take()
    assert place.left() == []


def test_what_another_user_left_in_taken_holds_no_other_and_is_counted(place: Place) -> None:
    for folder in (".taken/wearside_police/police/made_by_root", ".taken/wearside_council"):
        closed = place.settings.landing / folder
        closed.mkdir(parents=True, mode=0o700)
        os.chown(closed, SENDER, SENDER)
    try:
        place.drop(ROWS)
        with as_the_platform(place):
            assert place.take() == 1
            assert {(each.agency, each.source) for each in lying.lying(place.settings)} == {
                ("wearside_police", "police"),
                ("wearside_council", "-"),
            }
            assert "1 in .taken/wearside_police/police" in said(place)[1]
    finally:
        closed.rmdir()
        (place.settings.landing / ".taken/wearside_police/police/made_by_root").rmdir()


def test_folder_that_may_not_be_listed_is_said(place: Place) -> None:
    closed = place.settings.landing / "wearside_police" / "police"
    closed.mkdir(parents=True, exist_ok=True)
    (place.settings.landing / "lost+found").mkdir(mode=0o700)
    for folder in (closed, place.settings.landing / "lost+found"):
        folder.chmod(0o700)
        os.chown(folder, SENDER, SENDER)
    try:
        with as_the_platform(place):
            assert "1 in wearside_police/police;" in said(place)[1] and "other" not in said(place)[1]
    finally:
        os.chown(closed, 0, 0)
        (place.settings.landing / "lost+found").rmdir()


def test_landing_zone_that_may_not_be_written_is_said_by_its_role(place: Place) -> None:
    landing = place.settings.landing
    landing.chmod(0o755)
    os.chown(landing, SENDER, SENDER)
    try:
        with as_the_platform(place):
            (check,) = [each for each in doctor.examine(place.settings) if each.id == "folders"]
        said = f"May not be written by user {PLATFORM}, as whom this runs: landing ({landing}); chown or chmod"
        assert said in check.sentence and not check.ok
        assert "landing" not in check.sentence.split("May not")[0]
    finally:
        os.chown(landing, 0, 0)
