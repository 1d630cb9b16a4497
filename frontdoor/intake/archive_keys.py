"""The keys of the archive: a file outside it, one key a line; the last one seals, and all of them open.

The file is made when the first thing is archived. A lost key holds nobody: when the file is gone or cannot be read
while the archive already holds something, new files are sealed with a spare key in HOME/secrets, and `frontdoor doctor`
says so. The spare stands in a file of its own, so that putting the lost file back overwrites nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from frontdoor.files import write_first, write_whole
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
    write_whole(settings.archive_key, f"{lines}{secrets.token_hex(SECRET_BYTES)}\n")
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
    write_first(path, f"{secrets.token_hex(SECRET_BYTES)}\n")


def bring(path: Path, keys: Sequence[Key]) -> None:
    """Put keys into a file, before those that are there, so that the last one stays the last."""
    here = read(path)
    if missing := [key for key in keys if key not in here]:
        write_whole(path, "".join(f"{key.secret.hex()}\n" for key in (*missing, *here)))
