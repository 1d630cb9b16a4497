"""Erase one child: from the landing tables, the marts, the lists, and the archive. What was counted stays counted.

    plan        which records those are, and why it may not be done yet
    requests    what was asked
    kept        where that stands, so that it outlives database, home and archive, each of them alone
    rows        out of the database
    again       one who was erased and is sent again is on every list, and somebody is told

`erase` writes the request down and does it; `resume` does what was asked and is not done: after a crash, and after a
restore of an older backup (then it is `apply_tombstones`). Every step may be repeated.

The order is such that nothing comes back: the request in two places, tombstones (from then on the record is not judged
again), rows, archive, vacuum. Dead rows are in Postgres' files until the vacuum, in its log (WAL) until that is
recycled, and in backups until their cycle; a backup that is brought back is followed by `apply_tombstones`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database, warehouse
from frontdoor.contract import House
from frontdoor.delivery import counted
from frontdoor.delivery.erasing import kept, requests, rows
from frontdoor.delivery.erasing.again import look_for_returned
from frontdoor.delivery.erasing.kept import KeyLost, Request, Standing, standing
from frontdoor.delivery.erasing.plan import Plan, Refused, Selection, plan_of
from frontdoor.intake import remainder
from frontdoor.prepare import prepare_if_changed
from frontdoor.settings import Settings

__all__ = [
    "KeyLost",
    "Plan",
    "Refused",
    "Request",
    "Selection",
    "Standing",
    "apply_tombstones",
    "complete",
    "erase",
    "look_for_returned",
    "plan_of",
    "resume",
    "standing",
    "unfinished",
]

log = logging.getLogger(__name__)


def erase(
    settings: Settings,
    selection: Selection,
    *,
    reason: str,
    by_role: str,
    handed_to: str | None = None,
    evidence: str | None = None,
) -> tuple[Plan, Request]:
    """Erase what is selected, and build the marts; return what went, and the request. Raises `Refused`.

    What was asked before and is not done is done first.
    """
    resume(settings)
    with closing(database.connect(settings, application_name="frontdoor_erase")) as connection:
        house = prepare_if_changed(connection, settings)
        with database.advisory_lock(connection, "erasure", wait=True):
            plan = plan_of(connection, house, selection)
            plan.refuse(is_handed_on=handed_to is not None, texts=(reason, handed_to or "", evidence or ""))
            request = requests.new(connection, settings, plan, reason, by_role, handed_to, evidence)
            kept.write(settings, request)
            _do(connection, settings, house, request)
    warehouse.build(settings, even_if_nothing=True)
    return plan, request


def resume(settings: Settings) -> list[Request]:
    """Do every request that was written down and is not done in this database; return those.

    Raises an `OSError` where the archive is away, before anything is done.
    """
    with closing(database.connect(settings, application_name="frontdoor_erase")) as connection:
        waiting = unfinished(connection, complete(connection, settings))
        if not waiting:
            return []
        house = prepare_if_changed(connection, settings)
        with database.advisory_lock(connection, "erasure", wait=True):
            counted.bring_back(connection, settings)
            for request in waiting:
                _do(connection, settings, house, request)
    warehouse.build(settings, even_if_nothing=True)
    return waiting


def complete(connection: Connection, settings: Settings) -> Standing:
    """Give home and archive what only the other has, or the ledger alone; return what stands then.

    Raises an `OSError` where the archive is away.
    """
    counted.complete(connection, settings)
    return kept.complete(connection, settings)


def apply_tombstones(settings: Settings) -> int:
    """Erase anew, after a restore of an older backup, everybody who was erased since; return how many requests.

    They stand in HOME/erasures or in the archive: whichever of the two outlived, or came back with a newer backup.
    """
    return len(resume(settings))


def unfinished(connection: Connection, stands: Standing) -> list[Request]:
    """Return the requests that are written down and not done in this database, the oldest first."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select erasure_id::text from intake.erasures where state = 'done'")
        done = {erasure_id for (erasure_id,) in cursor}
    return [each for each in stands.requests if each.erasure_id not in done]


def _do(connection: Connection, settings: Settings, house: House, request: Request) -> None:
    """Do a request, from wherever it stands."""
    with connection, connection.cursor() as cursor:
        gone = requests.note(cursor, request)
        cursor.execute("select state from intake.erasures where erasure_id = %s", (request.erasure_id,))
        ((state,),) = cursor.fetchall()
    lanes = sorted({(each.feed, each.agency) for each in gone})
    with _alone(connection, lanes):
        if state == "asked":
            with connection, connection.cursor() as cursor:
                if fixed := rows.remove(cursor, house, gone):
                    counted.seal(cursor, settings, request.erasure_id, fixed)
                _say(cursor, request, "rows_gone")
        if state in ("asked", "rows_gone"):
            for file_id, by_member in requests.files_of(connection, gone).items():
                remainder.keep(connection, settings, file_id, by_member)
            with connection, connection.cursor() as cursor:
                _say(cursor, request, "archive_rewritten")
    rows.vacuum(connection, {each.feed for each in gone})
    with connection, connection.cursor() as cursor:
        _say(cursor, request, "done")
    log.info("erasure %s is done: %s records", request.erasure_id, len(gone))


def _say(cursor: Cursor, request: Request, state: str) -> None:
    cursor.execute(
        "update intake.erasures set state = %s, done_at = %s where erasure_id = %s",
        (state, clock.now() if state == "done" else None, request.erasure_id),
    )


@contextmanager
def _alone(connection: Connection, lanes: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Hold the locks under which nothing else judges or builds these records."""
    with ExitStack() as held:
        for feed, agency in lanes:
            held.enter_context(database.advisory_lock(connection, "lane", agency, feed, wait=True))
        held.enter_context(database.advisory_lock(connection, "warehouse", "build", wait=True))
        yield
