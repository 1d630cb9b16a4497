"""A copy of database and archive comes back into an empty server, wholly or not at all, and says up to which point.

Mend: frontdoor/keeping/backup.py, frontdoor/keeping/restore.py, frontdoor/keeping/pour.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from frontdoor import clock, delivery
from frontdoor.contract import load_house
from frontdoor.database import advisory_lock
from frontdoor.intake import archive, archive_keys, journal
from frontdoor.keeping import held, leftovers, manifest, place, tools
from frontdoor.keeping.backup import backup
from frontdoor.keeping.pour import GAP
from frontdoor.keeping.restore import restore
from frontdoor.keeping.tools import KeepingError
from frontdoor.settings import as_environment, inherited_environment
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database
from tests.keeping_house import AFTERWARDS, POLICE, House, empty_house, live_through_a_week
from tests.servers import SharedServer

pytestmark = pytest.mark.on_both_servers

EVERYTHING = ("intake", "raw", "quality", "warehouse", "reference", "staging", "core", "worklists", "indicators", "bi")
NAME = "frontdoor_restored"
# Those of files; what has been silent since is told of by the clock of today.
LETTERS = "select message_id from alerts.messages where delivery_id is not null or file_id is not null"


@pytest.fixture(scope="module")
def lived(database: Database) -> House:
    house = House(database.settings)
    live_through_a_week(house)
    return house


@pytest.fixture(scope="module")
def kept(lived: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of that house."""
    folder = tmp_path_factory.mktemp("kept")
    backup(lived.settings, str(folder))
    return folder


