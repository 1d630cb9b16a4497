"""Logs of the platform's processes, kept small and not for ever."""

import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from frontdoor import clock, logbook
from frontdoor.settings import Settings

LARGEST_BYTES = 20 * 1024 * 1024
KEPT_DAYS = 14


def open_log(home: Path, name: str) -> IO[bytes]:
    """HOME/log/<name>.log for appending; the caller closes it."""
    folder = home / "log"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return (folder / f"{name}.log").open("ab")


def write_line(settings: Settings, sentence: str) -> None:
    """Add a line with the time to the supervisor's log."""
    text = f"{clock.now().isoformat(timespec='seconds')} {sentence}"
    if settings.log_format == logbook.JSON:
        text = logbook.line(clock.now(), "info", "frontdoor.platform.supervisor", sentence)
    with open_log(settings.home, "supervisor") as stream:
        stream.write(f"{text}\n".encode())


def tidy(folder: Path) -> int:
    """Halve logs that grew too large, drop those that nobody wrote to for two weeks; return how many were dropped."""
    dropped = 0
    # Ages of files are the machine's time, also where our own time is pinned.
    oldest = time.time() - KEPT_DAYS * 86400  # noqa: TID251
    for path in folder.rglob("*.log"):
        with suppress(OSError):
            found = path.stat()
            if path.parent != folder and found.st_mtime < oldest:
                path.unlink()
                dropped += 1
            elif found.st_size > LARGEST_BYTES:
                _keep_the_end(path)
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.rmdir()  # refuses while there is anything in it
    return dropped


def _keep_the_end(path: Path) -> None:
    # In place: the process that writes it has it open for appending and would go on writing a renamed file.
    with path.open("r+b") as stream:
        stream.seek(-LARGEST_BYTES // 2, 2)
        kept = stream.read()
        stream.seek(0)
        stream.truncate()
        stream.write(kept[kept.find(b"\n") + 1 :])
