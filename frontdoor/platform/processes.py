"""Processes that a platform started, known by a mark in their environment and ended by their ids, never by name.

A mark reaches every descendant: a worker that was re-parented, a task in a process group of its own, what a supervisor
killed by `kill -9` left behind. Ids in pid files could be somebody else's by now; a mark cannot.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "FRONTDOOR_PLATFORM_PART"


def mark(home: Path, part: str) -> dict[str, str]:
    """The variables that mark a child as `part` of the platform in `home`.

    Airflow retitles its processes; SPT_NOENV keeps that from overwriting the environment the kernel shows of them.
    """
    return {MARK: f"{part}@{home}", "SPT_NOENV": "1"}


def members(home: Path, parts: Iterable[str] | None = None) -> list[psutil.Process]:
    """The living processes of that platform (of some parts, or all), oldest first, without this one."""
    wanted = None if parts is None else {f"{part}@{home}" for part in parts}
    found = []
    for process in psutil.process_iter():
        try:
            own = process.environ().get(MARK, "")
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if own in wanted if wanted is not None else own.endswith(f"@{home}"):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return sorted(found, key=lambda process: process.create_time())


def end_members(home: Path, parts: Iterable[str] | None = None, *, patience: float = 3.0) -> int:
    """End every process of those parts: asked first, killed after `patience` seconds. Returns how many there were."""
    parts = None if parts is None else list(parts)
    deadline = time.monotonic() + patience
    seen: set[int] = set()
    sign = signal.SIGTERM if patience > 0 else signal.SIGKILL
    while left := members(home, parts):
        if time.monotonic() >= deadline:
            sign = signal.SIGKILL
        for process in left:
            if sign == signal.SIGKILL or process.pid not in seen:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(sign)
            seen.add(process.pid)
        time.sleep(0.05)  # not waited for: a child's exit code belongs to whoever started it
        if time.monotonic() > deadline + 10:  # a process in uninterruptible sleep cannot be ended by anybody
            break
    return len(seen)


def note(run: Path, part: str, pid: int) -> None:
    """Write down which process is that part, and since when, for people and for `status`."""
    with suppress(psutil.NoSuchProcess):
        document = {"pid": pid, "started": psutil.Process(pid).create_time()}
        (run / f"{part}.json").write_text(json.dumps(document) + "\n", encoding="utf-8")


def noted(run: Path, part: str) -> int | None:
    """The id noted for that part, if that very process still lives."""
    try:
        document = json.loads((run / f"{part}.json").read_text(encoding="utf-8"))
        process = psutil.Process(document["pid"])
        lives = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - document["started"]) < 1
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return int(document["pid"]) if lives else None


def forget(run: Path, part: str) -> None:
    """Remove the note of that part."""
    (run / f"{part}.json").unlink(missing_ok=True)
