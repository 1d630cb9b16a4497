"""The archive alone, with its key and expectations/, gives back raw, core and the marts as they were.

Mend: frontdoor/keeping/rebuild.py, frontdoor/intake/journal.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frontdoor import clock, database, delivery
from frontdoor.contract import load_house
from frontdoor.intake import archive, journal, remainder
from frontdoor.keeping import rebuild as rebuilding
from frontdoor.keeping.rebuild import rebuild
from frontdoor.prepare import prepare
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database
from tests.keeping_house import AFTERWARDS, POLICE, House, differences, empty_house, live_through_a_week
from tests.servers import SharedServer

pytestmark = pytest.mark.on_both_servers

REBUILT = ("raw", "core", "worklists", "bi", "scores", "indicators")
JUDGED = {f'"quality"."{each}"' for each in ("findings", "check_results", "sufficiency_elements")}
JUDGED |= {
    f'"quality"."{each}"' for each in ("dead_letters", "first_publications", "first_scores", "expected_deliveries")
}


@pytest.fixture(scope="module")
def lived(database: Database) -> House:
    house = House(database.settings)
    live_through_a_week(house)
    return house


@pytest.fixture
def empty(shared_server: SharedServer, lived: House, tmp_path: Path) -> Iterator[House]:
    """An empty platform to which somebody brought the archive and its key."""
    with empty_house(shared_server, tmp_path / "home", "frontdoor_rebuilt", key_of=lived) as house:
        shutil.copytree(lived.settings.archive, house.settings.archive)
        prepare(house.settings, with_marts=False)
        yield house


def rebuilt(house: House) -> Any:
    with clock.then(AFTERWARDS):
        done = rebuild(house.settings, with_marts=False)
    house.build()
    return done


def test_archive_alone_gives_back_everything_that_was_made_of_files(lived: House, empty: House) -> None:
    done = rebuilt(empty)
    assert (done.files, done.closed, done.let_go) == (lived.one("select count(*) from intake.files"), 0, 0)
    was = lived.content(*REBUILT)
    assert sum(map(len, was.values())) > 300
    assert differences(was, empty.content(*REBUILT)) == {}
    was = {name: rows for name, rows in lived.content("quality").items() if name in JUDGED}
    assert all(was.values())
    is_now = {name: rows for name, rows in empty.content("quality").items() if name in JUDGED}
    assert differences(was, is_now) == {}
    ledger = "select file_id, status, duplicate_of, file_name, taken_token, received_at from intake.files order by 1"
    assert empty.rows(ledger) == lived.rows(ledger)
    ledger = "select delivery_id, status, verdict, records_loaded, received_at from intake.deliveries order by 1"
    assert empty.rows(ledger) == lived.rows(ledger)


def test_letters_of_a_rebuild_are_those_that_went_out_and_are_held(lived: House, empty: House) -> None:
    done = rebuilt(empty)
    letters = "select message_id from alerts.messages where delivery_id is not null or file_id is not null order by 1"
    assert empty.rows(letters) == lived.rows(letters) and len(lived.rows(letters)) > 2
    assert (
        done.held == empty.one("select count(*) from alerts.messages where sent_at is null and held_at is not null") > 2
    )
    assert delivery.send(empty.settings) == 0 and not list(empty.settings.mail_dir.iterdir())


def test_rebuild_follows_what_the_archive_holds_and_may_be_repeated(lived: House, empty: House) -> None:
    """Somebody was erased from one file, another was let go of, a third does not open; a kill came in between."""
    settings, first = empty.settings, lived.one("select taken_token from intake.files where file_id = 1")
    second, third = (
        name for (name,) in lived.rows("select stored_name from intake.files where file_id in (2, 3) order by file_id")
    )
    erased = archive.rewrite(settings, first, lambda file: file.readlines()[:-1])
    archive.delete(settings, second)
    (path,) = settings.archive.rglob(third)
    path.write_bytes(path.read_bytes()[:-20])
    with clock.then(AFTERWARDS), pytest.MonkeyPatch.context() as patched:
        patched.setattr(rebuilding, "_take_in", killed_at_the_third(rebuilding._take_in))
        with pytest.raises(Killed):
            rebuild(settings, with_marts=False)
    done = rebuilt(empty)
    assert (done.closed, done.let_go) == (1, 0) and done.files > 0
    rows = "select sha256_received = %s, sha256_stored = %s from intake.files where file_id = 1"
    sent = lived.one("select sha256_received from intake.files where file_id = 1")
    assert empty.rows(rows, sent, erased.sha256) == [(True, True)]
    of_first = "select count(*) from raw.police where _delivery_id = 1"
    assert empty.one(of_first) == lived.one(of_first) - 1
    ids = "select file_id from intake.files order by 1"
    assert set(lived.rows(ids)) - set(empty.rows(ids)) == {(2,), (3,)}
    assert rebuilt(empty).files == 0
    # What comes now is numbered behind everything that ever was.
    empty.send(POLICE, another_file(), AFTERWARDS)
    assert empty.one("select max(file_id) from intake.files") > lived.one("select max(file_id) from intake.files")


def test_who_was_erased_stays_so_and_no_note_keeps_the_name_of_the_file(lived: House, empty: House) -> None:
    """What is left of a file is no file that was sent, and says nothing of its feed: its note does."""
    token = lived.one("select taken_token from intake.files where file_id = 1")
    home = replace(lived.settings, archive=empty.settings.archive)
    ((name, sha256),) = lived.rows("select file_name, sha256_stored from intake.files where file_id = 1")
    with closing(database.connect(home)) as connection:
        remainder.keep(connection, home, 1, {1: [2, 3]})
    # That ledger is put back, for it is the other tests' too.
    lived.rows("update intake.files set file_name = %s, sha256_stored = %s where file_id = 1", name, sha256)
    note = journal.read(empty.settings, token)
    assert note is not None and note.name == remainder.NO_NAME and note.parts[0]["feed"] == "police"
    done = rebuilt(empty)
    assert done.closed == 0
    rows = "select _record_no, notification_ref from raw.police where _delivery_id = 1 order by 1"
    assert empty.rows(rows) == [row for row in lived.rows(rows) if row[0] not in (2, 3)]
    assert empty.rows(
        "select file_name, records_removed from intake.files inner join intake.deliveries using (file_id) where file_id = 1"
    ) == [(remainder.NO_NAME, 2)]


def test_archive_from_before_there_were_notes_tells_by_its_labels(lived: House, empty: House) -> None:
    for token in list(journal.tokens(empty.settings)):
        journal.forget(empty.settings, token)
    done = rebuilt(empty)
    # Each content once, and nothing of repeats.
    assert done.files == len(set(archive.each(empty.settings))) and done.closed == 0
    triage = "select count(*), count(distinct record_key) from worklists.triage where feed = 'referral'"
    assert empty.rows(triage) == lived.rows(triage)


class Killed(BaseException):
    """The process dies here."""


def killed_at_the_third(take_in: Any) -> Any:
    calls = []

    def run(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise Killed
        return take_in(*arguments)

    return run


def another_file() -> bytes:
    return sample_records(load_house(), "wearside_police", "police", 3, seed=9)
