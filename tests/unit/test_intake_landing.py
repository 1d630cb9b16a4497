"""Which files are whole. Mend: frontdoor/intake/landing.py."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frontdoor.intake import landing
from frontdoor.intake.watch import LandingWatch, Notice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wearside_police" / "police"
    folder.mkdir(parents=True)
    return folder


def names(zone: Path, settle_seconds: float, **chosen: object) -> list[str]:
    return [each.path.name for each in landing.whole(zone, settle_seconds, **chosen)]  # type: ignore[arg-type]


def test_file_that_stands_still_for_the_settle_time_is_whole(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_bytes(b"a")
    assert names(tmp_path, 0.2) == []
    time.sleep(0.25)
    assert names(tmp_path, 0.2) == ["a.csv"]


def test_time_of_writing_that_was_set_from_outside_proves_nothing_about_standing_still(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "a.csv").write_bytes(b"")
    os.utime(folder / "a.csv", (0, 0))
    assert names(tmp_path, 60) == []


def test_rename_after_the_last_write_makes_a_file_whole_at_once(folder: Path, tmp_path: Path) -> None:
    (folder / ".a").write_bytes(b"a")
    time.sleep(0.02)
    os.rename(folder / ".a", folder / "a.csv")
    assert names(tmp_path, 60) == ["a.csv"]


def test_rename_that_the_watch_saw_makes_a_file_whole_at_once(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_bytes(b"a")
    status = (folder / "a.csv").stat()
    assert names(tmp_path, 60, moved={(status.st_ino, status.st_ctime_ns)}) == ["a.csv"]


def test_open_file_is_not_whole_however_long_its_writer_pauses(folder: Path, tmp_path: Path) -> None:
    with (folder / "a.csv").open("wb") as writer:
        writer.write(b"half")
        writer.flush()
        assert landing.has_writer(folder / "a.csv")
        assert names(tmp_path, 0) == []
    assert names(tmp_path, 0) == ["a.csv"]


def test_open_file_forgotten_by_its_writer_is_taken_after_a_minute(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "a.csv").open("wb"):
        monkeypatch.setattr(landing, "FORGOTTEN_SECONDS", 0.0)
        assert names(tmp_path, 0) == ["a.csv"]


def test_asking_for_a_writer_leaves_no_lease_and_no_deadly_signal(folder: Path) -> None:
    (folder / "a.csv").write_bytes(b"a")
    assert signal.getsignal(signal.SIGIO) == signal.SIG_DFL
    assert not landing.has_writer(folder / "a.csv")
    with (folder / "a.csv").open("ab") as writer:
        writer.write(b"b")


def test_reader_of_a_file_is_no_writer(folder: Path) -> None:
    (folder / "a.csv").write_bytes(b"a")
    with (folder / "a.csv").open("rb"):
        assert not landing.has_writer(folder / "a.csv")


def test_one_source_is_listed_alone_and_strays_only_with_everything(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "wearside_council" / "visit").mkdir(parents=True)
    (folder / "deeper").mkdir()
    for place in (folder, folder / "deeper", folder.parent, tmp_path, tmp_path / "wearside_council" / "visit"):
        (place / f"{place.name}.csv").write_bytes(b"a")
    assert sorted(names(tmp_path, 0, source="police")) == ["deeper.csv", "police.csv"]
    assert names(tmp_path, 0, agency="wearside_council") == ["visit.csv"]
    found = {(each.agency, each.source, each.path.name) for each in landing.whole(tmp_path, 0)}
    assert found == {
        ("wearside_police", "police", "police.csv"),
        ("wearside_police", "police", "deeper.csv"),
        ("wearside_council", "visit", "visit.csv"),
        ("wearside_police", landing.NO_FOLDER, "wearside_police.csv"),
        (landing.NO_FOLDER, landing.NO_FOLDER, f"{tmp_path.name}.csv"),
    }


def test_missing_landing_zone_is_empty(tmp_path: Path) -> None:
    assert landing.whole(tmp_path / "nowhere", 0) == []


@pytest.mark.parametrize("refused", ["lost+found", "wearside_council/visit"])
def test_folder_that_cannot_be_listed_hides_no_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, refused: str
) -> None:
    (tmp_path / refused).mkdir(parents=True)
    (folder / ".a").write_bytes(b"a")
    time.sleep(0.02)
    os.rename(folder / ".a", folder / "a.csv")
    listing = os.scandir

    def scandir(path: str | Path) -> object:
        if Path(path) == tmp_path / refused:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(tmp_path, 0) == ["a.csv"]
    assert LandingWatch(tmp_path, settle_seconds=60).look() == [Notice("police")]
    assert "EACCES" in caplog.text
    assert not any(part in caplog.text for part in ("lost", "council", str(tmp_path)))


def test_folder_whose_files_may_not_be_looked_at_hides_no_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        name, path = "closed.csv", str(folder / "closed.csv")

        def is_dir(self, **_: object) -> bool:
            raise PermissionError(errno.EACCES, "Permission denied")

        def stat(self, **_: object) -> os.stat_result:
            raise PermissionError(errno.EACCES, "Permission denied")

    (folder / "a.csv").write_bytes(b"a")
    listing = os.scandir

    @contextmanager
    def scandir(path: str | Path) -> Iterator[list[object]]:
        with listing(path) as entries:
            yield [Closed(), *entries]

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(tmp_path, 0) == ["a.csv"]
    assert LandingWatch(tmp_path, settle_seconds=0).look() == [Notice("police")]