@pytest.fixture
def copy(kept: Path, tmp_path: Path) -> Path:
    """The copy, for a test to spoil."""
    shutil.copytree(kept, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def empty(shared_server: SharedServer, lived: House, tmp_path: Path) -> Iterator[House]:
    with empty_house(shared_server, tmp_path / "home", NAME, key_of=lived) as house:
        yield house


def another_file(seed: int) -> bytes:
    return sample_records(load_house(), "wearside_police", "police", 3, seed=seed)


def is_untouched(house: House) -> bool:
    return house.one("select to_regclass('intake.files') is null and to_regclass('warehouse.migrations') is null")


def test_copy_comes_back_with_every_row_and_every_archived_byte(lived: House, kept: Path, empty: House) -> None:
    done = restore(empty.settings, str(kept))
    assert not done.damaged and not done.lost and not done.keys_missing and done.since.files == 0
    was, is_now = lived.content(*EVERYTHING), empty.content(*EVERYTHING)
    assert was.keys() == is_now.keys() and sum(map(len, was.values())) > 1000
    for table in was:
        if table != '"warehouse"."prepared"':
            assert is_now[table] == was[table], table
    assert done.files == 2 * 9 and set(archive.each(empty.settings)) == set(archive.each(lived.settings))
    for name in archive.each(lived.settings):
        with archive.opened(lived.settings, name) as one, archive.opened(empty.settings, name) as other:
            assert archive.measured(one) == archive.measured(other)
    assert empty.one("select has_table_privilege('bi_reader', 'bi.indicator_values', 'select')")
    # And it goes on working: the next file is taken, judged, on the list; its number is far from those given before.
    last = lived.one("select max(delivery_id) from intake.deliveries")
    empty.send(POLICE, another_file(77), AFTERWARDS + timedelta(minutes=1))
    empty.build()
    assert empty.one("select max(delivery_id) from intake.deliveries") > last + GAP
    assert empty.one("select count(*) from worklists.triage where delivery_id > %s", last) == 3


def test_files_are_copied_once_and_an_older_copy_goes_with_what_only_it_names(lived: House, tmp_path: Path) -> None:
    first, where = backup(lived.settings, str(tmp_path)), place.at(lived.settings, str(tmp_path))
    assert first.copied == len(first.manifest.files) > 0
    name = next(iter(archive.each(lived.settings)))
    archive.rewrite(lived.settings, name, archive.blocks_of)
    second = backup(lived.settings, str(tmp_path))
    assert (second.copied, second.removed) == (1, 0)
    assert len(list(where.archive.names())) == len(first.manifest.files) + 1
    third = backup(lived.settings, str(tmp_path), keep=1)
    assert (third.copied, third.removed) == (0, 2) and where.backups() == [third.manifest.backup_id]
    assert {each.kept_as for each in third.manifest.files} == set(where.archive.names())
    assert {each.kept_as for each in third.manifest.parts} == set(where.database.names())


def test_nothing_of_a_child_can_be_read_in_a_copy_without_the_key(lived: House, kept: Path, empty: House) -> None:
    names = {forename for (forename,) in lived.rows("select forename from raw.referral where length(forename) > 4")}
    names |= {"once more.csv", "wearside_stranger"}
    assert len(names) > 3
    for path in kept.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [name for name in names if name.encode() in content], path
    empty.settings.archive_key.unlink()
    with pytest.raises(KeepingError, match="sealed with key"):
        restore(empty.settings, str(kept))
    assert is_untouched(empty)


def test_letters_unsent_at_the_copy_are_held_until_a_person_says(lived: House, tmp_path: Path, empty: House) -> None:
    lived.rows(
        "update alerts.messages set sent_at = null where message_id in (select message_id from alerts.messages limit 1)"
    )
    backup(lived.settings, str(tmp_path / "copy"))
    done = restore(empty.settings, str(tmp_path / "copy"))
    assert done.held == 1
    assert delivery.send(empty.settings) == 0 and not list(empty.settings.mail_dir.iterdir())
    connection = Database(empty.settings).connect()
    assert [count for _, _, count in held.listed(connection)] == [1]
    assert held.let_go(connection) == 1
    connection.close()
    assert delivery.send(empty.settings) == 1 and len(list(empty.settings.mail_dir.iterdir())) == 1


def test_what_came_after_the_copy_is_taken_in_from_an_archive_that_survived(
    lived: House, tmp_path: Path, shared_server: SharedServer, empty: House
) -> None:
    with empty_house(shared_server, tmp_path / "old", "frontdoor_old", key_of=lived) as old:
        backup(lived.settings, str(tmp_path / "copy"))
        restore(old.settings, str(tmp_path / "copy"))
        old.send(POLICE, another_file(5).replace(b",", b", ", 1), AFTERWARDS + timedelta(hours=1))
        (late,) = old.rows("select delivery_id, received_at from intake.deliveries order by 1 desc limit 1")
        letters = set(old.rows(LETTERS))
        shutil.copytree(old.settings.archive, empty.settings.archive)
    done = restore(empty.settings, str(tmp_path / "copy"))
    assert done.since.files == 1 and done.lost == []
    assert empty.rows("select delivery_id, received_at from intake.deliveries order by 1 desc limit 1") == [late]
    assert empty.one("select count(*) from worklists.triage where delivery_id = %s", late[0]) == 3
    # Under the ids that they had, so that none can go out as another one.
    assert set(empty.rows(LETTERS)) == letters
    assert delivery.send(empty.settings) == 0


def test_receipts_tell_which_deliveries_are_lost(lived: House, kept: Path, empty: House) -> None:
    last = lived.one("select max(delivery_id) from intake.deliveries")
    folder = empty.settings.receipts / "wearside_police"
    folder.mkdir(parents=True)
    for name in (f"delivery-{last}.json", f"delivery-{last + 1}.json", f"delivery-{last + 2}.2.json"):
        (folder / name).write_text("{}")
    assert restore(empty.settings, str(kept)).lost == [last + 1, last + 2]


def test_database_that_holds_files_is_refused_and_left_as_it_is(lived: House, kept: Path) -> None:
    before = lived.content("intake", "raw")
    with pytest.raises(KeepingError, match="holds files already"):
        restore(lived.settings, str(kept))
    assert lived.content("intake", "raw") == before


def changed(copy: Path, settings: House, **said: object) -> None:
    where = place.at(settings.settings, str(copy))
    told = where.manifest_of(where.newest())
    place.put(where.manifests, told.backup_id, [manifest.write(replace(told, **said))])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "because"),
    [
        ({"migrations": ["9999_of_a_release_to_come.sql"]}, "of a newer release"),
        ({"server_major": 99}, "never to an older"),
        ({"tools_major": 99}, "wants programs of 99"),
        ({"counts": {"intake.files": 10_000}}, "SQLSTATE 22000"),
        ({"format": 99}, "a newer release made this backup"),
    ],
    ids=["release", "server", "programs", "counts", "format"],
)
def test_copy_that_cannot_come_back_is_refused_in_words(
    copy: Path, empty: House, said: dict[str, object], because: str
) -> None:
    changed(copy, empty, **said)
    with pytest.raises(KeepingError, match=because):
        restore(empty.settings, str(copy))
    assert is_untouched(empty)


