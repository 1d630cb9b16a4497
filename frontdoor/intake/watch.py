"""Notice files in the landing zone the moment they are whole; touch nothing.

Two senses, because neither is enough alone. The kernel tells at once of a file renamed into place (inotify's
``MOVED_TO``), which is proof that it is whole; but it forgets while nobody listens, and says nothing on a network
share. So the folders are also listed a few times a second, and a file that was not renamed counts as whole when its
size and last change have stood still for the settle time.

A notice carries the landing folder and, for renamed files, inode and change time: never a name, which may be a child's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frontdoor import clock
from frontdoor.intake import landing as zones

LOOK_EVERY_SECONDS = 0.2
# A file still lying there long after its bell was rung is rung for again: the event may have been lost. One that cannot
# be taken lies on, so the bell is rung half as often each time; the sweep looks for it too.
RING_AGAIN_SECONDS = 20.0
RING_AGAIN_AT_LEAST_SECONDS = 640.0
TEMPORARY_SUFFIXES = (".part", ".tmp")


@dataclass(frozen=True)
class Notice:
    """Files are whole in ``landing/<agency>/<source>``.

    ``moved``: (inode, st_ctime_ns) of those that were renamed into place.
    """

    source: str
    moved: tuple[tuple[int, int], ...] = ()


@dataclass
class _Sighting:
    size: int
    changed_ns: int
    since: float
    rung_at: float | None = None
    rest: float = RING_AGAIN_SECONDS / 2


@dataclass
class LandingWatch:
    """What has been seen in one landing zone; ``look`` may be called from any single thread."""

    landing: Path
    settle_seconds: float
    _seen: dict[tuple[str, int], _Sighting] = field(default_factory=dict)

    def look(self, moved: frozenset[tuple[int, int]] = frozenset()) -> list[Notice]:
        """List the zone once; return a notice per source that holds files newly whole.

        ``moved``: (inode, st_ctime_ns) of files known to have been renamed into place since the last look.
        """
        now = clock.monotonic()
        present: set[tuple[str, int]] = set()
        whole: dict[str, list[tuple[int, int]]] = {}
        for source, entry in landed(self.landing):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            key = (source, status.st_ino)
            present.add(key)
            sighting = self._seen.get(key)
            if sighting is None or (sighting.size, sighting.changed_ns) != (status.st_size, status.st_ctime_ns):
                sighting = self._seen[key] = _Sighting(status.st_size, status.st_ctime_ns, now)
            evidence = (status.st_ino, status.st_ctime_ns)
            renamed = evidence in moved or status.st_ctime_ns > status.st_mtime_ns
            settled = now - sighting.since >= self.settle_seconds
            rung = sighting.rung_at is not None and now - sighting.rung_at < sighting.rest
            if (renamed or settled) and not rung:
                sighting.rung_at, sighting.rest = now, min(2 * sighting.rest, RING_AGAIN_AT_LEAST_SECONDS)
                whole.setdefault(source, []).extend([evidence] if evidence in moved else [])
        self._seen = {key: sighting for key, sighting in self._seen.items() if key in present}
        return [Notice(source, tuple(evidence)) for source, evidence in sorted(whole.items())]


def landed(landing: Path, *, must_list: bool = False) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield (source, entry) of every file two folders deep, or deeper, that is not still being written by its name.

    A folder that cannot be listed is empty: the take says so, we would say it several times a second. With `must_list`
    it raises `OSError`.
    """
    for agency in _folders(landing, must_list):
        ours = must_list and agency.name != zones.OF_THE_DISK
        for source in _folders(agency.path, ours):
            for entry in _below(source.path, ours):
                if not entry.name.endswith(TEMPORARY_SUFFIXES):
                    yield source.name, entry


def _below(path: str, must_list: bool) -> Iterator[os.DirEntry[str]]:
    for entry in _visible(path, must_list):
        if not zones.is_folder(entry):
            yield entry
        elif entry.name != zones.OF_THE_DISK:
            yield from _below(entry.path, must_list)


def _folders(path: str | Path, must_list: bool = False) -> list[os.DirEntry[str]]:
    return [entry for entry in _visible(path, must_list) if zones.is_folder(entry)]


def _visible(path: str | Path, must_list: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        if must_list:
            raise
        return []


async def watch(landing: Path, settle_seconds: float) -> AsyncIterator[Notice]:
    """Yield a notice for each source whose files are whole, for as long as it is iterated."""
    zone = LandingWatch(landing, settle_seconds)
    with _Listener(landing) as listener:
        while True:
            moved = await listener.moved_within(LOOK_EVERY_SECONDS)
            for notice in zone.look(moved):
                yield notice


async def together(streams: Sequence[AsyncIterator[Notice]]) -> AsyncIterator[Notice]:
    """Yield the notices of several watches as they come."""
    waiting: dict[asyncio.Future[Notice], AsyncIterator[Notice]] = {}
    try:
        waiting = {asyncio.ensure_future(anext(each)): each for each in streams}
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                stream = waiting.pop(each)
                try:
                    yield each.result()
                except StopAsyncIteration:
                    continue
                waiting[asyncio.ensure_future(anext(stream))] = stream
    finally:
        for each in waiting:
            each.cancel()


class _Listener:
    """The kernel's word on renames, where there is one: without inotify it only waits."""

    def __init__(self, landing: Path) -> None:
        self.landing = landing
        self._inotify: Any = None
        self._next: asyncio.Task[Any] | None = None
        self._watched: set[str] = set()

    def __enter__(self) -> _Listener:
        try:
            from asyncinotify import Inotify

            self._inotify = Inotify()
        except (ImportError, OSError, AttributeError):
            self._inotify = None
        self._follow_new_folders()
        return self

    def __exit__(self, *_: object) -> None:
        if self._next is not None:
            self._next.cancel()
        if self._inotify is not None:
            self._inotify.close()

    async def moved_within(self, seconds: float) -> frozenset[tuple[int, int]]:
        """Wait for a rename into place, at most so many seconds; return what came with it."""
        if self._inotify is None:
            await asyncio.sleep(seconds)
            return frozenset()
        moved: set[tuple[int, int]] = set()
        wait = seconds
        while True:
            # One task is kept waiting over many calls: cancelling it could lose an event that was just read.
            self._next = self._next or asyncio.ensure_future(self._inotify.get())
            done, _ = await asyncio.wait({self._next}, timeout=wait)
            if not done:
                break
            event, self._next = self._next.result(), None
            # After the first event only what is already queued is read, so that a burst is one notice.
            wait = 0.002
            try:
                status = os.stat(event.path, follow_symlinks=False) if event.path is not None else None
            except OSError:
                continue
            if status is not None:
                moved.add((status.st_ino, status.st_ctime_ns))
            if len(moved) >= 500:
                break
        self._follow_new_folders()
        return frozenset(moved)

    def _follow_new_folders(self) -> None:
        if self._inotify is None:
            return
        from asyncinotify import Mask

        folders = [source.path for agency in _folders(self.landing) for source in _folders(agency.path)]
        self._watched &= set(folders)
        for folder in folders:
            if folder not in self._watched:
                try:
                    self._inotify.add_watch(folder, Mask.MOVED_TO | Mask.ONLYDIR)
                except OSError:
                    continue
                self._watched.add(folder)
