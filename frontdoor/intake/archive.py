"""The archive: every file's bytes as received, kept once under the name of their SHA-256.

A file is there wholly or not at all: it is written under a temporary name, forced to disk, renamed, and its folder
forced to disk. Bytes that the archive already holds are recognised by comparing them, which is several times faster
than hashing them again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Stored:
    """Bytes that the archive holds: their hash, how many they are, and the last change of the file they came from."""

    sha256: str
    size_bytes: int
    mtime_ns: int


def path_of(archive: Path, sha256: str) -> Path:
    """Return where the bytes of that hash are kept."""
    return archive / sha256[:2] / sha256


def store(file: int, archive: Path, token: str, candidates: Iterable[str] = ()) -> Stored:
    """Keep what the open file (a descriptor) holds and return its hash.

    `token` names the unfinished copy, so that a second attempt writes over the first. `candidates`: hashes of archived
    files that may well be the same.
    """
    status = os.fstat(file)
    for sha256 in candidates:
        if _holds_the_same(file, path_of(archive, sha256)):
            return Stored(sha256, status.st_size, status.st_mtime_ns)
    archive.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = archive / f".{token}"
    copy = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        sha256, size = _copy(file, copy)
        os.fsync(copy)
    finally:
        os.close(copy)
    place = path_of(archive, sha256)
    if not place.parent.exists():
        place.parent.mkdir(mode=0o700, exist_ok=True)
        sync_folder(archive)
    os.replace(unfinished, place)
    sync_folder(place.parent)
    return Stored(sha256, size, status.st_mtime_ns)


def holds(file: int, archive: Path, sha256: str) -> bool:
    """Tell whether the open file (a descriptor) holds exactly the archived bytes of that hash."""
    return _holds_the_same(file, path_of(archive, sha256))


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(source: int, target: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    os.lseek(source, 0, os.SEEK_SET)
    # Hashing a block and writing it run side by side: hashlib lets go of the interpreter.
    with ThreadPoolExecutor(1) as beside:
        while block := os.read(source, BLOCK_BYTES):
            hashed = beside.submit(digest.update, block)
            view = memoryview(block)
            while view:
                view = view[os.write(target, view) :]
            hashed.result()
            size += len(block)
    return digest.hexdigest(), size


def _holds_the_same(file: int, place: Path) -> bool:
    try:
        kept = os.open(place, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        if os.fstat(kept).st_size != os.fstat(file).st_size:
            return False
        os.lseek(file, 0, os.SEEK_SET)
        one, other = bytearray(BLOCK_BYTES), bytearray(BLOCK_BYTES)
        while True:
            filled = _fill(file, one)
            if filled != _fill(kept, other):
                return False
            if filled < BLOCK_BYTES:
                return one[:filled] == other[:filled]
            # Whole buffers: comparing views of them goes byte by byte and is ten times slower.
            if one != other:
                return False
    finally:
        os.close(kept)


def _fill(file: int, buffer: bytearray) -> int:
    view, filled = memoryview(buffer), 0
    while filled < len(buffer) and (got := os.readv(file, [view[filled:]])):
        filled += got
    return filled
