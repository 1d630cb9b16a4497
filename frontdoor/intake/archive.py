"""The archive: every file's bytes as received, encrypted, kept once under a name that says nothing of them.

Everything that reads or changes archived bytes goes through here:

    store     keep the bytes of a taken file, unless the archive holds them already
    opened    open one, to be read as often as wanted, forwards and backwards
    each      name everything that is kept
    keep      keep bytes under a given name (a copy brought back from elsewhere)
    rewrite   replace the bytes of one by others, for whoever must be erased from it
    delete    let go of one

A name is the token under which the file was taken, so a second attempt after a crash writes over the first. A hash
would let anybody who has a file of one child confirm that we hold it. The ledger knows which name is what
(``intake.files.stored_name``), and for whoever has the archive alone a note beside the files does (`intake.journal`).
Files from before it was encrypted have their SHA-256 as a name, and can be read as they are; `frontdoor archive seal`
encrypts them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from frontdoor.intake import archive_keys, journal, papers, sealing, volumes
from frontdoor.intake.sealing import Damaged, KeyMissing
from frontdoor.settings import Settings

__all__ = [
    "Archived",
    "Damaged",
    "KeyMissing",
    "Stored",
    "blocks_of",
    "delete",
    "each",
    "keep",
    "measured",
    "opened",
    "probe",
    "rewrite",
    "sha256_of",
    "store",
]

BLOCK_BYTES = 2**20
PLAIN_NAME_LENGTH = 64


@dataclass(frozen=True)
class Stored:
    """Bytes that the archive holds: under which name, sealed with which key (None: in plain); their hash and length.

    mtime_ns: the last change of the file they came from. replaces: names of archived files that held the same bytes
    and do not open any more.
    """

    name: str
    sha256: str
    size_bytes: int
    mtime_ns: int = 0
    key_id: str | None = None
    replaces: tuple[str, ...] = ()


class Archived:
    """An archived file that is open. What was opened stays what it is, whatever becomes of its name meanwhile."""

    def __init__(self, name: str, file: int, keys: Mapping[str, sealing.Key]) -> None:
        """Of an open descriptor. Raises `Damaged` or `KeyMissing`."""
        self.name, self._file = name, file
        head = os.pread(file, sealing.HEADER.size, 0)
        # A plain file is believed under the name of one only: nobody can put one in the place of a sealed file.
        is_plain = len(name) == PLAIN_NAME_LENGTH and sealing.key_id_of(head) is None
        self._sealed = None if is_plain else sealing.Sealed(file, keys)

    @property
    def key_id(self) -> str | None:
        """The key that it is sealed with; None: it lies there in plain."""
        return self._sealed.key_id if self._sealed else None

    @property
    def size_bytes(self) -> int:
        """The length of what is in it."""
        return self._sealed.size_bytes if self._sealed else os.fstat(self._file).st_size

    @property
    def label(self) -> dict[str, str]:
        """Who sent it and when: agency, source, name (restricted: may name a child), received_at. Empty for plain."""
        return dict(json.loads(self._sealed.label or b"{}")) if self._sealed else {}

    def open(self, mode: str = "rb", buffering: int = -1) -> IO[bytes]:
        """Read the bytes as they were sent, from the beginning; seekable. Signed as `Path.open`, whose place it takes.

        Raises `Damaged` at bytes that are not what was stored; how many there are is proven already.
        """
        del mode, buffering
        return cast(IO[bytes], self._sealed.open() if self._sealed else _Plain(self._file))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Archived) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, Any]:
        """The header of a sealed file is like no other's, so it changes when the bytes do."""
        return self.name, self._sealed.header if self._sealed else os.fstat(self._file).st_ino


@contextmanager
def opened(settings: Settings, name: str) -> Iterator[Archived]:
    """Open an archived file for as long as the block lasts.

    Raises `KeyMissing` (which key), `Damaged` (also where it is gone), another `OSError` when the volume is away.
    """
    volume = volumes.of_archive(settings)
    try:
        file = volume.open(name)
    except FileNotFoundError:
        if next(volume.names(), None) is None:
            raise volumes.VolumeAway("the archive is empty: is its volume mounted?") from None
        raise Damaged("the archive does not hold it") from None
    try:
        yield Archived(name, file, archive_keys.opening(settings))
    finally:
        os.close(file)


def store(
    file: int,
    settings: Settings,
    token: str,
    label: Mapping[str, str] | None = None,
    candidates: Mapping[str, str] | None = None,
) -> Stored:
    """Keep what the open file (a descriptor) holds, under its token, and say what that is.

    `label`: who sent it and when. `candidates`: from the names of archived files that may well be the same (they are as
    long) to their hashes. They are compared, which is quicker than hashing and proves that the archived one is whole.
    """
    status = os.fstat(file)
    volume = volumes.of_archive(settings)
    broken = []
    for name, sha256 in (candidates or {}).items():
        try:
            with opened(settings, name) as kept:
                if _holds_the_same(file, kept):
                    if name != token:
                        volume.delete(token)  # what an attempt before this one may have left
                    return Stored(name, sha256, status.st_size, status.st_mtime_ns, kept.key_id)
        except (Damaged, KeyMissing):
            broken.append(name)
    stored = keep(settings, token, _blocks_of(file), label or {})
    replaces = tuple(name for name in broken if candidates and candidates[name] == stored.sha256)
    return replace(stored, mtime_ns=status.st_mtime_ns, replaces=replaces)


