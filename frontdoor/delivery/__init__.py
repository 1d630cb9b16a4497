"""The life of a delivery, in order: take, load and read, judge, publish, send, answer. The one place that knows it.

Each step commits together with the state that says it is done, so that a crash at any instant leaves a delivery before
or after a step and never between. What must be done is read from the state in ``intake.deliveries`` and done until
nothing is left; whoever calls (a DAG, the sweep, ``frontdoor ingest``) only wakes it.

No step holds a record. A check that cannot run is a row that says so; a delivery that cannot be judged is published
unjudged; a message that cannot be written is written by a later sweep.

    lanes          which deliveries advance now, and their way from received to published
    publication    published, with its messages in the same commit
    replaying      the same way again, under today's contract
    charging       whose fault it was, for scores alone; a withdrawn rule is told of once
    waiving        what a sender need not be told of for a while, and what comes back
    listening      what was due and did not come
    erasing        one child, from everywhere; who was erased and came again
    retaining      what is past its time
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from psycopg2.extensions import connection as Connection

from frontdoor import alerts, database, intake, receipts, warehouse
from frontdoor.contract import House
from frontdoor.delivery import lanes, listening, publication, replaying, waiving
from frontdoor.delivery.erasing.again import look_for_returned
from frontdoor.prepare import prepare_if_changed
from frontdoor.settings import Settings

log = logging.getLogger(__name__)


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
        if sources is None:
            waiving.bring_back(connection, house)
        while True:
            taken = sum(
                intake.take(connection, settings, house, source=source, moved=moved) for source in sources or (None,)
            )
            published = sum(lanes.advance(connection, settings, house, feed) for feed in feeds)
            if taken or sources is None:
                publication.answer_the_unanswered(connection, house)
            if sources is None:
                listening.listen(connection, house)
                _notice_who_came_again(connection, settings)
            step = Drained(taken, published, alerts.send(connection, settings))
            # Behind the letters: a receipt is for who looks it up.
            receipts.issue(connection, settings, house)
            total += step
            if not step.taken and not step.published:
                return total


def _notice_who_came_again(connection: Connection, settings: Settings) -> None:
    """Notice who was erased and is sent again; where that fails nothing is held, and the next sweep looks."""
    try:
        look_for_returned(connection, settings)
    except Exception as error:
        if database.is_away(error):
            raise
        connection.rollback()
        log.error("nobody looked whether an erased child came again: %s", database.safe_error(error))


def ingest(settings: Settings) -> dict[str, int]:
    """Drain every source, build the marts, send: all that the DAGs do, once, in this process."""
    drained, built = Drained(), {"built": 0, "models_failed": 0}
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
        publication.answer_the_unanswered(connection, prepare_if_changed(connection, settings))
        return alerts.send(connection, settings)


def has_unbuilt(settings: Settings) -> bool:
    """Tell whether a published delivery waits for a build."""
    with _connected(settings) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select exists (select from intake.deliveries where status = 'published' and built_in is null)")
        return cursor.fetchone() == (True,)


def replayable(connection: Connection, delivery_ids: Collection[int]) -> list[int]:
    """Return those of these deliveries that `replay` takes: published ones, and those that were given up."""
    return [delivery_id for _, _, delivery_id, _ in replaying.replayable(connection, delivery_ids)]


def replay(settings: Settings, delivery_ids: Collection[int], *, notify: bool = False) -> int:
    """Judge and publish these deliveries again, under today's contract; return how many.

    Their records stay on every list meanwhile: the marts read what was ever published, whatever its state.
    """
    with _connected(settings) as connection:
        house = prepare_if_changed(connection, settings)
        done = replaying.replay(connection, settings, house, delivery_ids, notify=notify)
        receipts.issue(connection, settings, house)
        if notify:
            alerts.send(connection, settings)
    return done


def _feeds_of(house: House, sources: Collection[str] | None) -> list[str]:
    if sources is None:
        return list(house.feeds)
    return [
        feed for source in sources for feed in (house.layouts[source].feeds if source in house.layouts else (source,))
    ]


@contextmanager
def _connected(settings: Settings) -> Iterator[Connection]:
    connection = database.connect(settings)
    try:
        yield connection
    finally:
        connection.close()
