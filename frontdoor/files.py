"""Write a file so that it is there wholly or not at all, whoever else writes it at the same moment.

Containers share volumes, and the first process of each has the id 1: what is not finished yet has a name that nobody
else thinks of, and begins with a dot.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path


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
