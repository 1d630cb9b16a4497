"""A place of backups: never over what is copied or what somebody else keeps; said when it fails; damage is found.

Mend: frontdoor/keeping/ours.py, place.py, copies.py, spoken.py; frontdoor/cli/keeping.py, copies.py.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import frontdoor
from frontdoor import database, intake
from frontdoor.cli import main
from frontdoor.cli.doctor import examine
from frontdoor.contract import load_house
from frontdoor.intake import archive, archive_keys, volumes
from frontdoor.keeping import backup as backing_up
from frontdoor.keeping import copies, ours, place
from frontdoor.keeping import rebuild as rebuilding
from frontdoor.keeping.backup import backup
from frontdoor.keeping.restore import restore
from frontdoor.keeping.tools import KeepingError, WrongPlace
from frontdoor.prepare import prepare
from frontdoor.settings import Settings, as_environment, inherited_environment
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database
from tests.keeping_house import AFTERWARDS, POLICE, House, empty_house
from tests.object_stores import SETTINGS, object_store
from tests.servers import SharedServer

ROOT = Path(__file__).resolve().parents[2]
NAME = "frontdoor_restored"


@pytest.fixture(scope="module")
def lived(database: Database) -> House:
    house = House(database.settings)
    prepare(house.settings)
    for number, broken in enumerate((None, "POL-020")):
        content = sample_records(load_house(), "wearside_police", "police", 3, seed=number, break_rule=broken)
        house.send(POLICE, content, AFTERWARDS + timedelta(minutes=number), f"{number}.csv")
    return house


@pytest.fixture
def empty(embedded_server: SharedServer, lived: House, tmp_path: Path) -> Iterator[House]:
    with empty_house(embedded_server, tmp_path / "new home", NAME, key_of=lived) as house:
        yield house


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command; return what it said on stdout and stderr."""

    def run(house: House, *command: str, code: int = 0) -> str:
        for name, value in as_environment(house.settings).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        assert main([*command]) == code
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def names_in(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def archived(copy: Path) -> list[Path]:
    return sorted(path for path in (copy / "archive").rglob("*") if path.is_file() and ".taken." not in path.name)


def manifest_in(copy: Path, backup_id: str) -> Path:
    return copy / "manifests" / backup_id[:2] / backup_id


OVERLAPPING = {
    "nothing": lambda _: "",
    "file address of nothing": lambda _: "file://",
    "home": lambda settings: str(settings.home),
    "home by address": lambda settings: f"file://{settings.home}",
    "above the home": lambda settings: str(settings.home.parent),
    "archive": lambda settings: str(settings.archive),
    "in the archive": lambda settings: str(settings.archive / "copies"),
    "landing": lambda settings: str(settings.landing),
    "in the receipts": lambda settings: str(settings.receipts / "copies"),
    "secrets": lambda settings: str(settings.home / "secrets"),
    "run": lambda settings: str(settings.home / "run" / "backup"),
    "by a way around": lambda settings: str(settings.home / "copies" / ".." / "archive"),
}


@pytest.mark.parametrize("named", OVERLAPPING.values(), ids=OVERLAPPING)
def test_place_that_overlaps_what_is_copied_is_refused_and_nothing_goes(
    lived: House, named: Callable[[Settings], str], said: Callable[..., str]
) -> None:
    before = names_in(lived.settings.home)
    assert set(archive.each(lived.settings))
    with pytest.raises(WrongPlace):
        backup(lived.settings, named(lived.settings))
    told = said(lived, "backup", "--out", named(lived.settings), "--json", code=2)
    assert "lie in one another" in told or "a place for backups has a name" in told
    assert names_in(lived.settings.home) == before


def test_home_is_refused_by_a_dot_and_by_a_link(lived: House, tmp_path: Path) -> None:
    before = names_in(lived.settings.home)
    with chdir(lived.settings.home), pytest.raises(WrongPlace, match="place and the home lie in one another"):
        backup(lived.settings, ".")
    (tmp_path / "link").symlink_to(lived.settings.home)
    for link in (tmp_path / "link", tmp_path / "link" / "archive" / "copies"):
        with pytest.raises(WrongPlace):
            backup(lived.settings, str(link))
    assert names_in(lived.settings.home) == before


@pytest.mark.parametrize(
    ("archive_url", "where"),
    [
        ("s3://bucket/archive", "s3://bucket"),
        ("s3://bucket/archive", "s3a://bucket/archive/copies"),
        ("s3://bucket/archive", "s3://bucket//archive/"),
        ("abfs://box/archive", "az://box@account.dfs.core.windows.net/archive"),
        ("s3://bucket", "s3://bucket/copies"),
    ],
)
def test_address_that_overlaps_the_archive_is_refused_unasked(lived: House, archive_url: str, where: str) -> None:
    for settings in (
        replace(lived.settings, archive_url=archive_url),
        replace(lived.settings, landing_url=archive_url),
    ):
        with pytest.raises(WrongPlace, match="lie in one another"):
            backup(settings, where)
    ours.refuse_what_is_copied(replace(lived.settings, archive_url="s3://bucket/archive"), "s3://bucket/archive-copies")


def test_place_that_holds_what_is_not_ours_is_left_as_it_is(lived: House, tmp_path: Path) -> None:
    for name in ("archive/ab/abcdef", "database/20/20261128.sql", "manifests/20/20261128T010203000000Z"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("{}")
    before = names_in(tmp_path)
    with pytest.raises(WrongPlace, match="not empty, and holds no backup that was made by us"):
        backup(lived.settings, str(tmp_path))
    assert names_in(tmp_path) == before


def test_new_disk_is_an_empty_place_and_one_from_before_the_mark_is_ours(lived: House, tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    backup(lived.settings, str(tmp_path))
    mark = tmp_path / "manifests" / ours.MARK[:2] / ours.MARK
    mark.unlink()
    assert backup(lived.settings, str(tmp_path)).copied == 0
    assert mark.exists()


def test_object_store_is_held_to_the_same(lived: House) -> None:
    with object_store("s3") as store:
        system, root = volumes.connect(store.url)
        system.pipe_file(f"{root}/others/archive/ab/abcdef", b"somebody's")
        with pytest.raises(WrongPlace, match="not empty"):
            backup(lived.settings, f"{store.url}/others")
        with pytest.raises(WrongPlace, match="not empty"):
            backup(lived.settings, store.url)
        assert system.find(root) == [f"{root}/others/archive/ab/abcdef"]
        made = backup(lived.settings, f"{store.url}/copies")
        kept = next(path for path in system.find(f"{root}/copies/archive") if made.manifest.files[0].kept_as in path)
        system.pipe_file(kept, b"cut")
        (listed,) = copies.listed(lived.settings, f"{store.url}/copies")
        assert listed.lacking == 1
        again = backup(lived.settings, f"{store.url}/copies")
        assert (again.copied, again.mended) == (1, 1)
        assert copies.verify(lived.settings, f"{store.url}/copies", made.manifest.backup_id).damaged == []


def test_folder_in_the_home_apart_from_everything_is_used_and_its_disk_is_told(
    lived: House, said: Callable[..., str]
) -> None:
    folder = lived.settings.home / "copies"
    try:
        told = said(lived, "backup", "--out", str(folder))
        assert "It lies on a disk of what it copies: when that one dies, both are gone." in told
    finally:
        shutil.rmtree(folder)


def test_place_that_cannot_be_written_is_told_with_its_reason(
    lived: House, tmp_path: Path, said: Callable[..., str]
) -> None:
    (tmp_path / "file").write_text("")
    cannot = "the backup's place cannot be "
    assert f"{cannot}read: Not a directory" in said(lived, "backup", "--out", f"{tmp_path}/file", code=1)
    told = said(lived, "backup", "--out", "/sys/copies", "--json", code=1)
    assert f'"error": "{cannot}written: ' in told
    assert any(os.strerror(number) in told for number in (errno.EROFS, errno.EPERM, errno.EACCES))
    told = said(lived, "backup", "--out", "ftp://127.0.0.1/copies", code=1)
    assert f"{cannot}read: nothing here can read ftp:// addresses" in told


def test_object_store_that_does_not_know_us_is_told_with_its_reason(
    lived: House, monkeypatch: pytest.MonkeyPatch, said: Callable[..., str]
) -> None:
    with object_store("s3") as store:
        s3fs = pytest.importorskip("s3fs")
        assert "No such file or directory" in said(lived, "backup", "--out", f"{store.url}-not/copies", code=1)
        for name in list(os.environ):
            if name.startswith(SETTINGS) and "ENDPOINT" not in name:
                monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        s3fs.S3FileSystem.clear_instance_cache()
        told = said(lived, "backup", "--out", f"{store.url}/copies", code=1)
        assert "the backup's place cannot be read: the object store did not do it (NoCredentialsError)" in told
        with store.away():
            assert "cannot be read: the object store did not do it" in said(
                lived, "restore", f"{store.url}/copies", code=1
            )


def test_full_place_is_told_and_keeps_nothing_of_what_failed(
    lived: House,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    copy = tmp_path / "copy"
    first = backup(lived.settings, str(copy)).manifest
    for kept in archived(copy):
        kept.unlink()
    whole, left = volumes.write_all, [1]

    def until_full(file: int, block: bytes) -> None:
        if Path(f"/proc/self/fd/{file}").readlink().is_relative_to(copy / "archive"):
            left[0] -= 1
            if left[0] < 0:
                whole(file, block[: len(block) // 2])
                raise OSError(errno.ENOSPC, "quoted: /a/path")
        whole(file, block)

    before = names_in(copy)
    monkeypatch.setattr(volumes, "write_all", until_full)
    told = said(lived, "backup", "--out", str(copy), code=1)
    assert "the backup's place cannot be written: No space left on device" in told
    assert "what was copied for it is cleared" in caplog.text and "quoted" not in told + caplog.text
    came = names_in(copy) - before
    assert {path.parts[0] for path in came} == {"archive"}
    assert {path.name for path in came} < {each.kept_as for each in first.files}
    monkeypatch.undo()
    assert backup(lived.settings, str(copy)).copied == 1


def test_archive_that_cannot_be_read_is_not_blamed_on_the_place(
    lived: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(file: int, told: Any = None) -> Iterator[bytes]:
        raise OSError(errno.EIO, "quoted: /a/path")
        yield b""

    real = backing_up.places.blocks_of

    def breaks_in_the_archive(file: int, told: Any = None) -> Iterator[bytes]:
        of_archive = Path(f"/proc/self/fd/{file}").readlink().is_relative_to(lived.settings.archive)
        return broken(file) if of_archive else real(file, told)

    monkeypatch.setattr(backing_up.places, "blocks_of", breaks_in_the_archive)
    with pytest.raises(KeepingError, match=r"^the archive cannot be read: Input/output error$"):
        backup(lived.settings, str(tmp_path))


def test_landing_zone_that_cannot_be_written_is_told_with_its_reason(
    lived: House, tmp_path: Path, said: Callable[..., str]
) -> None:
    (tmp_path / "file").write_text("text")
    closed = House(replace(lived.settings, landing=tmp_path / "file"))
    to = ("--agency", "wearside_police", "--feed", "police")
    told = said(closed, "deliver", str(tmp_path / "file"), *to, "--json", code=1)
    assert '{"error": "the landing zone cannot be written: Not a directory"}' in told
    told = said(lived, "deliver", str(tmp_path / "none"), *to, code=2)
    assert "FILE is not there, or is not a file" in told


def test_file_of_each_key_is_named(lived: House, tmp_path: Path, said: Callable[..., str]) -> None:
    key_file, spare = lived.settings.archive_key, archive_keys.spare_file(lived.settings)
    (key,) = archive_keys.read(key_file)
    key_file.rename(tmp_path / "away")
    try:
        told = said(lived, "backup", "--out", str(tmp_path / "copy"))
        (spare_key,) = archive_keys.read(spare)
        assert f"{spare_key.key_id} of {spare}" in told and "which are NOT in it" in told
        assert f"{key.key_id} of a key file that is not here any more" in told
        assert str(key_file) + "," not in told
        (tmp_path / "away").rename(key_file)
        told = said(lived, "backup", "--out", str(tmp_path / "copy"), "--json")
        document = json.loads(told[told.index("{") :].splitlines()[0])
        assert document["key_files"] == {key.key_id: str(key_file)}
    finally:
        spare.unlink()


def test_damaged_manifest_hinders_no_backup_and_what_it_may_name_stays(
    lived: House, empty: House, tmp_path: Path, said: Callable[..., str]
) -> None:
    copy = tmp_path / "copy"
    first = backup(lived.settings, str(copy)).manifest.backup_id
    only_there = archived(copy)[0]
    archive.rewrite(lived.settings, only_there.name.split(".")[0], archive.blocks_of)
    second = backup(lived.settings, str(copy)).manifest.backup_id
    (copy / "manifests" / first[:2] / "notes from somebody").write_text("no backup")
    manifest_in(copy, first).write_text("{")
    parts_of_first = [path for path in (copy / "database").rglob("*") if path.name.startswith(first)]
    made = backup(lived.settings, str(copy))
    assert made.closed == (first,) and made.copied == 0
    assert only_there.exists() and parts_of_first and all(path.exists() for path in parts_of_first)
    told = said(lived, "backup", "--out", str(copy))
    assert f"The manifest of backup {first} cannot be read" in told
    told = said(lived, "copies", "list", str(copy), code=1)
    assert f"{first}  its manifest cannot be read" in told and "somebody" not in told

    manifest_in(copy, second).write_bytes(manifest_in(copy, second).read_bytes()[:-40])
    newest = place.at(lived.settings, str(copy)).newest()
    manifest_in(copy, newest).write_bytes(b"\xff")
    with pytest.raises(KeepingError, match=f"backup {newest}: the manifest .* cannot be read; others here.*{first}"):
        restore(empty.settings, str(copy))
    assert restore(empty.settings, str(copy), made.manifest.backup_id).damaged == []
    # As many as are to be kept can be read; what is older goes, and what only it named with it.
    kept = backup(lived.settings, str(copy), keep=1)
    assert (kept.removed, kept.closed) == (4, ()) and not only_there.exists()
    assert not [path for path in parts_of_first if path.exists()]


def test_file_cut_in_the_place_is_copied_anew_by_the_next_backup(
    lived: House, tmp_path: Path, said: Callable[..., str]
) -> None:
    made = backup(lived.settings, str(tmp_path))
    one, other = archived(tmp_path)[:2]
    one.write_bytes(one.read_bytes()[:-1])
    other.unlink()
    assert "; 2 of its parts and files are missing or cut short" in said(lived, "copies", "list", str(tmp_path), code=1)
    told = said(lived, "backup", "--out", str(tmp_path))
    assert "Copied 2 of them now" in told and "1 of those copied lay there cut short" in told
    assert copies.verify(lived.settings, str(tmp_path), made.manifest.backup_id).damaged == []


def test_every_byte_of_a_backup_is_verified_and_what_is_damaged_is_named(
    lived: House, tmp_path: Path, said: Callable[..., str]
) -> None:
    made = backup(lived.settings, str(tmp_path)).manifest
    whole = said(lived, "copies", "verify", str(tmp_path))
    assert f"Backup {made.backup_id} is whole: {len(made.parts)} parts of the dump, {len(made.files)} archived" in whole
    part = next((tmp_path / "database").rglob("*.gz"))
    for path in (archived(tmp_path)[0], part):
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)
    told = said(lived, "copies", "verify", str(tmp_path), code=1)
    for path in (archived(tmp_path)[0], part):
        assert f"damaged: {path.relative_to(tmp_path)}\n" in told
    assert "2 of " in told and "Its database does not come back" in told
    later = backup(lived.settings, str(tmp_path)).manifest
    told = said(lived, "copies", "verify", str(tmp_path), "--backup", made.backup_id, "--json", code=1)
    document = json.loads(told[told.index("{") :].splitlines()[0])
    assert len(document["damaged"]) == 2 and document["parts"] == len(made.parts)
    listed = said(lived, "copies", "list", str(tmp_path), "--json")
    listing = json.loads(listed[listed.index("[") :].splitlines()[0])
    assert [each["backup_id"] for each in listing] == [later.backup_id, made.backup_id]
    assert listing[0]["rows"] == sum(later.counts.values()) and listing[0]["files"] == len(later.files)
    assert listing[0]["release"] == frontdoor.__version__ and listing[0]["taken_at"].startswith("20")


def test_archived_files_lost_before_the_copy_are_told_of_after_the_way_back(
    lived: House, empty: House, tmp_path: Path, said: Callable[..., str]
) -> None:
    name = next(iter(archive.each(lived.settings)))
    path = lived.settings.archive / name[:2] / name
    path.rename(tmp_path / "lost")
    try:
        told = said(lived, "backup", "--out", str(tmp_path / "copy"), code=1)
        assert "1 archived files are NOT in it, for the archive lost them: frontdoor doctor." in told
        (check,) = [each for each in examine(lived.settings) if each.id == "archive"]
        assert not check.ok and check.sentence.startswith("1 archived files are not in the archive;")
        told = said(empty, "restore", str(tmp_path / "copy"), code=1)
        assert "1 archived files were lost before the copy was made, so they are NOT here" in told
        assert "None of what was published" not in told
        (check,) = [each for each in examine(empty.settings) if each.id == "archive"]
        assert not check.ok
    finally:
        (tmp_path / "lost").rename(path)


def test_letter_that_was_held_is_counted_once(
    lived: House, empty: House, tmp_path: Path, said: Callable[..., str]
) -> None:
    lived.rows(
        "update alerts.messages set sent_at = null where message_id in (select message_id from alerts.messages limit 1)"
    )
    backup(lived.settings, str(tmp_path / "copy"))
    content = sample_records(load_house(), "wearside_police", "police", 3, seed=99)
    lived.send(POLICE, content, AFTERWARDS + timedelta(hours=2), "later.csv")
    shutil.copytree(lived.settings.archive, empty.settings.archive)
    told = said(empty, "restore", str(tmp_path / "copy"), "--json")
    document = json.loads(told[told.index("{") :].splitlines()[0])
    assert document["taken_in_since"] == 1 and document["unsent_letters"] == 1
    count = "select count(*) from alerts.messages where sent_at is null and held_at is not null"
    assert document["held_letters"] == empty.one(count)


def test_letter_of_a_file_that_others_took_in_beside_a_rebuild_is_not_held(
    lived: House, empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(lived.settings.archive, empty.settings.archive)
    prepare(empty.settings, with_marts=False)
    content = sample_records(load_house(), "wearside_police", "police", 3, seed=7, break_rule="POL-020")
    came: list[int] = []
    really = rebuilding._take_in

    def beside(connection: Any, settings: Settings, *rest: Any) -> Any:
        if not came:
            folder = settings.landing / POLICE
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "meanwhile.csv").write_bytes(content)
            with closing(database.connect(settings)) as others:
                status = (folder / "meanwhile.csv").stat()
                moved = {(status.st_ino, status.st_ctime_ns)}
                assert intake.take(others, settings, load_house(), moved=moved) == 1
            came.append(empty.one("select max(delivery_id) from intake.deliveries"))
        return really(connection, settings, *rest)

    monkeypatch.setattr(rebuilding, "_take_in", beside)
    done = rebuilding.rebuild(empty.settings, with_marts=False)
    assert done.files == lived.one("select count(*) from intake.files")
    of_it = "select held_at is null from alerts.messages where delivery_id = %s"
    assert empty.rows(of_it, came[0]) and set(empty.rows(of_it, came[0])) == {(True,)}
    others = "select count(*) from alerts.messages where sent_at is null and held_at is not null"
    assert done.held == empty.one(others) > 0


def test_release_is_known_where_the_package_stands_alone(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "frontdoor", tmp_path / "frontdoor", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            "from frontdoor.keeping import release; print(release.__file__, release.release())",
        ],
        env=inherited_environment() | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.split() == [str(tmp_path / "frontdoor/keeping/release.py"), frontdoor.__version__]
