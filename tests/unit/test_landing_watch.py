"""The landing watch sees whole files at once and half-written ones not at all. Mend: frontdoor/intake/watch.py."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from frontdoor import clock
from frontdoor.intake.watch import LandingWatch, Notice, watch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wearside_police" / "police"
    folder.mkdir(parents=True)
    return folder


def _evidence(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_ctime_ns


def test_file_still_changing_is_not_announced_until_it_settles(folder: Path) -> None:
    zone = LandingWatch(folder.parent.parent, settle_seconds=0.2)
    (folder / "slow.csv").write_bytes(b"a")
    assert zone.look() == []
    time.sleep(0.12)
    with (folder / "slow.csv").open("ab") as file:
        file.write(b"b")
    assert zone.look() == []
    time.sleep(0.12)
    assert zone.look() == [], "the settle time starts again with every change"
    time.sleep(0.12)
    assert zone.look() == [Notice("police")]


def test_file_seen_to_be_renamed_is_announced_at_once_and_only_once(folder: Path) -> None:
    zone = LandingWatch(folder.parent.parent, settle_seconds=60)
    (folder / ".incoming").write_bytes(b"a")
    os.rename(folder / ".incoming", folder / "whole.csv")
    evidence = _evidence(folder / "whole.csv")
    assert zone.look(frozenset([evidence])) == [Notice("police", (evidence,))]
    assert zone.look() == []


def test_change_of_name_after_the_last_write_proves_a_whole_file_without_the_kernel(folder: Path) -> None:
    zone = LandingWatch(folder.parent.parent, settle_seconds=60)
    (folder / ".incoming").write_bytes(b"a")
    time.sleep(0.02)
    os.rename(folder / ".incoming", folder / "whole.csv")
    assert zone.look() == [Notice("police")]


def test_file_that_cannot_be_taken_is_rung_for_less_and_less(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    zone = LandingWatch(folder.parent.parent, settle_seconds=1)
    (folder / "closed.csv").write_bytes(b"a")
    rung = []
    for at[0] in range(3600):
        rung += [at[0]] if zone.look() else []
    assert rung[:6] == [1, 21, 61, 141, 301, 621] and len(rung) == 10
    (folder / "closed.csv").chmod(0o640)
    assert zone.look() == [Notice("police")], "its rights were mended"


@pytest.mark.parametrize("name", [".hidden.csv", "upload.part", "upload.tmp"])
def test_temporary_names_are_left_alone(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"a")
    assert LandingWatch(folder.parent.parent, settle_seconds=0).look() == []


def test_file_in_a_folder_that_its_sender_made_is_announced_for_the_same_source(folder: Path) -> None:
    deeper = folder / "2026" / "november"
    deeper.mkdir(parents=True)
    (deeper / ".file.csv").write_bytes(b"a")
    os.rename(deeper / ".file.csv", deeper / "file.csv")
    assert [notice.source for notice in LandingWatch(folder.parents[1], 0.0).look()] == [folder.name]


def test_notice_never_carries_a_name(folder: Path) -> None:
    (folder / "Canary Childsname.csv").write_bytes(b"a")
    assert "Canary" not in repr(LandingWatch(folder.parent.parent, settle_seconds=0).look())


def test_watch_hears_of_a_rename_long_before_the_settle_time(folder: Path) -> None:
    async def first_notice() -> tuple[Notice, float]:
        async def land() -> float:
            await asyncio.sleep(0.3)
            (folder / ".incoming").write_bytes(b"a" * 10_000)
            os.rename(folder / ".incoming", folder / "whole.csv")
            return time.monotonic()

        landing = asyncio.ensure_future(land())
        async for notice in watch(folder.parent.parent, settle_seconds=30):
            return notice, time.monotonic() - await landing
        raise AssertionError("the watch ended")

    notice, seconds = asyncio.run(asyncio.wait_for(first_notice(), 10))
    assert notice.source == "police"
    assert seconds < 0.5
