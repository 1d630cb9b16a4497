"""Files that come through an object store are taken whole, once, and never lost. Mend: intake/bucket.py, intake/take.py."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from frontdoor import status
from frontdoor.cli.delivering import put
from frontdoor.cli.doctor import examine
from frontdoor.intake import archive, bucket, ledger, members, volumes
from frontdoor.intake import taken as taken_files
from frontdoor.intake import watch as watching
from frontdoor.monitoring import figures
from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place
from tests.object_stores import KINDS, ObjectStore, object_store

taking = import_module("frontdoor.intake.take")
HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
CANARY = "Zorvika Quelmarsh"


class Crash(BaseException):
    """The process dies here."""


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    with object_store(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def zone(database: Database, store: ObjectStore) -> Iterator[Place]:
    from frontdoor.warehouse.raw_tables import ensure_raw_tables

    connection, house = database.connect(), intake_house.house()
    ensure_raw_tables(connection, house)
    yield Place(replace(database.settings, landing_url=f"{store.url}/landing"), connection, house)
    connection.close()


@pytest.fixture
def place(zone: Place) -> Place:
    zone.forget()
    for path in left(zone):
        lands(zone)[0].rm_file(path)
    return zone


def lands(place: Place) -> tuple[Any, str]:
    return volumes.connect(place.settings.landing_url or "")


def drop(place: Place, content: bytes, key: str = "wearside_police/police/file.csv") -> None:
    system, root = lands(place)
    system.pipe_file(f"{root}/{key}", content)


def left(place: Place) -> list[str]:
    system, root = lands(place)
    system.invalidate_cache()
    return list(system.find(root))


def rows(*names: str) -> bytes:
    return HEADER + b"".join(b"N%s,C%s,%s,,,red\n" % ((name.encode(),) * 3) for name in names)


def names_read(place: Place) -> list[str]:
    return [name for (name,) in place.all("select forename from raw.police order by _delivery_id, _record_no")]


def test_object_is_taken_read_and_cleared(place: Place) -> None:
    drop(place, rows("Ann"), "wearside_police/police/a name.csv")
    drop(place, rows("Bob"), "wearside_police/police/deeper/down/b.csv")
    assert status.pending(place.connection, place.settings)["landing"] == 2
    assert place.take() == 2
    assert place.load() == ["loaded", "loaded"]
    assert sorted(names_read(place)) == ["Ann", "Bob"]
    assert [name for (name,) in place.all("select file_name from intake.files order by 1")] == ["a name.csv", "b.csv"]
    assert (left(place), place.left()) == ([], [])


def test_what_calls_itself_unfinished_is_left_alone(place: Place) -> None:
    for name in (".hidden.csv", "file.part", "file.tmp"):
        drop(place, rows("Ann"), f"wearside_police/police/{name}")
    assert place.take() == 0 and len(left(place)) == 3


def test_folder_that_a_store_keeps_as_an_object_is_no_file(place: Place, store: ObjectStore) -> None:
    store.put(place.settings.landing_url, "wearside_police/police/", b"", folder=True)
    store.put(place.settings.landing_url, "wearside_police/police/deeper/", b"", folder=True)
    assert place.take() == 0 and status.pending(place.connection, place.settings)["landing"] == 0


def test_object_of_another_program_is_taken(place: Place, store: ObjectStore) -> None:
    """As the store's own tools, an SFTP server in front of it or a sender's program put it, with no word of ours."""
    store.put(place.settings.landing_url, "wearside_police/police/deeper/file.csv", rows("Ann"))
    assert place.take() == 1 and place.load() == ["loaded"]
    assert (names_read(place), left(place)) == (["Ann"], [])


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("strangers/police/f.csv", "unknown_agency"),
        ("wearside_police/nothing/f.csv", "unknown_feed"),
        ("wearside_police/f.csv", "misplaced"),
        ("f.csv", "misplaced"),
        (f"wearside_police/{'x' * 250}/f.csv", "misplaced"),
    ],
)
def test_object_for_an_unknown_agency_or_feed_is_kept_for_a_person(place: Place, key: str, reason: str) -> None:
    drop(place, rows("Ann"), key)
    assert place.take() == 1
    assert place.one("select status, reason_code from intake.files") == ("dead_letter", reason)
    assert place.archived() == rows("Ann")
    assert (left(place), place.left()) == ([], [])


def test_name_longer_than_a_file_system_takes_is_cut(place: Place) -> None:
    drop(place, rows("Ann"), f"wearside_police/police/{'é' * 300}.csv")
    assert place.take() == 1 and place.load() == ["loaded"]
    assert left(place) == []


def test_lane_that_is_asked_for_is_taken_alone(place: Place) -> None:
    drop(place, rows("Ann"))
    drop(place, b"<Message/>", "wearside_council/cin_census/c.xml")
    assert place.take(source="police") == 1
    assert len(left(place)) == 1


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        function(*arguments, **named)
        raise Crash

    return run


def crash(*_: Any, **__: Any) -> None:
    raise Crash


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (bucket, "bring"),
        (archive, "store"),
        (members, "parts_of"),
        (ledger, "add_delivery"),
        (taken_files, "clear"),
        (bucket, "clear"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
@pytest.mark.parametrize("is_lost", [False, True], ids=["same host", "another host"])
def test_crash_between_two_steps_loses_and_doubles_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, owner: Any, name: str, moment: str, is_lost: bool
) -> None:
    drop(place, rows("Ann"), "wearside_police/police/one.csv")
    drop(place, rows("Bob", "Cid"), "wearside_police/police/two.csv")
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, crash if moment == "before" else after(getattr(owner, name)))
        with pytest.raises(Crash):
            place.take()
    place.connection.rollback()
    # Another host has a local folder of its own, and the archive and the key on a shared volume.
    elsewhere = replace(place.settings, landing=tmp_path / "landing") if is_lost else place.settings
    other = replace(place, settings=elsewhere)
    other.take()
    assert other.load() == ["loaded", "loaded"]
    assert sorted(names_read(place)) == ["Ann", "Bob", "Cid"]
    assert place.one("select count(*), count(*) filter (where status = 'received') from intake.files") == (2, 2)
    assert left(place) == [] and other.left() == []
    # The first host comes back, and what it had brought here is only cleared.
    assert place.take() == 0 and place.left() == []
    named = {name for (name,) in place.all("select stored_name from intake.files")}
    assert set(archive.each(place.settings)) == named


def test_object_replaced_while_it_is_taken_is_a_new_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(place, rows("Ann"))
    original = taking._write_down

    def replaced_once(*arguments: Any) -> Any:
        stored = original(*arguments)
        if stored.size_bytes == len(rows("Ann")):
            drop(place, rows("Ann", "Bob"))
        return stored

    monkeypatch.setattr(taking, "_write_down", replaced_once)
    assert place.take() == 2
    assert place.load() == ["loaded", "loaded"]
    assert names_read(place) == ["Ann", "Ann", "Bob"]
    assert left(place) == []


def test_object_replaced_while_it_is_brought_is_taken_as_it_is_afterwards(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(place, rows("Ann"))
    bring = bucket.bring

    def replaced_first(settings: Any, each: Any) -> Any:
        if each.size == len(rows("Ann")):
            drop(place, rows("Bob", "Cid"))
        return bring(settings, each)

    monkeypatch.setattr(bucket, "bring", replaced_first)
    place.take()
    place.take()
    assert place.load() == ["loaded"]
    assert names_read(place) == ["Bob", "Cid"]
    assert (left(place), place.left()) == ([], [])


def test_object_that_changes_within_the_settle_time_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(place, rows("Ann"))
    monkeypatch.setattr(bucket.time, "sleep", lambda _: drop(place, rows("Ann", "Bob")))
    patient = replace(place, settings=replace(place.settings, settle_seconds=1.0))
    assert patient.take() == 0 and len(left(place)) == 1
    monkeypatch.setattr(bucket.time, "sleep", lambda _: None)
    assert patient.take() == 1


def test_object_that_may_not_be_deleted_is_taken_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Access Denied", f"landing/{CANARY}.csv")

    caplog.set_level(logging.INFO)
    drop(place, rows(CANARY), f"wearside_police/police/{CANARY}.csv")
    with monkeypatch.context() as patched:
        patched.setattr(lands(place)[0], "rm_file", refused)
        assert place.take() == 1
        assert place.take() == 0
    assert place.one("select count(*) from intake.files") == (1,)
    # Not the test's own server, which logs what it is asked for.
    said = " ".join(each.getMessage() for each in caplog.records if each.name != "werkzeug")
    assert CANARY not in said and "Permission denied" in said
    assert place.take() == 0 and left(place) == []


def test_store_that_is_away_holds_nothing_that_landed_here(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError(f"could not reach {CANARY}")

    place.drop(rows("Ann"))
    monkeypatch.setattr(volumes, "connect", away)
    assert place.take() == 1
    said = " ".join(each.getMessage() for each in caplog.records if each.name != "werkzeug")
    assert "cannot be listed" in said and CANARY not in said
    (check,) = [each for each in examine(place.settings) if each.id == "landing"]
    assert not check.ok


def measured(place: Place) -> tuple[float | None, float | None, float]:
    """What the alert rules see: files, age of the oldest, figures that failed."""
    found = {each.name: each.value for each in figures.measure(place.connection, place.settings).samples}
    files, oldest = (found.get(f"frontdoor_landing_{name}") for name in ("files", "oldest_seconds"))
    return files, oldest, found["frontdoor_figures_failed"]


def test_what_nobody_takes_is_measured_there_and_here(place: Place) -> None:
    assert measured(place) == (0, 0, 0)
    drop(place, rows("Ann"))
    drop(place, rows("Bob"), "wearside_police/police/second.csv")
    drop(place, rows("Cid"), "wearside_police/police/.unfinished.csv")
    time.sleep(1.1)  # a store tells seconds
    place.drop(rows("Dot"))
    files, oldest, failed = measured(place)
    assert (files, failed) == (3, 0)
    assert oldest is not None and 1 < oldest < 60
    place.take()
    assert measured(place) == (0, 0, 0)


def test_store_that_is_away_is_a_figure_that_failed_and_never_nothing_that_waits(
    place: Place, store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    with store.away():
        began = time.monotonic()
        assert measured(place) == (None, None, 2)
        assert time.monotonic() - began < 60
    nowhere = replace(place, settings=replace(place.settings, landing_url=f"{store.url}-of-nobody/landing"))
    assert measured(nowhere) == (None, None, 2)
    said = [each.getMessage() for each in caplog.records if each.name == "frontdoor.monitoring.figures"]
    assert len(said) == 2 and not [line for line in said if "127.0.0.1" in line]
    (check,) = [each for each in examine(nowhere.settings) if each.id == "landing"]
    assert not check.ok


def test_deliver_puts_into_the_store_under_a_name_that_is_free(place: Place, tmp_path: Path) -> None:
    for content in (rows("Ann"), rows("Bob")):
        (tmp_path / "f.csv").write_bytes(content)
        landed = put(place.settings, tmp_path / "f.csv", "wearside_police", "police", ledger_mark=None)
        assert landed.size_bytes == len(content)
    assert len(left(place)) == 2
    assert place.take() == 2
    (check,) = [each for each in examine(place.settings) if each.id == "landing"]
    assert check.ok


def test_watch_rings_for_what_is_at_rest_here_and_there_and_names_nothing(place: Place) -> None:
    async def first_two() -> list[watching.Notice]:
        notices: list[watching.Notice] = []
        streams = [watching.watch(place.settings.landing, 0.0), bucket.watch(place.settings)]
        async with aclosing(watching.together(streams)) as both:
            async for notice in both:
                notices.append(notice)
                if len(notices) == 2:
                    break
        return notices

    drop(place, rows(CANARY), f"wearside_police/police/{CANARY}.csv")
    place.drop(b"<Message/>", "c.xml", to="wearside_council/cin_census")
    notices = asyncio.run(asyncio.wait_for(first_two(), 30))
    assert {notice.source for notice in notices} == {"police", "cin_census"}
    assert CANARY not in repr(notices) and CANARY not in repr(bucket.waiting(place.settings))
    place.take()
