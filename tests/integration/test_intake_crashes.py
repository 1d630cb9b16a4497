"""A crash at any instant loses nothing and doubles nothing; a file that grows is never cut. Mend: intake/take.py."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from frontdoor.intake import archive, duplicate, landing, ledger, members, volumes
from frontdoor.intake import taken as taken_files
from frontdoor.settings import as_environment
from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

taking = import_module("frontdoor.intake.take")  # the package names the function `take`, which hides the module
HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
POLICE = "wearside_police/police"


class Crash(BaseException):
    """The process dies here."""


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


def rows(number: int, count: int = 1) -> bytes:
    return HEADER + b"".join(b"N%d-%d,C%d,Ann,,,red\n" % (number, each, each) for each in range(count))


def state(place: Place) -> tuple[Any, ...]:
    files = place.one(
        "select count(*), count(distinct sha256_received), count(*) filter (where status = 'received')"
        " from intake.files"
    )
    return (*files, *place.one("select count(*), count(distinct notification_ref) from raw.police"))


def crash(*_: Any, **__: Any) -> None:
    raise Crash


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        function(*arguments, **named)
        raise Crash

    return run


BEFORE_AND_AFTER = [
    (os, "rename"),
    (archive, "store"),
    (archive, "_seal"),
    (volumes, "sync_folder"),
    (os, "replace"),
    (os, "fsync"),
    (members, "parts_of"),
    (duplicate, "original_of"),
    (ledger, "add_file"),
    (ledger, "add_members"),
    (ledger, "add_delivery"),
    (taken_files, "clear"),
    (Path, "unlink"),
    (Path, "rmdir"),
]


@pytest.mark.parametrize(("owner", "name"), BEFORE_AND_AFTER, ids=lambda each: getattr(each, "__name__", each))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_crash_between_two_steps_of_taking_loses_and_doubles_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, moment: str
) -> None:
    place.drop(rows(1), "one.csv")
    place.drop(rows(2), "two.csv")
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, crash if moment == "before" else after(getattr(owner, name)))
        with pytest.raises(Crash):
            place.take()
    place.connection.rollback()
    place.take()
    assert place.load() == ["loaded", "loaded"]
    assert state(place) == (2, 2, 2, 2, 2)
    assert place.left() == []
    assert not list(place.settings.archive.glob(".*"))
    named = {name for (name,) in place.all("select stored_name from intake.files")}
    assert set(archive.each(place.settings)) == named, "nothing is in the archive that the ledger does not name"


def test_crash_while_loading_leaves_the_delivery_received(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.drop(rows(1, 50))
    place.take()
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "mark_loaded", crash)
        with pytest.raises(Crash):
            place.load()
    place.connection.rollback()
    assert place.one("select count(*) from raw.police") == (0,)
    assert place.load() == ["loaded"]
    assert place.load() == []
    assert state(place) == (1, 1, 1, 50, 50)


def test_loading_twice_changes_nothing(place: Place) -> None:
    from frontdoor import intake

    place.ingest(rows(1))
    (delivery_id,) = place.one("select delivery_id from intake.deliveries")
    assert intake.load(place.connection, place.settings, place.house, delivery_id) == "loaded"
    place.connection.commit()
    assert state(place) == (1, 1, 1, 1, 1)


def test_file_that_grows_after_it_was_read_is_a_new_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    half, whole = rows(1, 1), rows(1, 3)
    place.drop(half)
    original = taking._write_down

    def grow_once(*arguments: Any) -> Any:
        stored = original(*arguments)
        path = arguments[3].path
        if path.stat().st_size == len(half):
            path.write_bytes(whole)
        return stored

    monkeypatch.setattr(taking, "_write_down", grow_once)
    assert place.take() == 2
    sizes = [size for (size,) in place.all("select size_bytes from intake.files order by file_id")]
    assert sizes == [len(half), len(whole)]
    assert place.left() == []


def test_file_that_changes_without_growing_is_a_new_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.drop(rows(1))
    original = taking._write_down

    def rewrite_once(*arguments: Any) -> Any:
        stored = original(*arguments)
        path = arguments[3].path
        if path.read_bytes() == rows(1):
            time.sleep(0.02)
            path.write_bytes(rows(2))
        return stored

    monkeypatch.setattr(taking, "_write_down", rewrite_once)
    assert place.take() == 2
    assert place.one("select count(distinct sha256_received) from intake.files") == (2,)


def test_write_at_the_moment_of_deletion_is_rescued(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.drop(rows(1))
    late = path.open("ab")
    monkeypatch.setattr(landing, "has_writer", lambda path: False)
    unlink = Path.unlink

    def unlink_late(self: Path, missing_ok: bool = False) -> None:
        unlink(self, missing_ok)
        if self.name == "file.csv" and not late.closed:
            late.write(b"N2,C2,Bob,,,red\n")
            late.close()

    monkeypatch.setattr(Path, "unlink", unlink_late)
    assert place.take() == 2
    assert place.load() == ["loaded", "loaded"]
    assert place.one("select count(distinct notification_ref) from raw.police") == (2,)
    assert place.left() == []


def test_file_still_being_written_is_not_taken_until_it_is_closed(place: Place) -> None:
    folder = place.settings.landing / POLICE
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "slow.csv").open("wb") as slow:
        slow.write(rows(1)[:70])
        slow.flush()
        assert place.take() == 0, "the settle time is zero here; the open file is what keeps it"
        slow.write(rows(1)[70:])
    assert place.take() == 1
    assert place.one("select size_bytes from intake.files") == (len(rows(1)),)


def test_file_taken_while_its_writer_has_it_open_is_kept_until_the_writer_is_gone(place: Place) -> None:
    path = place.drop(rows(1))
    with path.open("ab") as writer:
        renamed = (path.stat().st_ino, path.stat().st_ctime_ns)
        assert place.take(moved=[renamed]) == 1, "it was renamed into place, so it is whole"
        assert len(place.left()) == 1
        assert place.take() == 0
        writer.write(b"N2,C2,Bob,,,red\n")
    assert place.take() == 1
    assert place.left() == []
    assert [size for (size,) in place.all("select size_bytes from intake.files order by file_id")] == [
        len(rows(1)),
        len(rows(1)) + 16,
    ]


def test_order_of_arrival_is_the_order_of_deliveries(place: Place) -> None:
    for number in (3, 1, 2):
        place.drop(rows(number), f"{number}.csv")
        time.sleep(0.02)
    place.take()
    names = [name for (name,) in place.all("select file_name from intake.files order by file_id")]
    assert names == ["3.csv", "1.csv", "2.csv"]


def test_file_that_cannot_be_archived_does_not_hold_the_others(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.drop(rows(1), "bad.csv")
    place.drop(rows(2), "good.csv")
    store = archive.store

    def full(file: int, *arguments: Any) -> archive.Stored:
        if os.pread(file, 99, 0) == rows(1):
            raise OSError(28, "No space left on device", "/secret/name.csv")
        return store(file, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(archive, "store", full)
        assert place.take() == 1
    assert place.take() == 1
    assert state(place)[:3] == (2, 2, 2)


def test_file_in_a_folder_mounted_from_elsewhere_is_copied_and_deleted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.drop(rows(1))
    rename = os.rename

    def across(source: Any, target: Any) -> None:
        if ".taken" in str(target) and ".taken" not in str(source):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", across)
    assert place.take() == 1
    assert place.load() == ["loaded"]
    assert place.left() == []


KILLED = """
import sys
sys.path.insert(0, ".")
from frontdoor import database, intake, settings
from tests import intake_house
here, house = settings.load(), intake_house.house()
connection = database.connect(here)
print("ready", flush=True)
while True:
    intake.take(connection, here, house)
    with connection, connection.cursor() as cursor:
        cursor.execute("select delivery_id from intake.deliveries where status = 'received' order by 1")
        ids = [row[0] for row in cursor]
    for delivery_id in ids:
        with connection:
            intake.load(connection, here, house, delivery_id)
"""


def test_kill_at_twenty_random_instants_loses_and_doubles_nothing(place: Place) -> None:
    chance, dropped = random.Random(3), 0
    for _ in range(20):
        environment = {**os.environ, **as_environment(place.settings)}
        child = subprocess.Popen([sys.executable, "-c", KILLED], env=environment, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        until = time.monotonic() + chance.uniform(0.0, 0.15)
        while time.monotonic() < until:
            place.drop(rows(dropped, 40), f"{dropped}.csv")
            dropped += 1
            time.sleep(0.005)
        child.kill()
        child.wait()
        child.stdout.close()
    # The killed session may hold its locks for a moment.
    place.take()
    place.load()
    assert dropped > 20
    assert state(place) == (dropped, dropped, dropped, dropped * 40, dropped * 40)
    assert place.one("select count(*) from intake.deliveries where status = 'loaded'") == (dropped,)
    assert place.left() == []
    assert place.one("select count(*) - count(distinct (delivery_id, status_to)) from intake.delivery_events") == (0,)
