"""What was done with deliveries and by builds, and has not been told yet: read from the ledger, remembered when told.

Nothing is told at the moment at which it happens. So a receiver that is away delays nothing, a process that is killed
leaves nothing untold, and what happened while the setting was off is told for a week back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from psycopg2.extras import execute_values

from frontdoor import clock

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

LOOK_BACK = timedelta(days=7)
REMEMBERED = timedelta(days=14)

_MOVES = """
    select
        events.delivery_id,
        events.status_from,
        events.status_to,
        events.at,
        (
            select max(before.at) from intake.delivery_events as before
            where
                before.delivery_id = events.delivery_id
                and before.status_to = events.status_from
                and before.at <= events.at
        ) as since,
        deliveries.agency_code,
        deliveries.source,
        deliveries.feed,
        deliveries.records_loaded,
        case
            when events.status_to in ('checked', 'published')
                then (
                    select array_agg((results.rule_id || ':' || results.status) order by results.rule_id)
                    from quality.check_results as results
                    where results.delivery_id = events.delivery_id and results.status in ('pass', 'fail', 'not_run')
                )
        end as results
    from intake.delivery_events as events
    inner join intake.deliveries on events.delivery_id = deliveries.delivery_id
    where
        events.at > %(since)s
        and not exists (
            select from warehouse.lineage_told as told
            where
                told.subject = 'delivery' and told.subject_id = events.delivery_id
                and told.step = events.status_to and told.at = events.at
        )
    order by events.at, events.delivery_id
    limit %(most)s
"""

_BUILDS = """
    select builds.build_id, asked.step, builds.started_at, builds.ended_at, builds.status, builds.records_count
    from warehouse.builds as builds
    cross join (values ('START'), ('END')) as asked (step)
    where
        builds.started_at > %(since)s
        and (asked.step = 'START' or builds.status <> 'running')
        and not exists (
            select from warehouse.lineage_told as told
            where
                told.subject = 'build' and told.subject_id = builds.build_id
                and told.step = asked.step and told.at = builds.started_at
        )
    order by builds.build_id, asked.step desc
    limit %(most)s
"""


@dataclass(frozen=True)
class Move:
    """A delivery came from one state (None: it was taken) to another; `since`: when it had come to the former."""

    delivery_id: int
    status_from: str | None
    status_to: str
    at: datetime
    since: datetime | None
    agency: str
    source: str
    feed: str
    records: int | None
    # rule:pass, rule:fail or rule:not_run, by rule.
    results: tuple[str, ...]

    @property
    def key(self) -> tuple[str, int, str, datetime]:
        """By what it is remembered."""
        return ("delivery", self.delivery_id, self.status_to, self.at)


@dataclass(frozen=True)
class Built:
    """A build began (START) or came to an end (END)."""

    build_id: int
    step: str
    started_at: datetime
    ended_at: datetime | None
    status: str
    records: int

    @property
    def key(self) -> tuple[str, int, str, datetime]:
        """By what it is remembered."""
        return ("build", self.build_id, self.step, self.started_at)


def moves(connection: Connection, most: int) -> list[Move]:
    """The oldest moves of deliveries that nobody was told of."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_MOVES, {"since": clock.now() - LOOK_BACK, "most": most})
        return [Move(*(*row[:-1], tuple(row[-1] or ()))) for row in cursor]


def builds(connection: Connection, most: int) -> list[Built]:
    """The oldest beginnings and ends of builds that nobody was told of."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_BUILDS, {"since": clock.now() - LOOK_BACK, "most": most})
        return [Built(*row) for row in cursor]


def is_told(connection: Connection, fingerprint: str) -> bool:
    """Tell whether the receiver knows the project that has this fingerprint."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from warehouse.lineage_told where subject = 'project' and step = %s)", (fingerprint,)
        )
        return cursor.fetchone() == (True,)


def remember(connection: Connection, keys: Collection[tuple[str, int, str, datetime]]) -> None:
    """Remember that these were told; forget what is too old to be told again."""
    at = clock.now()
    with connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            "insert into warehouse.lineage_told (subject, subject_id, step, at, told_at) values %s"
            " on conflict do nothing",
            [(*key, at) for key in keys],
        )
        cursor.execute(
            "delete from warehouse.lineage_told where told_at < %s and subject <> 'project'", (at - REMEMBERED,)
        )