@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_damaged_part_of_the_dump_is_never_believed(copy: Path, empty: House, how: str) -> None:
    part = max((copy / "database").rglob("*.gz"), key=lambda path: path.stat().st_size)
    spoil(part, how)
    with pytest.raises(KeepingError, match="the backup is damaged"):
        restore(empty.settings, str(copy))
    assert is_untouched(empty)


def test_damaged_archived_file_is_said_and_everything_else_comes(lived: House, copy: Path, empty: House) -> None:
    name = next(iter(archive.each(lived.settings)))
    (path,) = [each for each in (copy / "archive").rglob(f"{name}.*") if ".taken." not in each.name]
    spoil(path, "changed")
    done = restore(empty.settings, str(copy))
    assert done.damaged == [name]
    assert set(archive.each(empty.settings)) == set(archive.each(lived.settings)) - {name}
    assert empty.one("select count(*) from raw.police") == lived.one("select count(*) from raw.police")


def spoil(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:-30])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def killed_when(
    house: House, arguments: list[str], is_there: Callable[[], bool], how: signal.Signals = signal.SIGKILL
) -> int:
    """Run a command and end it at the first sight of something, by default with nobody told; return its exit code."""
    environment = inherited_environment() | as_environment(house.settings)
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "frontdoor", *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline and not is_there():
            time.sleep(0.002)
        assert child.poll() is None, child.stderr and child.stderr.read()
        os.kill(child.pid, how)
    return child.returncode


@pytest.mark.parametrize("moment", ["dumping", "sealing", "copying"])
def test_killed_backup_is_no_backup_and_the_next_one_is(lived: House, tmp_path: Path, moment: str) -> None:
    where = place.at(lived.settings, str(tmp_path / "copy"))
    dumped = lived.settings.home / "run" / "backup"
    sights: dict[str, Callable[[], bool]] = {
        "dumping": lambda: any(dumped.glob("*.gz")),
        "sealing": lambda: bool(list(where.database.names())),
        "copying": lambda: bool(list(where.archive.names())),
    }
    killed_when(lived, ["backup", "--out", str(tmp_path / "copy")], sights[moment])
    assert where.backups() == []
    with pytest.raises(KeepingError, match="no backup here"):
        where.newest()
    made = backup(lived.settings, str(tmp_path / "copy"))
    assert where.backups() == [made.manifest.backup_id] and not dumped.exists()
    assert {each.kept_as for each in made.manifest.parts} == set(where.database.names())


def test_dump_in_plain_outlives_neither_an_ended_backup_nor_a_killed_one_for_long(lived: House, tmp_path: Path) -> None:
    dumped = lived.settings.home / "run" / "backup"
    command = ["backup", "--out", str(tmp_path / "copy")]
    assert killed_when(lived, command, lambda: any(dumped.glob("*.gz")), signal.SIGTERM) == 130
    assert not dumped.exists()
    killed_when(lived, command, lambda: any(dumped.glob("*.gz")))
    assert any(dumped.glob("*.gz"))
    connection = Database(lived.settings).connect()
    with advisory_lock(connection, "backup", wait=True):
        assert leftovers.clear(lived.settings) == 0 and dumped.exists()
    connection.close()
    assert leftovers.clear(lived.settings) == 1 and not dumped.exists()
    assert leftovers.clear(lived.settings) == 0


