"""The landing zone in an object store: what is at rest there is brought here, taken as any file is, and deleted there.

An object lies under ``<landing>/<agency>/<feed or layout>/<name>`` (deeper ones count to the same two, as in folders).
A store has no rename and no events that reach us, so it is listed: an object is whole when it is the same (its entity
tag, size and change) in two listings that lie the settle time apart. Its token is made from what it is, so that after
a crash, here or on another host, the ledger tells that it was taken and only the deleting is left. One that changed
meanwhile is not deleted but taken as a new file; between that last look and the deletion lie milliseconds in which a
store cannot be stopped from taking a new version, so a sender gives each file a name of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frontdoor import clock
from frontdoor.intake import archive, landing, volumes
from frontdoor.intake import taken as taken_files
from frontdoor.intake.taken import Taken
from frontdoor.intake.watch import RING_AGAIN_SECONDS, Notice
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
# A file system takes 255; what an object is called beyond that is cut off at the front.
MOST_NAME_BYTES = 200
# What stores call the things by which a version of an object is told from the next.
_TAGS = ("ETag", "etag")
_CHANGES = ("LastModified", "last_modified", "created", "mtime")


@dataclass(frozen=True)
class Waiting:
    """An object in the landing zone: the folders it lies in, and by what its content is told from another."""

    agency: str
    source: str
    path: str = field(repr=False)
    name: str = field(repr=False)
    size: int
    tag: str
    changed_at: str

    @property
    def token(self) -> str:
        """Names this version of this object, and says nothing of it."""
        return hashlib.sha256(f"{self.path}\0{self.size}\0{self.tag}\0{self.changed_at}".encode()).hexdigest()[:32]


def waiting(
    settings: Settings, agency: str | None = None, source: str | None = None, *, is_glance: bool = False
) -> list[Waiting]:
    """List what lies in the store, in order of arrival as far as it tells; nothing where the zone is no store.

    Raises `OSError` where that cannot be told. A glance, each second, does not ask whether an empty place is there.
    """
    if settings.landing_url is None:
        return []
    with volumes.answering():
        system, root = volumes.connect(settings.landing_url)
        system.invalidate_cache()
        listed = system.find(root, detail=True)
        if not listed and not is_glance:
            volumes.must_be_there(settings.landing_url, system, root)
    found = [each for path, info in listed.items() if (each := _seen(root, path, info))]
    # As in a folder: what lies outside the two levels is listed only when no source is named.
    chosen = [each for each in found if agency in (None, each.agency) and source in (None, each.source)]
    return sorted(chosen, key=_arrival)


def at_rest(settings: Settings, agency: str | None, source: str | None) -> set[Waiting]:
    """Return what lay in the store for the settle time, which is waited for: it is whole where it is the same now."""
    try:
        found = waiting(settings, agency, source)
        if found and settings.settle_seconds:
            time.sleep(settings.settle_seconds)
            found = [each for each in waiting(settings, agency, source) if each in set(found)]
    except OSError as error:
        log.error("the landing zone in the object store cannot be listed: %s", taken_files.without_names(error))
        return set()
    return set(found)


def brought(
    settings: Settings,
    whole: Collection[Waiting],
    agency: str,
    source: str,
    known: Callable[[str], archive.Stored | None],
) -> Iterator[Taken]:
    """Yield the objects of a lane, brought here one by one; each that the ledger then knows is deleted in the store.

    One that cannot be brought or deleted now holds no other. `known`: as in `taken.recover`.
    """
    for each in sorted(whole, key=_arrival):
        if (each.agency, each.source) != (agency, source):
            continue
        try:
            if known(each.token) is None and (taken := bring(settings, each)):
                yield taken
            if known(each.token) is not None:
                clear(settings, each)
        except OSError as error:
            log.error("object %s waits in the landing zone: %s", each.token, taken_files.without_names(error))


def bring(settings: Settings, each: Waiting) -> Taken | None:
    """Copy an object to where taken files stand, under its own token; None when it is no longer what was listed."""
    folder = settings.landing / landing.TAKEN / each.agency / each.source / each.token
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished, size = folder / taken_files.UNFINISHED, 0
    with volumes.answering(), unfinished.open("wb") as copy:
        system, _ = volumes.connect(settings.landing_url or "")
        with system.open(each.path, "rb", cache_type="readahead") as file:
            while block := file.read(2**20):
                size += copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    if size != each.size or not is_unchanged(settings, each):
        unfinished.unlink()
        folder.rmdir()
        return None
    os.rename(unfinished, folder / each.name)
    return Taken(each.agency, each.source, each.token, folder / each.name)


def is_unchanged(settings: Settings, each: Waiting) -> bool:
    """Tell whether an object is there and still what was listed."""
    with volumes.answering():
        system, root = volumes.connect(settings.landing_url or "")
        system.invalidate_cache()
        try:
            return _seen(root, each.path, system.info(each.path)) == each
        except FileNotFoundError:
            return False


def clear(settings: Settings, each: Waiting) -> None:
    """Delete an object that the ledger knows, unless it is another by now."""
    if is_unchanged(settings, each):
        with volumes.answering():
            system, _ = volumes.connect(settings.landing_url or "")
            system.rm_file(each.path)


def put(settings: Settings, file: Path, agency: str, source: str, name: str) -> str:
    """Put a file into the store as a careful sender would; return under which name."""
    with volumes.answering():
        system, root = volumes.connect(settings.landing_url or "")
        folder = f"{root}/{agency}/{source}"
        system.invalidate_cache()
        if name.startswith(".") or name.endswith(landing.TEMPORARY_SUFFIXES) or system.exists(f"{folder}/{name}"):
            name = f"{uuid.uuid4().hex[:8]}-{name.lstrip('.').removesuffix('.part').removesuffix('.tmp')}"
        system.put_file(str(file), f"{folder}/{name}")
    return name


async def watch(settings: Settings) -> AsyncIterator[Notice]:
    """Yield a notice for each source whose objects are at rest, for as long as it is iterated; touch nothing."""
    seen: dict[str, tuple[float, float | None]] = {}
    while True:
        try:
            found = await asyncio.to_thread(waiting, settings, is_glance=True)
        except OSError:
            found = []  # the take says so, we would say it every second
        now, whole = clock.monotonic(), set()
        seen = {each.token: seen.get(each.token, (now, None)) for each in found}
        for each in found:
            since, rung_at = seen[each.token]
            if now - since >= settings.settle_seconds and (rung_at is None or now - rung_at >= RING_AGAIN_SECONDS):
                seen[each.token] = (since, now)
                whole.add(each.source)
        for source in sorted(whole):
            yield Notice(source)
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _seen(root: str, path: str, info: dict[str, Any]) -> Waiting | None:
    """Return what is known of a listed object; None for a folder's placeholder, or what calls itself unfinished."""
    parts = path.removeprefix(root).lstrip("/").split("/")
    *folders, name = parts
    is_left_alone = any(part.startswith(".") for part in (*folders[:2], name)) or name.endswith(
        landing.TEMPORARY_SUFFIXES
    )
    if not name or is_left_alone or info.get("type") == "directory":
        return None
    agency, source, *_ = [*map(_as_folder, folders), landing.NO_FOLDER, landing.NO_FOLDER]
    tag = next((str(info[key]) for key in _TAGS if info.get(key)), "")
    changed_at = next((_second(info[key]) for key in _CHANGES if info.get(key)), "")
    short = os.fsencode(name.replace("\0", "_"))[-MOST_NAME_BYTES:].decode("utf-8", "replace")
    return Waiting(agency, source, path, short, int(info.get("size") or 0), tag, changed_at)


def _arrival(each: Waiting) -> tuple[str, str]:
    return each.changed_at, each.path


def _second(at: Any) -> str:
    """A list tells thousandths of a second, a question about one object does not."""
    return at.astimezone(UTC).isoformat(timespec="seconds") if isinstance(at, datetime) else str(at)


def _as_folder(part: str) -> str:
    return part if part and len(os.fsencode(part)) <= MOST_NAME_BYTES and "\0" not in part else landing.NO_FOLDER
