"""Write a file so that it is there wholly or not at all, whoever else writes it at the same moment; remove a folder so.

Containers share volumes, and the first process of each has the id 1: what is not finished yet has a name that nobody
else thinks of, and begins with a dot.
"""

import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

REMOVED_WITHIN_SECONDS = 5.0


def write_whole(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Put a file with this content and these rights in place of whatever is there; on disk when this returns."""
    unfinished = _written(path, content, mode)
    try:
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_first(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """The same where there is no such file: of several that make it at once the first has, and all read its content."""
    if path.exists():
        return
    unfinished = _written(path, content, mode)
    try:
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force to disk what was renamed in a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_folder(folder: Path) -> bool:
    """Delete a folder with all that is in it; False where something still stands there after a while.

    A program that was killed may leave children that write into it for a moment longer, and a folder that is no longer
    empty is not deleted.
    """
    deadline = time.monotonic() + REMOVED_WITHIN_SECONDS
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        if time.monotonic() > deadline:
            return not folder.exists()
        time.sleep(0.02)
    return True


def _written(path: Path, content: str | bytes, mode: int) -> Path:
    """A finished file beside `path`, never readable by more people than it is to be; its folder is made if need be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return unfinished
