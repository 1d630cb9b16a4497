"""Judge and publish a delivery again, under the contract of today. What was found the first time is not forgotten."""

from __future__ import annotations

from collections.abc import Collection

from psycopg2.extensions import connection as Connection

from frontdoor import clock, database, quality
from frontdoor.contract import House
from frontdoor.delivery.lanes import judge_and_publish
from frontdoor.settings import Settings


def replay(
    connection: Connection, settings: Settings, house: House, delivery_ids: Collection[int], *, notify: bool
) -> int:
    """Replay published deliveries one by one, each in its lane; return how many."""
    done = 0
    for feed, agency, delivery_id in _published(connection, delivery_ids):
        with database.advisory_lock(connection, "lane", agency, feed, wait=True):
            with connection:
                _reopen(connection, house, feed, delivery_id)
                quality.read(connection, house, [delivery_id])
            done += judge_and_publish(connection, settings, house, feed, [delivery_id], notify=notify)
            _recall(connection, delivery_id)
    return done


def _published(connection: Connection, delivery_ids: Collection[int]) -> list[tuple[str, str, int]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select feed, agency_code, delivery_id from intake.deliveries"
            " where delivery_id = any(%s) and status = 'published' order by delivery_id",
            (list(delivery_ids),),
        )
        return list(cursor)


def _reopen(connection: Connection, house: House, feed: str, delivery_id: int) -> None:
    """Take a published delivery back to ``loaded``, and set aside what was found in it so far."""
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists found_before")
        cursor.execute(
            "create temporary table found_before as select * from quality.findings where delivery_id = %s",
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


def _recall(connection: Connection, delivery_id: int) -> None:
    """Give findings that are found again their first time and state; keep as resolved those that are no longer found.

    What was right the first time can never be improved by judging again.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            update quality.findings
            set found_at = before.found_at, state = before.state
            from found_before as before
            where
                findings.delivery_id = before.delivery_id
                and findings.record_no = before.record_no
                and findings.rule_id = before.rule_id
                and before.resolved_at is null
            """
        )
        cursor.execute(
            """
            insert into quality.findings
            select
                delivery_id, record_no, record_key, rule_id, contract_version, 'resolved', found_at,
                coalesce(resolved_at, %(at)s), coalesce(resolved_by_delivery_id, %(delivery_id)s)
            from found_before
            on conflict do nothing
            """,
            {"at": clock.now(), "delivery_id": delivery_id},
        )
        cursor.execute("drop table found_before")
