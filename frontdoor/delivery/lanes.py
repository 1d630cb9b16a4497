"""Deliveries of one agency and feed form a lane, and advance in the order of their arrival, one process at a time.

Lanes do not wait for one another: small deliveries of all free lanes are judged together, and a large one travels
alone, holding its own lane only.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import ExitStack, suppress

import psycopg2
from psycopg2.extensions import connection as Connection

from frontdoor import database, intake, logbook, quality
from frontdoor.contract import House
from frontdoor.delivery.publication import publish
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

BATCH_DELIVERIES = 200
BATCH_BYTES = 128 * 2**20
# From this size on a delivery is judged alone, so that small ones do not wait for its scan.
LARGE_BYTES = 32 * 2**20
# A file that fails this often, or that kills its process, becomes a dead letter with a clock and an owner.
LOAD_ATTEMPTS = 5


def advance(
    connection: Connection, settings: Settings, house: House, feed: str, *, without: Collection[str] = ()
) -> int:
    """Advance all lanes of a feed that no other process holds; return deliveries published.

    ``without``: scopes whose rules have nothing to hold a file against (`quality.judge`), in a check before sending.
    """
    published = 0
    while True:
        with ExitStack() as kept:
            held: dict[str, ExitStack] = {}
            for agency in _agencies_with_work(connection, feed):
                lane = kept.enter_context(ExitStack())
                if lane.enter_context(database.advisory_lock(connection, "lane", agency, feed, wait=False)):
                    held[agency] = lane
            # Asked after the locks are held: what another process finished meanwhile is not done twice.
            batch = _next_batch(connection, feed, list(held))
            for agency in held.keys() - {agency for _, agency, _, _ in batch}:
                held[agency].close()
            ready = [
                delivery_id
                for delivery_id, agency, status, attempts in batch
                if status != "received" or _load(connection, settings, house, agency, feed, delivery_id, attempts)
            ]
            published += judge_and_publish(connection, settings, house, feed, ready, without=without)
        # Looked at again after the locks are free: whoever came in vain while they were held has left its work to us.
        if not held:
            return published


def _agencies_with_work(connection: Connection, feed: str) -> list[str]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select distinct agency_code from intake.deliveries"
            " where feed = %s and status in ('received', 'loaded', 'checked') order by agency_code",
            (feed,),
        )
        return [agency for (agency,) in cursor]


def _next_batch(connection: Connection, feed: str, agencies: list[str]) -> list[tuple[int, str, str, int]]:
    """Return (delivery_id, agency, status, attempts): the small ones at the head of each lane, else one large one."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            with undone as (
                select
                    delivery_id, agency_code, status, attempts, size_bytes,
                    bool_or(size_bytes >= %(large)s) over lane as is_behind_a_large_one,
                    row_number() over lane = 1 as is_head
                from intake.deliveries
                where
                    feed = %(feed)s and agency_code = any(%(agencies)s)
                    and status in ('received', 'loaded', 'checked')
                window lane as (partition by agency_code order by delivery_id)
            ), small_ones as (
                select *, sum(size_bytes) over (order by delivery_id) as bytes_so_far
                from undone
                where not is_behind_a_large_one
            ), chosen as (
                (
                    select delivery_id, agency_code, status, attempts
                    from small_ones
                    where bytes_so_far <= %(bytes)s
                    order by delivery_id
                    limit %(deliveries)s
                )
                union all
                (
                    select delivery_id, agency_code, status, attempts
                    from undone
                    where is_head and not exists (select from small_ones)
                    order by size_bytes, delivery_id
                    limit 1
                )
            )
            select delivery_id, agency_code, status, attempts from chosen order by delivery_id
            """,
            {
                "feed": feed,
                "agencies": agencies,
                "large": LARGE_BYTES,
                "bytes": BATCH_BYTES,
                "deliveries": BATCH_DELIVERIES,
            },
        )
        return list(cursor)


def _load(
    connection: Connection, settings: Settings, house: House, agency: str, feed: str, delivery_id: int, attempts: int
) -> bool:
    """Load and read one delivery; tell whether there is something to judge."""
    with logbook.about(delivery_id=delivery_id, agency=agency, feed=feed):
        return _try_to_load(connection, settings, house, delivery_id, attempts)


def _try_to_load(connection: Connection, settings: Settings, house: House, delivery_id: int, attempts: int) -> bool:
    with connection, connection.cursor() as cursor:
        # Counted before the attempt, so that a file which kills its process is counted too.
        cursor.execute("update intake.deliveries set attempts = attempts + 1 where delivery_id = %s", (delivery_id,))
    if attempts >= LOAD_ATTEMPTS:
        with connection:
            intake.give_up(connection, house, delivery_id)
        return False
    try:
        with connection:
            if intake.load(connection, settings, house, delivery_id) != "loaded":
                return False  # a dead letter, or a repeat of a delivery that was itself not loaded when it was taken
            quality.read(connection, house, [delivery_id])
        logbook.steps.info("loaded and read")
    except Exception as error:
        if database.is_away(error) or isinstance(error, OSError | MemoryError):
            # The machine's trouble, not the file's: it costs no attempt, and the pause before the next is the sweep's.
            _give_back(connection, delivery_id)
            raise
        log.error("delivery %s was not loaded (attempt %s): %s", delivery_id, attempts + 1, database.safe_error(error))
        return False
    return True


def _give_back(connection: Connection, delivery_id: int) -> None:
    with suppress(psycopg2.Error):
        connection.rollback()
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "update intake.deliveries set attempts = greatest(attempts - 1, 0) where delivery_id = %s",
                (delivery_id,),
            )


def judge_and_publish(
    connection: Connection,
    settings: Settings,
    house: House,
    feed: str,
    delivery_ids: list[int],
    *,
    notify_replayed: bool = False,
    without: Collection[str] = (),
) -> int:
    """Judge loaded deliveries of one feed and publish them, judged or not; return deliveries published."""
    if not delivery_ids:
        return 0
    of_one = {"delivery_id": delivery_ids[0]} if len(delivery_ids) == 1 else {"delivery_ids": delivery_ids}
    with logbook.about(feed=feed, **of_one):
        try:
            quality.judge(connection, settings, house, feed, delivery_ids, without=without)
        except Exception as error:
            if database.is_away(error):
                raise
            connection.rollback()
            log.error("%s deliveries are published unjudged: %s", len(delivery_ids), database.safe_error(error))
            _note_not_run(connection, delivery_ids)
        published = publish(connection, house, delivery_ids, notify_replayed=notify_replayed)
        logbook.steps.info("published %s deliveries", published)
        return published


def _note_not_run(connection: Connection, delivery_ids: list[int]) -> None:
    """Write down that no check was run: its absence must not look like a pass."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into quality.check_results (delivery_id, rule_id, status, checked_count, failed_count)
            select deliveries.delivery_id, checks.rule_id, 'not_run', 0, 0
            from intake.deliveries as deliveries
            inner join quality.checks as checks
                on deliveries.contract_version = checks.contract_version and checks.feed in (deliveries.feed, 'any')
            where deliveries.delivery_id = any(%s)
            on conflict do nothing
            """,
            (delivery_ids,),
        )
