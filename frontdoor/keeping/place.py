"""Where copies lie: a folder or a place in an object store, that belongs to one platform.

    manifests/      one document for each copy, written when everything else is there; and our mark (`ours`)
    database/       the sealed parts of each copy's dump
    archive/        archived files, each once however many copies name it

An archived file stands there under its name and the beginning of its salt: one whose bytes were replaced in the archive
(somebody was erased from it, another key sealed it) is another file here, and goes when no copy names it any more.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from frontdoor.intake import sealing, volumes
from frontdoor.intake.volumes import Volume
from frontdoor.keeping.manifest import Manifest, Unreadable, read
from frontdoor.keeping.spoken import PLACE, Spoken, read_of
from frontdoor.keeping.tools import KeepingError, WrongPlace
from frontdoor.settings import LOCAL, Settings

BLOCK_BYTES = 2**20
SALT = slice(16, 24)
PLAIN = "plain"
PARTS = ("manifests", "database", "archive")
# Whatever else lies beside manifests was put there by somebody.
ID_OF_A_BACKUP = re.compile(r"\d{8}T\d{12}Z")


@dataclass(frozen=True)
class Place:
    """The three volumes."""

    manifests: Volume
    database: Volume
    archive: Volume

    def manifest_of(self, backup_id: str) -> Manifest:
        """Return a copy's manifest. Raises `KeepingError`."""
        try:
            file = self.manifests.open(backup_id)
        except FileNotFoundError:
            raise KeepingError(f"there is no backup {backup_id} here") from None
        try:
            return read(b"".join(read_of(PLACE, blocks_of(file))))
        finally:
            os.close(file)

    def backups(self) -> list[str]:
        """Return the ids of all copies, the oldest first."""
        return sorted(name for name in self.manifests.names() if ID_OF_A_BACKUP.fullmatch(name))

    def newest(self) -> str:
        """Return the id of the newest copy. Raises `KeepingError`."""
        if not (found := self.backups()):
            raise KeepingError("there is no backup here: one that was interrupted is none")
        return found[-1]

    def chosen(self, backup_id: str | None) -> Manifest:
        """Return the manifest of that copy, or of the newest. Raises `KeepingError`, which names the older ones."""
        chosen = backup_id or self.newest()
        try:
            return self.manifest_of(chosen)
        except KeepingError as error:
            others = ", ".join(each for each in reversed(self.backups()) if each != chosen) or "none"
            raise KeepingError(f"backup {chosen}: {error}; others here, for --backup: {others}") from None

    def readable(self) -> tuple[dict[str, Manifest], list[str]]:
        """Return the manifests of all copies, the oldest first, and the ids of those that cannot be read."""
        manifests, closed = {}, []
        for backup_id in self.backups():
            try:
                manifests[backup_id] = self.manifest_of(backup_id)
            except Unreadable:
                closed.append(backup_id)
        return manifests, closed


def at(settings: Settings, text: str) -> Place:
    """Return the place of that name, to read from: a folder, or an address of an object store. Raises `WrongPlace`."""
    if not text.removeprefix(LOCAL).strip():
        raise WrongPlace("a place for backups has a name: a folder, or an address such as s3://bucket/copies")
    parts: list[Volume]
    if is_folder(text):
        parts = [volumes.Folder(folder_of(text) / part) for part in PARTS]
    else:
        parts = [volumes.Store(f"{text.rstrip('/')}/{part}", settings.home / "run" / "passing") for part in PARTS]
    return Place(*(Spoken(part, PLACE) for part in parts))


def is_folder(text: str) -> bool:
    """Tell whether a place of that name is a folder."""
    return "://" not in text or text.startswith(LOCAL)


def folder_of(text: str) -> Path:
    """Return the folder."""
    return Path(text.removeprefix(LOCAL)).expanduser().absolute()


def called(name: str, head: bytes) -> str:
    """Return what an archived file that begins so is called here."""
    return f"{name}.{PLAIN if sealing.key_id_of(head) is None else head[SALT].hex()}"


def clear(place: Place, keep: int | None) -> tuple[int, list[str]]:
    """Let go of copies beyond those to keep, and of whatever no copy names.

    Return how many copies went, and the ids of those that stay and cannot be read: what they name nobody knows, so no
    archived file goes meanwhile.
    """
    manifests, closed = place.readable()
    staying = list(manifests)[-keep:] if keep else list(manifests)
    going = [each for each in (*manifests, *closed) if keep and staying and each < staying[0]]
    for backup_id in going:
        place.manifests.delete(backup_id)
    closed = [each for each in closed if each not in going]
    named: set[str] = set()
    for backup_id in staying:
        named.update(each.kept_as for each in (*manifests[backup_id].parts, *manifests[backup_id].files))
    for volume in (place.manifests, place.database, place.archive):
        volume.sweep()
    for volume in (place.database, *([] if closed else [place.archive])):
        for name in list(volume.names()):
            if name not in named and not name.startswith(tuple(closed)):
                volume.delete(name)
    return len(going), closed


def put(volume: Volume, name: str, blocks: Iterable[bytes]) -> tuple[str, int]:
    """Keep blocks under a name, wholly or not at all; return their SHA-256 and length."""

    def fill(copy: int) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        for block in blocks:
            digest.update(block)
            size += len(block)
            volumes.write_all(copy, block)
        return digest.hexdigest(), size

    return volume.write(name, fill)


def blocks_of(file: int, told: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
    """Yield what an open file (a descriptor) holds, in blocks; `told` sees each first."""
    offset = 0
    while block := os.pread(file, BLOCK_BYTES, offset):
        if told:
            told(block)
        offset += len(block)
        yield block
