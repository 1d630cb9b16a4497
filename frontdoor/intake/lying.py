"""What lies in the landing zone and the ledger does not know: nobody here knows yet of the children in it.

`watch.landed` lists what lies where senders put it. `lying` adds what it does not see: a file outside the folders of
two levels, and one that was moved to .taken and could not be written down (rights, an archive that is away). Whoever
counts what waits counts both, or a file vanishes at the moment at which something is wrong with it.

Folders are named here as they are called, for whoever asks to compare with what was agreed; a file never is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from frontdoor import database
from frontdoor.intake import landing, watch
from frontdoor.intake import taken as taken_files
from frontdoor.settings import Settings


@dataclass(frozen=True)
class Lying:
    """A file that waits, or a folder that may not be listed; `since`: when it landed, in seconds since 1970."""

    agency: str = field(repr=False)
    source: str = field(repr=False)
    path: Path = field(repr=False)
    since: float
    is_taken: bool

    def is_closed(self) -> bool:
        """Tell whether we may not read it."""
        try:
            os.close(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
        except PermissionError:
            return True
        except OSError:
            return False  # gone, or something else is the matter
        return False


def lying(settings: Settings, in_store: Collection[str] = ()) -> list[Lying]:
    """List what waits and `watch.landed` does not see.

    `in_store`: tokens of objects that still lie in a store and are counted there, also when they were brought here.
    """
    zone = settings.landing
    found = [
        each
        for agency, source, entry in landing.entries(zone, None, None)
        if landing.NO_FOLDER in (agency, source) and (each := _landed(agency, source, entry))
    ]
    moved = list(taken_files.standing(zone))
    # Asked only when there is something to ask about: mostly .taken is empty.
    known = _written_down(settings, [taken.token for taken, _ in moved]) if moved else set()
    found += [
        Lying(taken.agency, taken.source, taken.path, since, is_taken=True)
        for taken, since in moved
        if taken.token not in known and taken.token not in in_store
    ]
    return found


def everything(settings: Settings) -> Iterator[Lying]:
    """Yield what waits in folders of ours, wherever it lies there, and each folder that may not be listed."""
    for source, entry in watch.landed(settings.landing):
        agency = Path(entry.path).relative_to(settings.landing).parts[0]
        if landed := _landed(agency, source, entry):
            yield landed
    yield from lying(settings)
    for agency, source, folder in landing.closed_folders(settings.landing):
        yield Lying(agency, source, folder, _since(folder), is_taken=False)


def _landed(agency: str, source: str, entry: os.DirEntry[str]) -> Lying | None:
    try:
        # Since it was renamed in or last written: a sender's own time stamp may be years old.
        since = entry.stat(follow_symlinks=False).st_ctime
    except FileNotFoundError:
        return None  # taken meanwhile
    except OSError:  # a folder whose names may be read and nothing else
        since = _since(Path(entry.path).parent)
    return Lying(agency, source, Path(entry.path), since, is_taken=False)


def _since(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _written_down(settings: Settings, tokens: list[str]) -> set[str]:
    """Return which of these the ledger knows; none where it cannot be asked, for then they may wait."""
    try:
        connection = database.connect(settings, application_name="frontdoor lying")
    except database.DatabaseUnavailable:
        return set()
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("select taken_token from intake.files where taken_token = any(%s)", (tokens,))
        return {token for (token,) in cursor}
