"""The keys of the archive: a file outside it, one key a line; the last one seals, and all of them open.

The file is made when the first thing is archived. A lost key holds nobody: when the file is gone or cannot be read
while the archive already holds something, new files are sealed with a spare key in HOME/secrets, and `frontdoor doctor`
says so. The spare stands in a file of its own, so that putting the lost file back overwrites nothing.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from frontdoor.intake.sealing import SECRET_BYTES, Key
from frontdoor.settings import Settings

log = logging.getLogger(__name__)


def spare_file(settings: Settings) -> Path:
    """Return where the spare key stands, when there is one."""
    return settings.home / "secrets" / "archive_key_spare"


def opening(settings: Settings) -> dict[str, Key]:
    """Return every key that is here, by its id."""
    return {key.key_id: key for path in (settings.archive_key, spare_file(settings)) for key in read(path)}


def sealing(settings: Settings, is_first: Callable[[], bool]) -> Key:
    """Return the key that new files are sealed with. `is_first`: tells whether nothing was archived yet."""
    if keys := read(settings.archive_key):
        return keys[-1]
    if is_first() and not settings.archive_key.exists():
        with suppress(OSError):  # a place that cannot be written to
            make(settings.archive_key)
    # Also what another process made of it in the meantime.
    if keys := read(settings.archive_key):
        return keys[-1]
    spare = spare_file(settings)
    if not read(spare):
        log.error("the key of the archive is not there or cannot be read: files are sealed with the spare key")
        make(spare)
    return read(spare)[-1]


def add(settings: Settings) -> Key:
    """Add a new key to the file, by which files are sealed from now on; the others go on opening theirs."""
    lines = settings.archive_key.read_text(encoding="ascii") if settings.archive_key.exists() else ""
    _write(settings.archive_key, f"{lines}{secrets.token_hex(SECRET_BYTES)}\n", os.replace)
    return read(settings.archive_key)[-1]


def read(path: Path) -> list[Key]:
    """Return the keys in a file; lines that are none (remarks, damage) are passed over, and so is a file not there."""
    try:
        lines = path.read_bytes().decode("ascii", "replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            secret = bytes.fromhex(line.strip())
            if len(secret) == SECRET_BYTES:
                found.append(Key(secret))
    return found


def make(path: Path) -> None:
    """Write a file with one new key, unless another process was quicker."""
    with suppress(FileExistsError):
        _write(path, f"{secrets.token_hex(SECRET_BYTES)}\n", os.link)


def bring(path: Path, keys: Sequence[Key]) -> None:
    """Put keys into a file, before those that are there, so that the last one stays the last."""
    here = read(path)
    if missing := [key for key in keys if key not in here]:
        _write(path, "".join(f"{key.secret.hex()}\n" for key in (*missing, *here)), os.replace)


def _write(path: Path, text: str, into_place: Callable[[Path, Path], object]) -> None:
    """Write a 0600 file that is there wholly or not at all, and is on disk before anything is sealed with it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        into_place(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
