"""Take files out of the landing zone: move, archive, write down, look again, delete; one by one, each committed.

The order makes every crash harmless. A file is renamed to ``.taken/<agency>/<source>/<token>/<its name>``; its bytes go
to the archive; ledger rows with the token are committed; then the taken file is looked at again and deleted. Whatever a
crash leaves in ``.taken`` tells by its token how far it came: one that the ledger knows only needs deleting, any other
is taken now. A file that changed after it was read is not deleted but becomes a new file, with a token of its own.

No name of a file or an unknown folder leaves this module except into the column ``intake.files.file_name``.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database
from frontdoor.contract import House
from frontdoor.intake import archive, duplicate, landing, ledger, members
from frontdoor.intake.readers import probe
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# How many archived files of the same sender and size are compared before hashing.
CANDIDATES = 3


@dataclass(frozen=True)
class _Taken:
    """A file in .taken: the folders it came from, and where it is now."""

    agency: str
    source: str
    token: str
    path: Path


def take(
    connection: Connection,
    settings: Settings,
    house: House,
    *,
    agency: str | None = None,
    source: str | None = None,
    moved: Collection[tuple[int, int]] = (),
) -> int:
    """Take what is whole (of one agency, one source, or everything) and return how many files were written down.

    `moved`: (inode, st_ctime_ns) of files seen to be renamed into place. A file that cannot be taken now (rights, a
    full disk) stays where it is and does not hold the others.
    """
    zone, count = settings.landing, 0
    while True:
        found = landing.whole(zone, settings.settle_seconds, agency=agency, source=source, moved=moved)
        lanes = {(each.agency, each.source) for each in found} | _left_behind(zone, agency, source)
        taken = sum(_take_lane(connection, settings, house, *lane, moved) for lane in sorted(lanes))
        count += taken
        if not taken:
            return count


def _take_lane(
    connection: Connection,
    settings: Settings,
    house: House,
    agency: str,
    source: str,
    moved: Collection[tuple[int, int]],
) -> int:
    zone, count = settings.landing, 0
    with database.advisory_lock(connection, "take", _printable(agency), _printable(source), wait=True):
        # Listed again under the lock: another process may have taken them while we waited.
        for taken in _recover(connection, settings, agency, source):
            count += _attempt(connection, settings, house, taken)
        for landed in _of_lane(zone, settings, agency, source, moved):
            try:
                if landed.is_file:
                    count += _attempt(connection, settings, house, _move(zone, landed))
                else:
                    count += _set_aside(connection, zone, landed)
            except FileNotFoundError:
                continue  # the sender took it back
            except OSError as error:
                log.error("a file in the landing zone was not taken: %s", _without_names(error))
    return count


def _of_lane(
    zone: Path, settings: Settings, agency: str, source: str, moved: Collection[tuple[int, int]]
) -> list[landing.Landed]:
    if landing.NO_FOLDER in (agency, source):
        everything = landing.whole(zone, settings.settle_seconds, moved=moved)
        return [each for each in everything if (each.agency, each.source) == (agency, source)]
    return landing.whole(zone, settings.settle_seconds, agency=agency, source=source, moved=moved)


def _move(zone: Path, landed: landing.Landed) -> _Taken:
    token = uuid.uuid4().hex
    folder = zone / landing.TAKEN / landed.agency / landed.source / token
    folder.mkdir(mode=0o700, parents=True)
    try:
        os.rename(landed.path, folder / landed.path.name)
    except OSError:
        folder.rmdir()
        raise
    return _Taken(landed.agency, landed.source, token, folder / landed.path.name)


def _attempt(connection: Connection, settings: Settings, house: House, taken: _Taken) -> int:
    """Take one file; what the file system refuses is tried again by the next run."""
    count = 0
    try:
        while True:
            count += 1
            file = os.open(taken.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                stored = _write_down(connection, settings, house, taken, file)
                grown = _clear(settings.landing, taken, file, stored)
            finally:
                os.close(file)
            if grown is None:
                return count
            taken = grown
    except OSError as error:
        connection.rollback()
        log.error("file %s waits in the landing zone: %s", taken.token, _without_names(error))
        return count - 1


def _write_down(
    connection: Connection, settings: Settings, house: House, taken: _Taken, file: int
) -> archive.Stored:
    """Archive the bytes and commit what the ledger says of them."""
    received_at = clock.now()
    agency = taken.agency if taken.agency in house.agencies else ledger.UNKNOWN
    is_known = agency != ledger.UNKNOWN and house.accepts(agency, taken.source)
    with connection, connection.cursor() as cursor:
        size = os.fstat(file).st_size
        candidates = _same_size(cursor, agency, taken.source, size) if is_known and size else []
    stored = archive.store(file, settings.archive, taken.token, candidates)
    parts = members.parts_of(house, agency, taken.source, received_at) if is_known else []
    refusal = _refusal(settings, house, taken, stored) if is_known else _stranger(house, taken)
    with connection, connection.cursor() as cursor:
        original = None if refusal else duplicate.original_of(cursor, agency, taken.source, stored.sha256)
        written = ledger.File(
            agency=agency if is_known else ledger.UNKNOWN,
            source=taken.source if is_known else ledger.UNKNOWN,
            name=_name_as_sent(taken, is_known=is_known),
            token=taken.token,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
            received_at=received_at,
            status="dead_letter" if refusal else "duplicate" if original else "received",
            duplicate_of=original,
            reason_code=refusal,
        )
        file_id = ledger.add_file(cursor, written)
        if parts:
            ledger.add_members(cursor, file_id, parts)
        deliveries = [] if original else [ledger.add_delivery(cursor, file_id, written, part) for part in parts]
        if refusal:
            ledger.add_dead_letters(
                cursor,
                file_id,
                deliveries[0] if deliveries else None,
                [ledger.DeadLetter(refusal)],
                owner_role=ledger.OWNER_ROLE if is_known else ledger.ENGINEER_ROLE,
            )
    return stored


def _clear(zone: Path, taken: _Taken, file: int, stored: archive.Stored) -> _Taken | None:
    """Delete a taken file that the ledger knows; return it as a new one if it is no longer what was read."""
    if _changed(os.fstat(file), stored):
        return _renew(zone, taken) if not landing.has_writer(taken.path) else None
    if landing.has_writer(taken.path):
        return None  # somebody may still write: the next run looks again
    taken.path.unlink()
    taken.path.parent.rmdir()
    if _changed(os.fstat(file), stored):
        return _rescue(zone, taken, file)
    return None


def _changed(status: os.stat_result, stored: archive.Stored) -> bool:
    return (status.st_size, status.st_mtime_ns) != (stored.size_bytes, stored.mtime_ns)


def _renew(zone: Path, taken: _Taken) -> _Taken:
    """Give a taken file a new token: it is another file now."""
    renewed = _move(zone, landing.Landed(taken.agency, taken.source, taken.path, 0, is_file=True))
    taken.path.parent.rmdir()
    return renewed


def _rescue(zone: Path, taken: _Taken, file: int) -> _Taken:
    """Write out again, as a new file, what was written into a file at the moment of its deletion."""
    token = uuid.uuid4().hex
    folder = zone / landing.TAKEN / taken.agency / taken.source / token
    folder.mkdir(mode=0o700, parents=True)
    os.lseek(file, 0, os.SEEK_SET)
    with (folder / ".unfinished").open("wb") as copy:
        while block := os.read(file, archive.BLOCK_BYTES):
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    os.rename(folder / ".unfinished", folder / taken.path.name)
    return _Taken(taken.agency, taken.source, token, folder / taken.path.name)


def _recover(connection: Connection, settings: Settings, agency: str, source: str) -> Iterator[_Taken]:
    """Yield what a crash (or a patient writer) left in .taken and is not in the ledger as it is; clear the rest."""
    for taken in _in_taken(settings.landing, agency, source):
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select sha256_received, size_bytes from intake.files where taken_token = %s", (taken.token,)
            )
            row = cursor.fetchone()
        if row is None:
            yield taken
            continue
        if landing.has_writer(taken.path):
            continue
        try:
            file = os.open(taken.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                size, changed_ns = os.fstat(file).st_size, os.fstat(file).st_mtime_ns
                is_same = size == row[1] and archive.holds(file, settings.archive, row[0])
                stored = archive.Stored(row[0], row[1] if is_same else -1, changed_ns)
                if renewed := _clear(settings.landing, taken, file, stored):
                    yield renewed
            finally:
                os.close(file)
        except OSError as error:
            log.error("file %s waits in the landing zone: %s", taken.token, _without_names(error))


def _in_taken(zone: Path, agency: str, source: str) -> list[_Taken]:
    found = []
    for folder in _folders(zone / landing.TAKEN / agency / source):
        names = [path for path in folder.iterdir() if path.name != ".unfinished"]
        if names:
            found.append((names[0].lstat().st_ctime_ns, _Taken(agency, source, folder.name, names[0])))
        else:
            _remove_empty(folder)
    return [taken for _, taken in sorted(found, key=lambda each: each[0])]


def _left_behind(zone: Path, agency: str | None, source: str | None) -> set[tuple[str, str]]:
    return {
        (outer.name, inner.name)
        for outer in _folders(zone / landing.TAKEN)
        if agency in (None, outer.name)
        for inner in _folders(outer)
        if source in (None, inner.name) and any(_folders(inner))
    }


def _folders(path: Path) -> list[Path]:
    try:
        return [each for each in path.iterdir() if each.is_dir()]
    except FileNotFoundError:
        return []


def _remove_empty(folder: Path) -> None:
    """Remove what a crash left of a token: a folder that never got its file, or a copy that was not finished."""
    (folder / ".unfinished").unlink(missing_ok=True)
    folder.rmdir()


def _set_aside(connection: Connection, zone: Path, landed: landing.Landed) -> int:
    """Put a link or special file on the list of dead letters, and then move it out of the way, unopened."""
    token = uuid.uuid4().hex
    folder = zone / landing.SET_ASIDE / token
    taken = _Taken(landed.agency, landed.source, token, folder / landed.path.name)
    with connection, connection.cursor() as cursor:
        file = ledger.File(
            agency=ledger.UNKNOWN,
            source=ledger.UNKNOWN,
            name=_name_as_sent(taken, is_known=False),
            token=token,
            sha256="",
            size_bytes=0,
            received_at=clock.now(),
            status="dead_letter",
            reason_code="not_a_file",
        )
        file_id = ledger.add_file(cursor, file)
        ledger.add_dead_letters(
            cursor, file_id, None, [ledger.DeadLetter("not_a_file")], owner_role=ledger.ENGINEER_ROLE
        )
    # A crash before this line lists the link twice; the other order could lose it.
    folder.mkdir(mode=0o700, parents=True)
    os.rename(landed.path, taken.path)
    return 1


def _refusal(settings: Settings, house: House, taken: _Taken, stored: archive.Stored) -> str | None:
    form = house.layouts[taken.source].format if taken.source in house.layouts else None
    return probe.refusal(archive.path_of(settings.archive, stored.sha256), form)


def _stranger(house: House, taken: _Taken) -> str:
    if landing.NO_FOLDER in (taken.agency, taken.source):
        return "misplaced"
    return "unknown_feed" if taken.agency in house.agencies else "unknown_agency"


def _name_as_sent(taken: _Taken, *, is_known: bool) -> str:
    folders = [] if is_known else [each for each in (taken.agency, taken.source) if each != landing.NO_FOLDER]
    return _printable("/".join([*folders, taken.path.name]))


def _printable(name: str) -> str:
    """A file system's name need not be text; ours must be."""
    return os.fsencode(name).decode("utf-8", "replace")


def _same_size(cursor: Cursor, agency: str, source: str, size: int) -> list[str]:
    cursor.execute(
        """
        select sha256_stored from intake.files
        where agency_code = %s and source = %s and size_bytes = %s and status <> 'dead_letter'
        group by sha256_stored order by max(file_id) desc limit %s
        """,
        (agency, source, size, CANDIDATES),
    )
    return [sha256 for (sha256,) in cursor]


def _without_names(error: OSError) -> str:
    return f"{type(error).__name__}: {os.strerror(error.errno)}" if error.errno else type(error).__name__
