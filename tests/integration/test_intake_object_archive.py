"""The archive in an object store is the same archive, and a worker on another host reads it. Mend: intake/volumes.py."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry

from frontdoor import intake
from frontdoor.cli.doctor import examine
from frontdoor.intake import archive, journal, volumes
from frontdoor.settings import as_environment, inherited_environment
from tests import intake_house
from tests.conftest import Database, make_settings
from tests.intake_house import Place
from tests.object_stores import KINDS, SETTINGS, ObjectStore, object_store

HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
CANARY = b"Zorvika Quelmarsh"


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    with object_store(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def zone(database: Database, store: ObjectStore) -> Iterator[Place]:
    from frontdoor.warehouse.raw_tables import ensure_raw_tables

    connection, house = database.connect(), intake_house.house()
    ensure_raw_tables(connection, house)
    yield Place(replace(database.settings, archive_url=f"{store.url}/archive"), connection, house)
    connection.close()


@pytest.fixture
def place(zone: Place) -> Place:
    zone.forget()
    return zone


def rows(*names: bytes) -> bytes:
    return HEADER + b"".join(b"N%d,C%d,%s,,,red\n" % (number, number, name) for number, name in enumerate(names))


def names_read(place: Place) -> list[str]:
    return [name for (name,) in place.all("select forename from raw.police order by _delivery_id, _record_no")]


def objects(place: Place) -> dict[str, bytes]:
    assert place.settings.archive_url is not None
    system, root = volumes.connect(place.settings.archive_url)
    system.invalidate_cache()
    return {path: system.cat_file(path) for path in system.find(root)}


def files(place: Place) -> list[str]:
    """The objects that are files as sent; each has a note beside it, of who sent it and when."""
    return [path for path in objects(place) if not journal.is_note(path)]


def test_files_go_through_the_store_and_nothing_can_be_read_there_or_here(place: Place) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as both:
        both.writestr("one.csv", rows(b"Ann"))
        both.writestr("two.csv", rows(b"Bob"))
    assert place.ingest(rows(*[CANARY] * 300), f"{CANARY.decode()}.csv") == ["loaded"]
    assert place.ingest(packed.getvalue(), "both.zip") == ["loaded", "loaded"]
    assert names_read(place) == [CANARY.decode()] * 300 + ["Ann", "Bob"]
    assert place.archived() == rows(*[CANARY] * 300)
    kept = objects(place)
    assert (len(files(place)), len(kept)) == (2, 4)
    for path, content in kept.items():
        assert CANARY not in content and CANARY.decode() not in path
    for path in place.settings.home.rglob("*"):
        assert path.is_dir() or CANARY not in path.read_bytes(), path
    assert not [path for path in (place.settings.home / "run" / "passing").iterdir()], "passing copies have no name"


def test_worker_on_another_host_loads_what_this_one_took(place: Place, tmp_path: Path) -> None:
    place.drop(rows(b"Ann"))
    place.take()
    there = replace(
        make_settings(tmp_path / "other", ARCHIVE_KEY_FILE=str(place.settings.archive_key)),
        archive_url=place.settings.archive_url,
        database_url=place.settings.database_url,
    )
    (delivery_id,) = place.one("select delivery_id from intake.deliveries")
    assert intake.load(place.connection, there, place.house, delivery_id) == "loaded"
    place.connection.commit()
    assert names_read(place) == ["Ann"]


def test_same_bytes_again_are_one_object(place: Place) -> None:
    place.ingest(rows(b"Ann"), "one.csv")
    place.ingest(rows(b"Ann"), "two.csv")
    assert len(files(place)) == 1
    assert place.one("select count(distinct stored_name) from intake.files") == (1,)


def test_rewritten_and_deleted_objects_are_gone(place: Place) -> None:
    place.ingest(rows(b"Ann", b"Bob"))
    (name,) = archive.each(place.settings)
    archive.rewrite(place.settings, name, lambda file: (line for line in file if b"Bob" not in line))
    assert place.archived() == rows(b"Ann")
    assert archive.delete(place.settings, name) and not archive.delete(place.settings, name)
    assert list(archive.each(place.settings)) == [] and not objects(place)


def test_crash_while_the_object_goes_up_loses_and_doubles_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    place.drop(rows(b"Ann"))
    write = volumes.Store.write

    def after(*arguments: Any) -> Any:
        write(*arguments)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(volumes.Store, "write", after)
        with pytest.raises(Crash):
            place.take()
    place.connection.rollback()
    assert len(files(place)) == 1
    place.take()
    assert place.load() == ["loaded"]
    assert len(files(place)) == 1


def test_file_waits_while_the_store_is_away_and_goes_on_afterwards(
    place: Place, store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    place.drop(rows(CANARY), f"{CANARY.decode()}.csv")
    with store.away():
        began = time.monotonic()
        assert place.take() == 0
        assert time.monotonic() - began < 45  # by itself Azure's library tries for minutes
        (check,) = [each for each in examine(place.settings) if each.id == "archive"]
    assert not check.ok
    # Not the test's own server, which logs what it is asked for.
    said = " ".join(each.getMessage() for each in caplog.records if each.name != "werkzeug")
    assert CANARY.decode() not in said and "waits" in said
    assert place.take() == 1
    assert place.load() == ["loaded"]


def test_who_we_are_to_the_store_can_stand_in_a_file(place: Place, store: ObjectStore, tmp_path: Path) -> None:
    place.ingest(rows(b"Ann"), "one.csv")

    def is_well() -> bool:
        inherited = {n: value for n, value in inherited_environment().items() if not n.startswith(SETTINGS)}
        environment = {**inherited, **as_environment(place.settings), "FSSPEC_CONFIG_DIR": str(tmp_path)}
        ended = subprocess.run(
            [sys.executable, "-m", "frontdoor", "doctor", "--json"], env=environment, capture_output=True, check=False
        )
        (check,) = [each for each in json.loads(ended.stdout)["checks"] if each["id"] == "archive"]
        return bool(check["ok"])

    assert not is_well()
    (tmp_path / "stores.json").write_text(store.as_file())
    assert is_well()


def test_large_object_comes_back_as_it_went(place: Place) -> None:
    """Larger than one part of an upload, of which several are on their way at once."""
    content = os.urandom(2**20) * 70
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        stored = archive.store(file.fileno(), place.settings, "ab" * 16)
    with archive.opened(place.settings, stored.name) as kept:
        assert kept.open().read() == content


def test_address_whose_package_is_missing_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adlfs", None)
    monkeypatch.delitem(_registry, "abfs", raising=False)  # fsspec remembers what it has once imported
    here = replace(make_settings(tmp_path), archive_url="abfs://container/archive")
    with pytest.raises(volumes.VolumeAway, match="needs the package adlfs: make stores"):
        list(archive.each(here))
    with pytest.raises(volumes.VolumeAway, match="nothing here can read nonsense://"):
        list(archive.each(replace(here, archive_url="nonsense://x")))


def test_account_that_nobody_named_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("adlfs").AzureBlobFileSystem.clear_instance_cache()
    for name in ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(volumes.VolumeAway, match="AZURE_STORAGE_CONNECTION_STRING"):
        list(archive.each(replace(make_settings(tmp_path), archive_url="abfs://container/archive")))
