"""The life of a delivery, in order: take, load and read, judge, publish, send. The one place that knows the order.

Each step commits together with the state that says it is done, so that a crash at any instant leaves a delivery before
or after a step and never between. What must be done is read from the state in ``intake.deliveries`` and done until
nothing is left; whoever calls (a DAG, the sweep, ``frontdoor ingest``) only wakes it.

No step holds a record. A check that cannot run is a row that says so; a delivery that cannot be judged is published
unjudged; a message that cannot be written is written by a later sweep. Deliveries of one agency and feed form a lane
and advance in the order of their arrival, one process at a time; lanes do not wait for one another, and a large
delivery travels alone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from frontdoor import alerts, clock, database, intake, quality, warehouse
from frontdoor.contract import House, load_house
from frontdoor.prepare import prepare_if_changed
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

BATCH_DELIVERIES = 200
BATCH_BYTES = 128 * 2**20
# From this size on a delivery is judged alone, so that small ones do not wait for its scan.
LARGE_BYTES = 32 * 2**20
# A file that fails this often, or that kills its process, becomes a dead letter with a clock and an owner.
LOAD_ATTEMPTS = 5
# How far back messages that were never written are looked for.
UNANSWERED_LOOK_BACK = timedelta(days=7)
# The connection is gone, not the file bad: raise, and let the next run try.
_AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError)


@dataclass(frozen=True)
class Drained:
    """What one drain did: files taken, deliveries published, messages sent."""

    taken: int = 0
    published: int = 0
    sent: int = 0

    def __add__(self, other: Drained) -> Drained:
        return Drained(self.taken + other.taken, self.published + other.published, self.sent + other.sent)

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def drain(
    settings: Settings,
    sources: Collection[str] | None = None,
    moved: frozenset[tuple[int, int]] = frozenset(),
) -> Drained:
    """Do everything that waits for these sources (all, where none is named) until nothing is left.

    ``moved``: (inode, st_ctime_ns) of files that were seen to be renamed into place, and so are whole.
    """
    total = Drained()
    with _connected(settings) as connection:
        house = prepare_if_changed(connection, settings)
        feeds = _feeds_of(house, sources)
        while True:
            taken = sum(
                intake.take(connection, settings, house, source=source, moved=moved) for source in sources or (None,)
            )
            published = sum(_advance(connection, settings, house, feed) for feed in feeds)
            if taken:
                _answer_the_unanswered(connection, house)
            step = Drained(taken, published, alerts.send(connection, settings))
            total += step
            if not step.taken and not step.published:
                return total


def ingest(settings: Settings) -> dict[str, int]:
    """Drain every source, build the marts, send: all that the DAGs do, once, in this process."""
    drained = Drained()
    with _connected(settings) as connection:
        _answer_the_unanswered(connection, load_house())
    built = {"built": 0, "models_failed": 0}
    while True:
        step = drain(settings)
        drained += step
        # The last build, of nothing, moves the marts' clock: lists age although nobody sends.
        for name, count in build(settings, even_if_nothing=not step.published).items():
            built[name] += count
        if not step.taken and not step.published:
            return {**drained.counts(), **built}


def build(settings: Settings, *, even_if_nothing: bool = False) -> dict[str, int]:
    """Build the marts from everything published and unbuilt; return counts."""
    result = warehouse.build(settings, even_if_nothing=even_if_nothing)
    return {"built": result.deliveries_count, "models_failed": len(result.models_failed)}


def send(settings: Settings) -> int:
    """Send what is in the outbox, after writing what an earlier failure left unwritten; return messages sent."""
    with _connected(settings) as connection:
        _answer_the_unanswered(connection, load_house())
        return alerts.send(connection, settings)


def has_unbuilt(settings: Settings) -> bool:
    """Tell whether a published delivery waits for a build."""
    with _connected(settings) as connection, connection.cursor() as cursor:
        cursor.execute("select exists (select from intake.deliveries where status = 'published' and built_in is null)")
        return bool(cursor.fetchone()[0])


def replay(settings: Settings, delivery_ids: Collection[int], *, notify: bool = False) -> int:
    """Judge and publish these deliveries again, under today's contract; return how many.

    Their records stay on every list meanwhile: what was once published is read by the marts whatever its state.
    """
    house = load_house()
    done = 0
    with _connected(settings) as connection:
        for feed, agency, delivery_id in _lanes_of(connection, delivery_ids):
            with database.advisory_lock(connection, "lane", agency, feed, wait=True):
                _reopen(connection, house, feed, delivery_id)
                quality.read(connection, house, [delivery_id])
                connection.commit()
                done += _judge_and_publish(connection, settings, house, feed, [delivery_id], notify=notify)
        if notify:
            alerts.send(connection, settings)
    return done


# ---- one lane after another -------------------------------------------------------------------------------------


def _advance(connection: Connection, settings: Settings, house: House, feed: str) -> int:
    """Advance all lanes of a feed that no other process holds; return deliveries published."""
    published = 0
    while True:
        with ExitStack() as lanes:
            held = [
                agency
                for agency in _agencies_with_work(connection, feed)
                if lanes.enter_context(database.advisory_lock(connection, "lane", agency, feed, wait=False))
            ]
            # Asked after the locks are held: what another process finished meanwhile is not done twice.
            batch = _next_batch(connection, feed, held)
            if not batch:
                return published
            ready = [
                delivery_id
                for delivery_id, status, attempts in batch
                if status != "received" or _load(connection, settings, house, delivery_id, attempts)
            ]
            published += _judge_and_publish(connection, settings, house, feed, ready)
        # Looked at again after the locks are free: whoever came in vain while they were held has left its work to us.


def _agencies_with_work(connection: Connection, feed: str) -> list[str]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select distinct agency_code from intake.deliveries"
            " where feed = %s and status in ('received', 'loaded', 'checked') order by agency_code",
            (feed,),
        )
        return [agency for (agency,) in cursor]


def _next_batch(connection: Connection, feed: str, agencies: list[str]) -> list[tuple[int, str, int]]:
    """Return (delivery_id, status, attempts): the small deliveries at the head of each lane, else one large one."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            with undone as (
                select
                    delivery_id, status, attempts, size_bytes,
                    bool_or(size_bytes >= %(large)s) over lane as is_behind_a_large_one,
                    row_number() over lane = 1 as is_head
                from intake.deliveries
                where feed = %(feed)s and agency_code = any(%(agencies)s) and status in ('received', 'loaded', 'checked')
                window lane as (partition by agency_code order by delivery_id)
            ), small_ones as (
                select *, sum(size_bytes) over (order by delivery_id) as bytes_so_far
                from undone
                where not is_behind_a_large_one
            ), chosen as (
                (
                    select delivery_id, status, attempts
                    from small_ones
                    where bytes_so_far <= %(bytes)s
                    order by delivery_id
                    limit %(deliveries)s
                )
                union all
                (
                    select delivery_id, status, attempts
                    from undone
                    where is_head and not exists (select from small_ones)
                    order by size_bytes, delivery_id
                    limit 1
                )
            )
            select delivery_id, status, attempts from chosen order by delivery_id
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


