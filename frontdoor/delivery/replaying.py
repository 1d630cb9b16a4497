"""Judge and publish a delivery again, under the contract of today. What was found the first time is not forgotten.

A replay may die half way like anything else: then the next drain finishes it, and it still mails nobody.
"""

from __future__ import annotations

from collections.abc import Collection

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database, quality
from frontdoor.contract import House
from frontdoor.delivery.lanes import advance, judge_and_publish
from frontdoor.settings import Settings


def replay(
    connection: Connection, settings: Settings, house: House, delivery_ids: Collection[int], *, notify: bool
) -> int:
    """Replay deliveries one by one, each in its lane; return how many were published again.

    One that was given up (its loading failed again and again) is loaded anew.
    """
    done = 0
    for feed, agency, delivery_id, status in replayable(connection, delivery_ids):
        if status == "dead_letter":
            with connection, connection.cursor() as cursor:
                _take_up_again(cursor, delivery_id)
            done += advance(connection, settings, house, feed)
            continue
        with database.advisory_lock(connection, "lane", agency, feed, wait=True):
            with connection, connection.cursor() as cursor:
                _reopen(cursor, house, feed, delivery_id)
                quality.read(connection, house, [delivery_id])
            done += judge_and_publish(connection, settings, house, feed, [delivery_id], notify_replayed=notify)
    return done


def replayable(connection: Connection, delivery_ids: Collection[int]) -> list[tuple[str, str, int, str]]:
    """Return feed, agency, id and status of those deliveries that were published, or given up until now."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select deliveries.feed, deliveries.agency_code, deliveries.delivery_id, deliveries.status
            from intake.deliveries as deliveries
            where
                deliveries.delivery_id = any(%s)
                -- Past its time: nothing is left to judge.
                and deliveries.payload_removed_at is null
                and (
                    deliveries.status = 'published'
                    or (
                        deliveries.status = 'dead_letter'
                        and exists (
                            select from quality.dead_letters as letters
                            where
                                letters.delivery_id = deliveries.delivery_id
                                and letters.reason_code in ('given_up', 'copy_closed') and letters.resolved_at is null
                        )
                    )
                )
            order by deliveries.delivery_id
            """,
            (list(delivery_ids),),
        )
        return list(cursor)


def _reopen(cursor: Cursor, house: House, feed: str, delivery_id: int) -> None:
    """Take a published delivery back to ``loaded``, and set aside what was found in it so far."""
    cursor.execute(
        "insert into quality.findings_before_replay select * from quality.findings where delivery_id = %s"
        " on conflict do nothing",
        (delivery_id,),
    )
    cursor.execute(
        "update intake.deliveries set status = 'loaded', contract_version = %s where delivery_id = %s",
        (house.feeds[feed].version, delivery_id),
    )
    _note(cursor, delivery_id, "published", "loaded")


def _take_up_again(cursor: Cursor, delivery_id: int) -> None:
    """Put a delivery that was given up back into its lane, and close its dead letter."""
    cursor.execute(
        "update intake.deliveries set status = 'received', verdict = null, attempts = 0 where delivery_id = %s"
        " returning file_id",
        (delivery_id,),
    )
    ((file_id,),) = cursor.fetchall()
    cursor.execute(
        "update intake.files set status = 'received', reason_code = null, reason = null"
        " where file_id = %s and status = 'dead_letter'",
        (file_id,),
    )
    cursor.execute(
        "update quality.dead_letters set resolved_at = %s, outcome = 'read_after_all'"
        " where delivery_id = %s and resolved_at is null",
        (clock.now(), delivery_id),
    )
    _note(cursor, delivery_id, "dead_letter", "received")


def _note(cursor: Cursor, delivery_id: int, status_from: str, status_to: str) -> None:
    cursor.execute(
        "insert into intake.delivery_events (delivery_id, status_from, status_to, at) values (%s, %s, %s, %s)",
        (delivery_id, status_from, status_to, clock.now()),
    )
