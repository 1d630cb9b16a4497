"""What is measured where files lie: the landing zone, here and in an object store, and the disks.

What cannot be listed raises and is thereby a figure that failed: nothing waiting, and nobody able to see what waits,
must not look the same.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from frontdoor.intake import bucket
from frontdoor.intake.lying import lying
from frontdoor.intake.watch import landed

if TYPE_CHECKING:
    from frontdoor.settings import Settings

Value = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True)
class Place:
    """One look at a place: what each figure says that comes of it, and (name, labels, value) of all or none of them."""

    helps: Mapping[str, str]
    look: Callable[[Settings], list[Value]]


def _landing(settings: Settings) -> list[Value]:
    # In the folder since it was renamed in or last written: a sender's own time stamp may be years old.
    objects = bucket.waiting(settings)
    since = [datetime.fromisoformat(each.changed_at).timestamp() for each in objects]
    for _, entry in landed(settings.landing, must_list=True):
        try:
            since.append(entry.stat(follow_symlinks=False).st_ctime)
        except FileNotFoundError:
            continue  # taken meanwhile
    since += [each.since for each in lying(settings, {each.token for each in objects})]
    oldest = max(0.0, time.time() - min(since)) if since else 0.0  # noqa: TID251
    return [("landing_files", {}, len(since)), ("landing_oldest_seconds", {}, oldest)]


def _disks(settings: Settings) -> list[Value]:
    """Each disk once, under the first of the folders that lie on it: it fills once, and one alert is enough."""
    # The last two are made when something is first kept in them; until then, the disk on which they will be.
    folders = {"home": settings.home, "landing": settings.landing, "receipts": _nearest(settings.receipts)}
    if settings.archive_url is None:
        folders["archive"] = _nearest(settings.archive)
    disks: dict[tuple[int, int], Value] = {}
    for folder, path in folders.items():
        usage = shutil.disk_usage(path)
        disk = (os.stat(path).st_dev, usage.total)  # a folder with a quota of its own is a disk of its own
        disks.setdefault(disk, ("disk_free_ratio", {"folder": folder}, usage.free / usage.total))
    return list(disks.values())


def _nearest(path: Path) -> Path:
    """Return the folder, or the first above it that is there."""
    return path if path.exists() else _nearest(path.parent)


PLACES = (
    Place(
        {
            "landing_files": "Files that lie in the landing zone and nobody has taken.",
            "landing_oldest_seconds": "How long the oldest of them has been lying there.",
        },
        _landing,
    ),
    Place(
        {"disk_free_ratio": "Share that is free of each disk on which home, landing zone, receipts or archive lie."},
        _disks,
    ),
)