def keep(settings: Settings, name: str, blocks: Iterable[bytes], label: Mapping[str, str]) -> Stored:
    """Seal bytes with the key of today and keep them under a name, over what was there; wholly or not at all."""
    volume = volumes.of_archive(settings)
    key = archive_keys.sealing(settings, lambda: next(volume.names(), None) is None)
    sha256, size = volume.write(name, lambda copy: _seal(blocks, copy, key, label))
    return Stored(name, sha256, size, key_id=key.key_id)


def rewrite(settings: Settings, name: str, change: Callable[[IO[bytes]], Iterable[bytes]]) -> Stored:
    """Replace the bytes of an archived file by what `change` yields when it reads them; name and label stay.

    Sealed with the key of today. It happens wholly or not at all; whoever has the file open goes on reading the old
    bytes. Nothing of them is left in the volume (that a disk or an object store with versions forgets them is theirs).
    The caller then writes `sha256` and `size_bytes` of what is returned into the ledger, as `sha256_stored` of every
    row of that `stored_name`: where it is not `sha256_received`, the archive no longer holds what was received, and the
    same bytes sent again are archived anew. Not for files in plain, whose name is their hash: seal them first.
    """
    if len(name) == PLAIN_NAME_LENGTH:
        raise ValueError("a file in plain is named by its bytes: seal it first (frontdoor archive seal)")
    with opened(settings, name) as kept, closing(kept.open()) as file:
        return keep(settings, name, change(file), kept.label)


def delete(settings: Settings, name: str) -> bool:
    """Let go of an archived file and its note; False where there is none.

    The ledger rows that name it are the caller's to mark; the notes of other files with the same bytes, to forget.
    """
    journal.forget(settings, name)
    return volumes.of_archive(settings).delete(name)


def each(settings: Settings) -> Iterator[str]:
    """Yield the name of every archived file, in no order; what the ledger does not name was left by a crash."""
    yield from (name for name in volumes.of_archive(settings).names() if not papers.is_one(name))


def _holds_the_same(file: int, kept: Archived) -> bool:
    if kept.size_bytes != os.fstat(file).st_size:
        return False
    one, other, at = bytearray(BLOCK_BYTES), bytearray(BLOCK_BYTES), 0
    with closing(cast(io.RawIOBase, kept.open())) as archived:
        while True:
            filled = os.preadv(file, [one], at)
            if filled != archived.readinto(other):
                return False
            if filled < BLOCK_BYTES:
                return one[:filled] == other[:filled]
            # Whole buffers: comparing views of them goes byte by byte and is ten times slower.
            if one != other:
                return False
            at += filled


def probe(settings: Settings) -> None:
    """Raise an `OSError` that says why, where the volume of the archive does not answer."""
    volumes.of_archive(settings).head("probe", 1)


def sha256_of(file: int) -> str:
    """Return the SHA-256 of what an open file (a descriptor) holds."""
    digest = hashlib.sha256()
    for block in _blocks_of(file):
        digest.update(block)
    return digest.hexdigest()


def measured(kept: Archived) -> tuple[str, int]:
    """Return the SHA-256 and the length of what an archived file holds. Raises `Damaged`."""
    digest = hashlib.sha256()
    with closing(kept.open()) as file:
        for block in blocks_of(file):
            digest.update(block)
    return digest.hexdigest(), kept.size_bytes


def blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left of a file, in blocks; as the `change` of `rewrite` it changes the key alone."""
    while block := file.read(BLOCK_BYTES):
        yield block


def _blocks_of(file: int) -> Iterator[bytes]:
    at = 0
    while block := os.pread(file, BLOCK_BYTES, at):
        at += len(block)
        yield block


def _seal(blocks: Iterable[bytes], target: int, key: sealing.Key, label: Mapping[str, str]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0

    # Hashing a block and sealing and writing it run side by side: hashlib lets go of the interpreter.
    with ThreadPoolExecutor(1) as beside:

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for block in blocks:
                size += len(block)
                done = beside.submit(digest.update, block)
                yield block
                done.result()

        for part in sealing.seal(hashed(), key, json.dumps(dict(label)).encode()):
            volumes.write_all(target, part)
    return digest.hexdigest(), size


class _Plain(io.RawIOBase):
    """The bytes of a plain file, read without moving the descriptor, which others read from, too."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        end = os.fstat(self._file).st_size
        self._at = max({io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: end}[whence] + offset, 0)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        filled = os.preadv(self._file, [buffer], self._at)
        self._at += filled
        return filled