def _load(connection: Connection, settings: Settings, house: House, delivery_id: int, attempts: int) -> bool:
    """Load and read one delivery; tell whether there is something to judge."""
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
    except _AWAY:
        raise
    except Exception as error:
        log.error("delivery %s was not loaded (attempt %s): %s", delivery_id, attempts + 1, database.safe_error(error))
        return False
    return True


def _judge_and_publish(
    connection: Connection,
    settings: Settings,
    house: House,
    feed: str,
    delivery_ids: list[int],
    *,
    notify: bool = True,
) -> int:
    if not delivery_ids:
        return 0
    try:
        quality.judge(connection, settings, house, feed, delivery_ids)
    except _AWAY:
        raise
    except Exception as error:
        connection.rollback()
        log.error("%s deliveries are published unjudged: %s", len(delivery_ids), database.safe_error(error))
    return _publish(connection, house, delivery_ids, notify=notify)


def _publish(connection: Connection, house: House, delivery_ids: list[int], *, notify: bool) -> int:
    """Publish what was loaded, judged or not, with its messages in the same commit; return deliveries published."""
    at = clock.now()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            with before as (
                select delivery_id, status
                from intake.deliveries
                where delivery_id = any(%(ids)s) and status in ('loaded', 'checked')
                for update
            ), published as (
                update intake.deliveries
                set
                    status = 'published',
                    published_at = coalesce(published_at, %(at)s),
                    built_in = null,
                    records_built = 0,
                    verdict = coalesce(verdict, 'accepted_with_findings')
                from before
                where deliveries.delivery_id = before.delivery_id
                returning deliveries.delivery_id, before.status as status_from
            )
            insert into intake.delivery_events (delivery_id, status_from, status_to, at)
            select delivery_id, status_from, 'published', %(at)s
            from published
            returning delivery_id
            """,
            {"ids": delivery_ids, "at": at},
        )
        published = [delivery_id for (delivery_id,) in cursor]
        if notify:
            _compose(connection, house, delivery_ids=published)
    return len(published)


def _compose(
    connection: Connection, house: House, delivery_ids: Collection[int] = (), file_ids: Collection[int] = ()
) -> None:
    """Write messages into the outbox in the caller's transaction; a message that cannot be written holds nothing."""
    with connection.cursor() as cursor:
        cursor.execute("savepoint compose")
        try:
            alerts.compose(connection, house, delivery_ids, file_ids)
        except _AWAY:
            raise
        except Exception as error:
            cursor.execute("rollback to savepoint compose")
            log.error("messages were not written: %s", database.safe_error(error))
        cursor.execute("release savepoint compose")


