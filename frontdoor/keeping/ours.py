"""Whether copies may be written into a place, and things cleared there: apart from what is copied, and ours.

What no manifest names is cleared from a place. So one that lay over the archive would lose it, and one that holds
somebody's files would lose theirs. Into a place that is empty goes our mark first; one without it, and without a
manifest of ours from before there was a mark, is left as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from frontdoor.intake import volumes
from frontdoor.keeping import place as places
from frontdoor.keeping.place import Place
from frontdoor.keeping.spoken import PLACE, spoken
from frontdoor.keeping.tools import KeepingError, WrongPlace
from frontdoor.settings import Settings

MARK = "PLACE"
SENTENCE = b"Copies that frontdoor made lie here. It clears away what they do not name: keep nothing else here.\n"
# What a home is made of, besides what settings may put elsewhere.
OF_HOME = ("secrets", "run", "log", "erasures", "postgres", "airflow", "dbt")
# What a new file system begins with.
OF_THE_DISK = {"lost+found"}


def refuse_what_is_copied(settings: Settings, text: str) -> None:
    """Raise `WrongPlace` where the place lies in what is copied, is it, or has it within."""
    places.at(settings, text)
    if not places.is_folder(text):
        for what, url in (("the archive", settings.archive_url), ("the landing zone", settings.landing_url)):
            if url is not None and _overlap(_steps(text), _steps(url)):
                raise _wrong(what)
        return
    folder = places.folder_of(text).resolve()
    home = settings.home.resolve()
    if folder == home or folder in home.parents:
        raise _wrong("the home")
    for what, other in _of_the_platform(settings):
        if _overlap(folder.parts, other.resolve().parts):
            raise _wrong(what)


def claim(settings: Settings, text: str) -> Place:
    """Return the place, marked as ours. Raises `WrongPlace` where it holds what is not ours, `KeepingError`."""
    place = places.at(settings, text)
    if place.manifests.head(MARK, 1) is not None:
        return place
    if not place.readable()[0]:
        with spoken(PLACE, "read"):
            is_empty = _is_empty_folder(places.folder_of(text)) if places.is_folder(text) else _is_empty_store(text)
        if not is_empty:
            raise WrongPlace(
                "the backup's place is not empty, and holds no backup that was made by us, so nothing was written or"
                " cleared there: name an empty place, or one that only backups of this platform lie in"
            )
    places.put(place.manifests, MARK, [SENTENCE])
    return place


def is_on_a_disk_of_what_is_copied(settings: Settings, text: str) -> bool:
    """Tell whether one disk that dies takes both: the copies, and home or archive."""
    if not places.is_folder(text):
        return False
    copied = [settings.home] + ([settings.archive] if settings.archive_url is None else [])
    try:
        disk = os.stat(places.folder_of(text)).st_dev
        return any(os.stat(each).st_dev == disk for each in copied if each.exists())
    except OSError as error:
        raise KeepingError(f"{PLACE} cannot be read: {volumes.why(error)}") from None


def _of_the_platform(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "the archive", settings.archive
    yield "the landing zone", settings.landing
    yield "the receipts", settings.receipts
    yield "the folder of mails", settings.mail_dir
    yield "the archive's key", settings.archive_key
    for name in OF_HOME:
        yield f"HOME/{name}", settings.home / name


def _wrong(what: str) -> WrongPlace:
    return WrongPlace(
        f"the backup's place and {what} lie in one another, and what no backup names is cleared from a backup's place:"
        " name a place of its own, on another disk"
    )


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return one[: len(other)] == other[: len(one)]


def _steps(url: str) -> tuple[str, ...]:
    """Return the steps of an address: the kind of its store, bucket or container, and the way in it."""
    scheme, _, way = url.partition("://")
    bucket, *rest = [step for step in way.split("/") if step] or [""]
    # Azure's addresses may name the account behind the container.
    return (volumes.PACKAGES.get(scheme, scheme), bucket.partition("@")[0], *rest)


def _is_empty_folder(folder: Path) -> bool:
    try:
        return all(name in OF_THE_DISK for name in os.listdir(folder))
    except FileNotFoundError:
        return True


def _is_empty_store(url: str) -> bool:
    with volumes.answering():
        system, root = volumes.connect(url)
        system.invalidate_cache()
        try:
            found = system.ls(root, detail=False)
        except FileNotFoundError:
            return True
    return all(path.rstrip("/") == root for path in found)
