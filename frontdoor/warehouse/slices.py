"""What a build drains: whole small deliveries first, slices of large ones between them.

A slice is a range of record numbers of one published delivery. A large delivery is built slice by slice, and a build of
small deliveries comes between two slices, so that a hundred records wait for one slice of a million and not for the
million. Deliveries of which a build failed come after all fresh ones, the longest untried first; one that was part of
two builds that died comes alone, because it may be what killed them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

# A build of 25,000 records takes some seven seconds of a core: what lands meanwhile waits for no more than two of them.
MOST_DELIVERIES = 200
MOST_RECORDS = 50_000
# From this size on a delivery is built in slices, in turn with the small ones.
LARGE_RECORDS = 10_000
SLICE_RECORDS = 25_000
DEATHS_BEFORE_ALONE = 2
# The last slice is open at its end, so that no record can lie beyond it.
NO_END = 2**63 - 1


@dataclass(frozen=True)
class Slice:
    """Records `record_from` to `record_to` (both included) of one delivery, which was published at that time."""

    delivery_id: int
    feed: str
    published_at: datetime
    record_from: int
    record_to: int
    records: int


@dataclass(frozen=True)
class Claim:
    """What the next build drains; empty when nothing waits. `has_large`: a slice of a large delivery is part of it."""

    slices: tuple[Slice, ...] = ()
    is_retry: bool = False
    has_large: bool = False


@dataclass(frozen=True)
class _Waiting:
    delivery_id: int
    feed: str
    published_at: datetime
    records_built: int
    remaining: int
    failures: int
    deaths: int
    last_build_id: int


# A failure counts until the delivery is published again: a replay starts afresh.
UNBUILT = """
select
    deliveries.delivery_id,
    deliveries.feed,
    coalesce(deliveries.last_published_at, deliveries.published_at),
    deliveries.records_built,
    greatest(coalesce(deliveries.records_in, 0) - deliveries.records_built, 0),
    count(*) filter (where builds.status in ('failed', 'lost')),
    count(*) filter (where builds.status = 'lost'),
    coalesce(max(builds.build_id), 0)
from intake.deliveries as deliveries
left join warehouse.build_slices as slices on deliveries.delivery_id = slices.delivery_id
left join warehouse.builds as builds
    on
        slices.build_id = builds.build_id
        and coalesce(deliveries.last_published_at, deliveries.published_at) <= builds.started_at
where deliveries.status = 'published' and deliveries.built_in is null and not deliveries.delivery_id = any(%s)
group by deliveries.delivery_id
"""


def claim(connection: Connection, *, tried: Collection[int], turn_of_large: bool) -> Claim:
    """Choose what the next build drains from everything published and unbuilt, leaving out what was tried already."""
    with connection.cursor() as cursor:
        cursor.execute(UNBUILT, (list(tried),))
        waiting = [_Waiting(*row) for row in cursor.fetchall()]
    fresh = sorted((each for each in waiting if not each.failures), key=lambda each: (each.remaining, each.delivery_id))
    if fresh:
        return _bounded(fresh, turn_of_large, is_retry=False)
    again = sorted(waiting, key=lambda each: (each.last_build_id, each.remaining, each.delivery_id))
    if not again:
        return Claim()
    if again[0].deaths >= DEATHS_BEFORE_ALONE:
        again = again[:1]
    return _bounded(again, turn_of_large, is_retry=True)


def _bounded(waiting: Sequence[_Waiting], turn_of_large: bool, *, is_retry: bool) -> Claim:
    small = [each for each in waiting if each.remaining < LARGE_RECORDS]
    large = [each for each in waiting if each.remaining >= LARGE_RECORDS]
    is_turn_of_large = bool(large) and (turn_of_large or not small)
    slices: list[Slice] = []
    room = MOST_RECORDS
    for each in small[: MOST_DELIVERIES - is_turn_of_large]:
        if each.remaining > room:
            break
        slices.append(_slice(each, each.remaining))
        room -= each.remaining
    if is_turn_of_large:
        # At least one slice, however full of small ones the build is: nothing waits for ever.
        size = max(LARGE_RECORDS, min(SLICE_RECORDS, room))
        slices.append(_slice(large[0], min(large[0].remaining, size)))
        return Claim(tuple(slices), is_retry, has_large=True)
    return Claim(tuple(slices), is_retry)


def _slice(each: _Waiting, records: int) -> Slice:
    record_to = NO_END if records >= each.remaining else each.records_built + records
    return Slice(each.delivery_id, each.feed, each.published_at, each.records_built + 1, record_to, records)


def last_made_of(cursor: Cursor) -> str | None:
    """Return what the relations were made of by the last build; None when it did not succeed, or none was."""
    cursor.execute("select status, made_of from warehouse.builds order by build_id desc limit 1")
    status, made_of = cursor.fetchone() or ("", None)
    return made_of if status == "succeeded" else None


def begin(cursor: Cursor, slices: Collection[Slice], as_of: datetime, made_of: str) -> int:
    """Write down a build of these slices, and let the models speak as of that time about that news; its id."""
    deliveries = {each.delivery_id for each in slices}
    records = sum(each.records for each in slices)
    cursor.execute(
        "insert into warehouse.builds (as_of, started_at, status, deliveries_count, records_count, made_of)"
        " values (%s, %s, 'running', %s, %s, %s) returning build_id",
        (as_of, as_of, len(deliveries), records, made_of),
    )
    (build_id,) = cursor.fetchone() or (None,)
    execute_values(
        cursor,
        "insert into warehouse.build_slices (build_id, delivery_id, record_from, record_to) values %s",
        [(build_id, each.delivery_id, each.record_from, each.record_to) for each in slices],
    )
    cursor.execute(
        "insert into warehouse.clock (as_of, build_id) values (%s, %s)"
        " on conflict (is_only_row) do update set as_of = excluded.as_of, build_id = excluded.build_id",
        (as_of, build_id),
    )
    return int(build_id)


def finish(cursor: Cursor, build_id: int, slices: Collection[Slice]) -> None:
    """Move these deliveries forward by their slices; one whose last slice this was is built.

    A delivery that was published again while it was being built is left as it is: the next build reads it anew.
    """
    execute_values(
        cursor,
        """
        update intake.deliveries as deliveries
        set
            records_built = coalesce(slices.record_to, deliveries.records_in, 0),
            built_in = case when slices.record_to is null then slices.build_id end
        from (values %s) as slices (build_id, delivery_id, published_at, record_from, record_to)
        where
            deliveries.delivery_id = slices.delivery_id
            and coalesce(deliveries.last_published_at, deliveries.published_at) = slices.published_at
            and deliveries.status = 'published'
            and deliveries.built_in is null
            and deliveries.records_built = slices.record_from - 1
        """,
        [
            (build_id, s.delivery_id, s.published_at, s.record_from, None if s.record_to == NO_END else s.record_to)
            for s in slices
        ],
        template="(%s::bigint, %s::bigint, %s::timestamptz, %s::bigint, %s::bigint)",
    )


def mark_lost(cursor: Cursor, at: datetime) -> int:
    """Mark builds that say they run although nobody holds the lock but us: their process died. Returns how many."""
    cursor.execute("update warehouse.builds set status = 'lost', ended_at = %s where status = 'running'", (at,))
    return cursor.rowcount
