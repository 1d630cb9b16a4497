"""The files in landing/.taken: moved there to be read, looked at again, and only then deleted.

A taken file stands in ``.taken/<agency>/<source>/<token>/<its name>``. Its token says whether the ledger knows it. It
is deleted when it is still what was read and nobody has it open for writing; changed, it gets a new token and is a new
file.
"""

from __future__ import annotations

import errno
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from frontdoor.intake import archive, landing

log = logging.getLogger(__name__)

UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Taken:
    """A file in .taken: the folders it came from, and where it is now."""

    agency: str
    source: str
    token: str
    path: Path


def move(zone: Path, landed: landing.Landed) -> Taken:
    """Rename a file out of its landing folder, under a token of its own (copy it, if the folder is mounted).

    One that may not be read stays where its sender put it, and is taken when its rights are mended: in .taken only we
    would look for it. Raises `OSError`.
    """
    os.close(os.open(landed.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
    token = uuid.uuid4().hex
    folder = zone / landing.TAKEN / landed.agency / landed.source / token
    folder.mkdir(mode=0o700, parents=True)
    try:
        os.rename(landed.path, folder / landed.path.name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            folder.rmdir()
            raise
        _move_across(landed.path, folder)
    if landed.arrived_ns:
        # The move is younger than the landing, from which whoever waits for it counts.
        os.utime(folder, ns=(landed.arrived_ns, landed.arrived_ns))
    return Taken(landed.agency, landed.source, token, folder / landed.path.name)


def clear(zone: Path, taken: Taken, file: int, stored: archive.Stored) -> Taken | None:
    """Delete a taken file that the ledger knows; return it as a new one if it is no longer what was read."""
    if _changed(os.fstat(file), stored):
        return _renew(zone, taken) if not landing.has_writer(taken.path) else None
    if landing.has_writer(taken.path):
        return None  # somebody may still write: the next run looks again
    taken.path.unlink()
    taken.path.parent.rmdir()
    if _changed(os.fstat(file), stored):
        return _rescue(zone, taken, file)
    return None


def _changed(status: os.stat_result, stored: archive.Stored) -> bool:
    return (status.st_size, status.st_mtime_ns) != (stored.size_bytes, stored.mtime_ns)


def _renew(zone: Path, taken: Taken) -> Taken:
    """Give a taken file a new token: it is another file now."""
    renewed = move(zone, landing.Landed(taken.agency, taken.source, taken.path, 0, is_file=True))
    taken.path.parent.rmdir()
    return renewed


def _rescue(zone: Path, taken: Taken, file: int) -> Taken:
    """Write out again, as a new file, what was written into a file at the moment of its deletion."""
    token = uuid.uuid4().hex
    folder = zone / landing.TAKEN / taken.agency / taken.source / token
    folder.mkdir(mode=0o700, parents=True)
    _write_out(file, folder, taken.path.name)
    return Taken(taken.agency, taken.source, token, folder / taken.path.name)


def _move_across(path: Path, folder: Path) -> None:
    """Move a file between file systems. A crash before its deletion takes the same bytes twice, and so as a repeat."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        before = os.fstat(file)
        _write_out(file, folder, path.name)
        after = os.fstat(file)
        # One that was written to meanwhile stays, and is taken again.
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            path.unlink()
    finally:
        os.close(file)


def _write_out(file: int, folder: Path, name: str) -> None:
    os.lseek(file, 0, os.SEEK_SET)
    with (folder / UNFINISHED).open("wb") as copy:
        while block := os.read(file, archive.BLOCK_BYTES):
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    os.rename(folder / UNFINISHED, folder / name)


def recover(zone: Path, agency: str, source: str, known: Callable[[str], archive.Stored | None]) -> Iterator[Taken]:
    """Yield what a crash (or a patient writer) left in .taken and is not in the ledger as it is; clear the rest.

    `known`: from a token to what the ledger says was read (its time of change does not matter), or None.
    """
    for taken in _in_taken(zone, agency, source):
        was_read = known(taken.token)
        if was_read is None:
            yield taken
        elif not landing.has_writer(taken.path):
            try:
                if renewed := _clear_if_same(zone, taken, was_read):
                    yield renewed
            except OSError as error:
                log.error("file %s waits in the landing zone: %s", taken.token, without_names(error))


def _clear_if_same(zone: Path, taken: Taken, was_read: archive.Stored) -> Taken | None:
    file = os.open(taken.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(file)
        is_same = status.st_size == was_read.size_bytes and archive.sha256_of(file) == was_read.sha256
        now = replace(was_read, size_bytes=status.st_size if is_same else -1, mtime_ns=status.st_mtime_ns)
        return clear(zone, taken, file, now)
    finally:
        os.close(file)


def standing(zone: Path) -> Iterator[tuple[Taken, float]]:
    """Yield each file in .taken with when it landed (seconds since 1970), and each folder that may not be listed.

    Nothing is touched: a token whose folder is empty may be another process's, about to get its file.
    """
    return _standing(zone / landing.TAKEN, ())


def _standing(folder: Path, within: tuple[str, ...]) -> Iterator[tuple[Taken, float]]:
    since = 0.0
    try:
        since = folder.stat().st_mtime
        inside = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        agency, source, token = (*within, *(landing.NO_FOLDER,) * 3)[:3]
        yield Taken(agency, source, token, folder), since
        return
    for path in inside:
        if len(within) < len(("agency", "source", "token")):
            yield from _standing(path, (*within, path.name))
        elif path.name != UNFINISHED:
            agency, source, token = within
            yield Taken(agency, source, token, path), since


def _in_taken(zone: Path, agency: str, source: str) -> list[Taken]:
    found = []
    for folder in _folders(zone / landing.TAKEN / agency / source):
        try:
            names = [path for path in folder.iterdir() if path.name != UNFINISHED]
            if names:
                found.append((names[0].lstat().st_ctime_ns, Taken(agency, source, folder.name, names[0])))
            else:
                _remove_empty(folder)
        except OSError as error:  # made by another user: it holds none of ours
            log.error("file %s waits in the landing zone: %s", folder.name, without_names(error))
    return [taken for _, taken in sorted(found, key=lambda each: each[0])]


def left_behind(zone: Path, agency: str | None, source: str | None) -> set[tuple[str, str]]:
    """Return the (agency, source) of which something is in .taken."""
    return {
        (outer.name, inner.name)
        for outer in _folders(zone / landing.TAKEN)
        if agency in (None, outer.name)
        for inner in _folders(outer)
        if source in (None, inner.name) and any(_folders(inner))
    }


def _folders(path: Path) -> list[Path]:
    try:
        return [each for each in path.iterdir() if each.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        log.error("a folder of taken files cannot be listed: %s", without_names(error))
        return []


def _remove_empty(folder: Path) -> None:
    """Remove what a crash left of a token: a folder that never got its file, or a copy that was not finished."""
    (folder / UNFINISHED).unlink(missing_ok=True)
    folder.rmdir()


def without_names(error: OSError) -> str:
    """Return what may be said of an error of the file system, whose text carries file names."""
    return f"{type(error).__name__}: {os.strerror(error.errno)}" if error.errno else type(error).__name__
