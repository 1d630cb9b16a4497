"""Which files in the landing zone are whole, and what else lies there.

A file is whole when the landing watch saw it renamed into place; or when nobody has it open for writing, and it was
renamed or has stood still for the settle time. Renaming shows in the inode: the time of its last change (ctime) is
later than that of its last write (mtime). Standing still is told by the clock of the file system, which is not always
ours. A mistake costs little: a taken file is looked at again before it is deleted, and one that grew is a new file.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

TAKEN = ".taken"
SET_ASIDE = ".set_aside"
TEMPORARY_SUFFIXES = (".part", ".tmp")
# What stands in the root of a disk that is mounted here, and only root may list.
OF_THE_DISK = "lost+found"
# Stands for a folder that is not there, in the path of a taken file.
NO_FOLDER = "-"
# A file that somebody holds open for writing, and does not write to for so long, is taken nevertheless.
FORGOTTEN_SECONDS = 60.0


@dataclass(frozen=True)
class Landed:
    """Something whole in the landing zone, with the names of its folders (`NO_FOLDER` where it lies outside)."""

    agency: str
    source: str
    path: Path
    arrived_ns: int
    is_file: bool


def whole(
    landing: Path,
    settle_seconds: float,
    *,
    agency: str | None = None,
    source: str | None = None,
    moved: Collection[tuple[int, int]] = (),
) -> list[Landed]:
    """List what is whole, in order of arrival: of one agency, one source, or everything.

    `moved`: (inode, st_ctime_ns) of files that were seen to be renamed into place. Files outside the folders of two
    levels are listed only when no source is named.
    """
    found: list[Landed] = []
    now_ns: int | None = None
    for of_agency, of_source, entry in entries(landing, agency, source):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # gone, or in a folder whose names may be read and nothing else
        is_file = stat.S_ISREG(status.st_mode)
        if is_file and (status.st_ino, status.st_ctime_ns) not in moved:
            now_ns = now_ns or file_system_now_ns(landing)
            if not _is_at_rest(Path(entry.path), status, (now_ns - status.st_ctime_ns) / 1e9, settle_seconds):
                continue
        found.append(Landed(of_agency, of_source, Path(entry.path), status.st_ctime_ns, is_file))
    return sorted(found, key=lambda each: (each.arrived_ns, each.path.name))


def file_system_now_ns(landing: Path) -> int:
    """Return what time it is for the file system of the landing zone, in nanoseconds; a full disk can tell it, too."""
    folder = landing / TAKEN
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(folder)
    return folder.stat().st_ctime_ns


def has_writer(path: Path) -> bool:
    """Tell whether somebody has the file open for writing; False where the system cannot say."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # A read lease is refused while there is a writer. Should one come while we hold it, the kernel would signal;
        # the default signal ends a process, this one is ignored.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return False
    finally:
        os.close(handle)
    return False


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether something that was listed is a folder; False where that cannot be found out."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_at_rest(path: Path, status: os.stat_result, still_seconds: float, settle_seconds: float) -> bool:
    # Rights set on a file that is still empty look like a rename; such a one waits. And ctime cannot be set from
    # outside, mtime can: a copy that keeps times is not mistaken for an old file.
    was_renamed = status.st_ctime_ns > status.st_mtime_ns and status.st_size > 0
    if not was_renamed and still_seconds < settle_seconds:
        return False
    return still_seconds >= max(FORGOTTEN_SECONDS, settle_seconds) or not has_writer(path)


def entries(landing: Path, agency: str | None, source: str | None) -> Iterator[tuple[str, str, os.DirEntry[str]]]:
    """Yield (agency, source, entry) of what is no folder, whole or not, except what calls itself unfinished.

    What lies deeper, in folders that a sender made for a month or a team, belongs to the two that it lies in.
    """
    for outer in _visible(landing):
        if not is_folder(outer):
            if agency is None and source is None:
                yield NO_FOLDER, NO_FOLDER, outer
            continue
        if agency not in (None, outer.name):
            continue
        for inner in _visible(outer.path):
            if not is_folder(inner):
                if source is None:
                    yield outer.name, NO_FOLDER, inner
                continue
            if source in (None, inner.name):
                for entry in _below(inner.path):
                    yield outer.name, inner.name, entry


def _below(folder: str) -> Iterator[os.DirEntry[str]]:
    for entry in _visible(folder):
        if not is_folder(entry):
            yield entry
        elif entry.name != OF_THE_DISK:
            yield from _below(entry.path)


def closed_folders(landing: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield (agency, source, folder) of each folder that may not be listed, so that nobody knows what waits in it."""
    refused: list[OSError] = []
    for _, folders, _ in os.walk(landing, onerror=refused.append):
        folders[:] = [name for name in folders if not name.startswith(".") and name != OF_THE_DISK]
    for error in refused:
        if isinstance(error, PermissionError):
            folder = Path(str(error.filename))
            agency, source, *_ = (*folder.relative_to(landing).parts, NO_FOLDER, NO_FOLDER)
            yield agency, source, folder


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if not e.name.startswith(".") and not e.name.endswith(TEMPORARY_SUFFIXES)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        # Not ours to read (lost+found), or a share that is away: the other folders are listed nevertheless.
        log.error("a folder of the landing zone cannot be listed: %s", errno.errorcode.get(error.errno or 0, "OSError"))
        return []