@pytest.mark.parametrize("moment", ["unsealing", "bringing files", "loading"])
def test_killed_restore_leaves_an_empty_database_and_the_next_one_fills_it(
    lived: House, kept: Path, empty: House, moment: str
) -> None:
    def is_loading() -> bool:
        return empty.one(
            "select exists (select from pg_stat_activity where application_name = 'frontdoor restore'"
            " and datname = current_database() and state <> 'idle' and query !~* 'pg_stat_activity' and xact_start is not null"
            " and query ~* '(copy|create table|create index|alter table)')"
        )

    sights: dict[str, Callable[[], bool]] = {
        "unsealing": lambda: any((empty.settings.home / "run" / "restore" / "dump").glob("*.gz")),
        "bringing files": lambda: any(archive.each(empty.settings)),
        "loading": is_loading,
    }
    killed_when(empty, ["restore", str(kept)], sights[moment])
    deadline = time.monotonic() + 30
    gone = "select count(*) from pg_stat_activity where application_name = 'frontdoor restore' and datname = current_database()"
    while empty.one(gone) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_untouched(empty)
    restore(empty.settings, str(kept))
    assert empty.content("intake", "raw") == lived.content("intake", "raw")
    assert not (empty.settings.home / "run" / "restore").exists()


def test_platform_goes_on_while_it_is_copied(lived: House, tmp_path: Path, empty: House) -> None:
    """Files that come meanwhile are wholly in the copy, or not at all."""
    environment = inherited_environment() | as_environment(lived.settings)
    command = [sys.executable, "-P", "-m", "frontdoor", "backup", "--out", str(tmp_path / "copy")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        number = 0
        while child.poll() is None:
            lived.send(POLICE, another_file(1000 + number), clock.now(), f"{number}.csv")
            number += 1
        assert child.returncode == 0 and number > 0, child.stderr and child.stderr.read()
    done = restore(empty.settings, str(tmp_path / "copy"))
    assert not done.manifest.lost_before and not done.damaged
    torn = "select count(*) from intake.deliveries as d where status = 'published' and records_loaded <> (select count(*) from raw.police as r where r._delivery_id = d.delivery_id) and feed = 'police'"
    assert empty.one(torn) == 0
    for name in empty.rows("select stored_name from intake.files where stored_name is not null"):
        with archive.opened(empty.settings, *name):
            pass


def test_programs_are_chosen_by_the_server_and_their_lack_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [tools.Tools(Path("/a"), 16), tools.Tools(Path("/b"), 18), tools.Tools(Path("/c"), 17)]
    monkeypatch.setattr(tools, "installed", lambda **_: here)
    assert [tools.fitting(major).major for major in (15, 16, 17, 18)] == [16, 16, 17, 18]
    assert tools.fitting(15, at_least=18).major == 18
    with pytest.raises(KeepingError, match="newest pg_dump, pg_restore, psql here are of 18: postgresql-client-19"):
        tools.fitting(19)
    monkeypatch.setattr(tools, "installed", lambda **_: [])
    with pytest.raises(KeepingError, match="no pg_dump is here"):
        tools.fitting(18)


def test_note_stands_beside_every_file_and_a_new_key_seals_it_too(lived: House) -> None:
    tokens = {token for (token,) in lived.rows("select taken_token from intake.files where stored_name is not null")}
    assert set(journal.tokens(lived.settings)) == tokens
    token = tokens.pop()
    key = archive_keys.add(lived.settings)
    connection = Database(lived.settings).connect()
    assert journal.complete(connection, lived.settings) == 0
    assert journal.complete(connection, lived.settings, anew=True) == len(tokens) + 1
    before = journal.read(lived.settings, token)
    journal.forget(lived.settings, token)
    assert journal.read(lived.settings, token) is None
    assert journal.complete(connection, lived.settings) == 1
    assert journal.read(lived.settings, token) == before and key.key_id in archive_keys.opening(lived.settings)
    connection.close()
