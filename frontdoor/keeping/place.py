"""Where copies lie: a folder or a place in an object store, that belongs to one platform.

    manifests/      one document for each copy, written when everything else is there
    database/       the sealed parts of each copy's dump
    archive/        archived files, each once however many copies name it

An archived file stands there under its name and the beginning of its salt: one whose bytes were replaced in the archive
(somebody was erased from it, another key sealed it) is another file here, and goes when no copy names it any more.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from frontdoor.intake import sealing, volumes
from frontdoor.intake.volumes import Volume
from frontdoor.keeping.manifest import Manifest, read
from frontdoor.keeping.tools import KeepingError
from frontdoor.settings import LOCAL, Settings

BLOCK_BYTES = 2**20
SALT = slice(16, 24)
PLAIN = "plain"


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
            return read(b"".join(blocks_of(file)))
        finally:
            os.close(file)

    def backups(self) -> list[str]:
        """Return the ids of all copies, the oldest first."""
        return sorted(self.manifests.names())

    def newest(self) -> str:
        """Return the id of the newest copy. Raises `KeepingError`."""
        if not (found := self.backups()):
            raise KeepingError("there is no backup here: one that was interrupted is none")
        return found[-1]


def at(settings: Settings, text: str) -> Place:
    """Return the place of that name: a folder, or an address of an object store."""
    if "://" in text and not text.startswith(LOCAL):
        passing, url = settings.home / "run" / "passing", text.rstrip("/")
        parts: list[Volume] = [volumes.Store(f"{url}/{part}", passing) for part in ("manifests", "database", "archive")]
    else:
        root = Path(text.removeprefix(LOCAL)).expanduser().absolute()
        parts = [volumes.Folder(root / part) for part in ("manifests", "database", "archive")]
    return Place(*parts)


def called(name: str, head: bytes) -> str:
    """Return what an archived file that begins so is called here."""
    return f"{name}.{PLAIN if sealing.key_id_of(head) is None else head[SALT].hex()}"


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