def _answer_the_unanswered(connection: Connection, house: House) -> None:
    """Write the messages that are due and not there: of dead files, and of deliveries whose composing failed.

    A replayed delivery is left in peace: a replay mails only where it was told to.
    """
    since = clock.now() - UNANSWERED_LOOK_BACK
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select file_id from intake.files
            where
                status = 'dead_letter'
                and received_at > %s
                and not exists (select from alerts.messages where messages.file_id = files.file_id)
            """,
            (since,),
        )
        file_ids = [file_id for (file_id,) in cursor]
        cursor.execute(
            """
            select delivery_id from intake.deliveries
            where
                status = 'published'
                and published_at > %s
                and not exists (select from alerts.messages where messages.delivery_id = deliveries.delivery_id)
                and not exists (
                    select from intake.delivery_events
                    where delivery_events.delivery_id = deliveries.delivery_id and status_from = 'published'
                )
                and (
                    verdict in ('partly_read', 'unreadable')
                    or exists (
                        select from quality.findings
                        where findings.delivery_id = deliveries.delivery_id and findings.state = 'new'
                    )
                )
            """,
            (since,),
        )
        delivery_ids = [delivery_id for (delivery_id,) in cursor]
        if file_ids or delivery_ids:
            _compose(connection, house, delivery_ids, file_ids)


def _reopen(connection: Connection, house: House, feed: str, delivery_id: int) -> None:
    """Take a published delivery back to ``loaded``, under the contract of today."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from quality.findings where delivery_id = %s and record_no > 0"
            " and rule_id not in (select rule_id from quality.checks where scope = 'file')",
            (delivery_id,),
        )
        cursor.execute(
            "update intake.deliveries set status = 'loaded', contract_version = %s where delivery_id = %s",
            (house.feeds[feed].version, delivery_id),
        )
        cursor.execute(
            "insert into intake.delivery_events (delivery_id, status_from, status_to, at)"
            " values (%s, 'published', 'loaded', %s)",
            (delivery_id, clock.now()),
        )


def _lanes_of(connection: Connection, delivery_ids: Collection[int]) -> list[tuple[str, str, int]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select feed, agency_code, delivery_id from intake.deliveries"
            " where delivery_id = any(%s) and status = 'published' order by delivery_id",
            (list(delivery_ids),),
        )
        return list(cursor)


def _feeds_of(house: House, sources: Collection[str] | None) -> list[str]:
    if sources is None:
        return list(house.feeds)
    return [
        feed for source in sources for feed in (house.layouts[source].feeds if source in house.layouts else (source,))
    ]


@contextmanager
def _connected(settings: Settings) -> Iterator[Any]:
    connection = database.connect(settings)
    try:
        yield connection
    finally:
        connection.close()
