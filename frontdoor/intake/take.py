"""Take files out of the landing zone: move, archive, write down, look again, delete; one by one, each committed.

The order makes every crash harmless. A file is renamed to ``.taken/<agency>/<source>/<token>/<its name>``; its bytes go
to the archive; ledger rows with the token are committed; then the taken file is looked at again and deleted. Whatever a
crash leaves in ``.taken`` tells by its token how far it came: one that the ledger knows only needs deleting, any other
is taken now. A file that changed after it was read is not deleted but becomes a new file, with a token of its own.

No name of a file or an unknown folder leaves this module except into the column ``intake.files.file_name``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Collection
from pathlib import Path

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database, logbook
from frontdoor.contract import House
from frontdoor.intake import archive, bucket, entering, landing, ledger
from frontdoor.intake import taken as taken_files
from frontdoor.intake.taken import Taken
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# How many archived files of the same sender and size are compared before hashing.
CANDIDATES = 3


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
        lanes = {(each.agency, each.source) for each in found} | taken_files.left_behind(zone, agency, source)
        at_rest = bucket.at_rest(settings, agency, source)
        taken = 0
        for lane in sorted(lanes | {(each.agency, each.source) for each in at_rest}):
            try:
                with logbook.about(**_known(house, *lane)):
                    taken += _take_lane(connection, settings, house, *lane, moved, at_rest)
            except Exception as error:  # what one agency sends never holds another's
                _passed_over(connection, error, "the files of a folder wait in the landing zone")
        count += taken
        if not taken:
            return count


def _known(house: House, agency: str, source: str) -> dict[str, str | None]:
    """Agency and feed (or layout) as the log may name them: a folder that nobody agreed may be called anything."""
    return {
        "agency": agency if agency in house.agencies else None,
        "feed": source if source in house.sources() else None,
    }


def _take_lane(
    connection: Connection,
    settings: Settings,
    house: House,
    agency: str,
    source: str,
    moved: Collection[tuple[int, int]],
    at_rest: Collection[bucket.Waiting],
) -> int:
    zone, count = settings.landing, 0
    with database.advisory_lock(connection, "take", entering.printable(agency), entering.printable(source), wait=True):
        # Listed again under the lock: another process may have taken them while we waited.
        def known(token: str) -> archive.Stored | None:
            return _written_down(connection, token)

        for taken in taken_files.recover(zone, agency, source, known):
            count += _attempt(connection, settings, house, taken)
        for taken in bucket.brought(settings, at_rest, agency, source, known) if at_rest else ():
            count += _attempt(connection, settings, house, taken)
        for landed in _of_lane(zone, settings, agency, source, moved):
            try:
                if landed.is_file:
                    count += _attempt(connection, settings, house, taken_files.move(zone, landed))
                else:
                    count += _set_aside(connection, zone, landed)
            except FileNotFoundError:
                continue  # the sender took it back
            except Exception as error:
                _passed_over(connection, error, "a file in the landing zone was not taken")
    return count


def _passed_over(connection: Connection, error: Exception, what: str) -> None:
    """Say why something stays where it is until the next run, and go on; raise only when the database is away."""
    if database.is_away(error):
        raise error
    connection.rollback()
    said = taken_files.without_names(error) if isinstance(error, OSError) else database.safe_error(error)
    log.error("%s: %s", what, said)


def _of_lane(
    zone: Path, settings: Settings, agency: str, source: str, moved: Collection[tuple[int, int]]
) -> list[landing.Landed]:
    if landing.NO_FOLDER in (agency, source):
        everything = landing.whole(zone, settings.settle_seconds, moved=moved)
        return [each for each in everything if (each.agency, each.source) == (agency, source)]
    return landing.whole(zone, settings.settle_seconds, agency=agency, source=source, moved=moved)


def _attempt(connection: Connection, settings: Settings, house: House, taken: Taken) -> int:
    """Take one file; one that cannot be written down is tried again by the next run, and holds no other."""
    count = 0
    try:
        while True:
            count += 1
            file = os.open(taken.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                stored = _write_down(connection, settings, house, taken, file)
                grown = taken_files.clear(settings.landing, taken, file, stored)
            finally:
                os.close(file)
            if grown is None:
                return count
            taken = grown
    except Exception as error:
        _passed_over(connection, error, f"file {taken.token} waits in the landing zone")
        return count - 1


def _write_down(connection: Connection, settings: Settings, house: House, taken: Taken, file: int) -> archive.Stored:
    """Archive the bytes and commit what the ledger says of them."""
    received_at = clock.now()
    is_known = entering.knows(house, taken.agency, taken.source)
    with connection, connection.cursor() as cursor:
        size = os.fstat(file).st_size
        candidates = _same_size(cursor, taken.agency, taken.source, size) if is_known and size else {}
    # For whoever has the archive and no ledger.
    label = {
        "agency": taken.agency if taken.agency in house.agencies else ledger.UNKNOWN,
        "source": entering.printable(taken.source),
        "name": entering.name_as_sent(taken.agency, taken.source, taken.path.name, is_known=is_known),
        "received_at": received_at.isoformat(),
    }
    stored = archive.store(file, settings, taken.token, label, candidates)
    arrival = entering.Arrival(taken.agency, taken.source, taken.path.name, taken.token, received_at)
    entering.enter(connection, settings, house, arrival, stored)
    return stored


def _set_aside(connection: Connection, zone: Path, landed: landing.Landed) -> int:
    """Put a link or special file on the list of dead letters, once, and then move it out of the way, unopened.

    Its token comes from itself: one that cannot be moved (a mounted folder, rights) is met again by every run.
    """
    status = landed.path.lstat()
    itself = f"{status.st_dev} {status.st_ino} {status.st_ctime_ns}"
    token = hashlib.sha256(itself.encode()).hexdigest()[:32]
    folder = zone / landing.SET_ASIDE / token
    taken = Taken(landed.agency, landed.source, token, folder / landed.path.name)
    is_new = _written_down(connection, token) is None
    if is_new:
        _write_down_unopened(connection, taken)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.rename(landed.path, taken.path)
        except OSError:
            folder.rmdir()
            if not stat.S_ISLNK(status.st_mode):
                raise
            landed.path.unlink()  # a link holds nothing, and what it points to is not ours
    except OSError as error:
        _passed_over(connection, error, f"{token} is no file and stays in the landing zone")
    return int(is_new)


def _write_down_unopened(connection: Connection, taken: Taken) -> None:
    with connection, connection.cursor() as cursor:
        file = ledger.File(
            agency=ledger.UNKNOWN,
            source=ledger.UNKNOWN,
            name=entering.name_as_sent(taken.agency, taken.source, taken.path.name, is_known=False),
            token=taken.token,
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


def _written_down(connection: Connection, token: str) -> archive.Stored | None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(stored_name, ''), sha256_received, size_bytes from intake.files where taken_token = %s",
            (token,),
        )
        row = cursor.fetchone()
    return archive.Stored(*row) if row else None


def _same_size(cursor: Cursor, agency: str, source: str, size: int) -> dict[str, str]:
    """Return name -> hash of what the archive holds from this sender that is as long, and is as it was sent."""
    cursor.execute(
        """
        select stored_name, sha256_received from intake.files
        where
            agency_code = %s and source = %s and size_bytes = %s and status <> 'dead_letter'
            and sha256_stored = sha256_received and stored_name is not null
        group by stored_name, sha256_received order by max(file_id) desc limit %s
        """,
        (agency, source, size, CANDIDATES),
    )
    return dict(cursor.fetchall())
