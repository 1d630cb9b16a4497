"""Publish deliveries, judged or not, with their messages in the same commit; write later what could not be written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import timedelta

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import alerts, clock, database, quality
from frontdoor.contract import House

log = logging.getLogger(__name__)

# How far back messages that were never written are looked for.
UNANSWERED_LOOK_BACK = timedelta(days=7)


def publish(connection: Connection, house: House, delivery_ids: list[int], *, notify_replayed: bool = False) -> int:
    """Publish what was loaded, judged or not, with its messages in the same commit; return deliveries published.

    A delivery published before (a replay, perhaps finished by somebody else after a crash) mails only where told to.
    """
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
                    last_published_at = %(at)s,
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
        replayed = _recall(cursor, published)
        _mark_waiting(cursor, house, published)
        _fix_first(connection, house, [each for each in published if each not in replayed])
        told = [each for each in published if notify_replayed or each not in replayed]
        if told:
            _compose(connection, house, delivery_ids=told)
    return len(published)


def _recall(cursor: Cursor, delivery_ids: list[int]) -> set[int]:
    """Give findings found again their first time and state, and keep as resolved those no longer found; return replays.

    What was right the first time can never be improved by judging again. What a later record mended stays mended; what
    we had closed ourselves and find again is open again; what no rule could look for stays as it was.
    """
    cursor.execute(
        "select distinct delivery_id from intake.delivery_events"
        " where delivery_id = any(%s) and status_from = 'published'",
        (delivery_ids,),
    )
    replayed = {delivery_id for (delivery_id,) in cursor}
    if not replayed:
        return replayed
    cursor.execute(
        """
        update quality.findings
        set
            found_at = before.found_at,
            state = case
                when before.is_mended then before.state
                when findings.state = 'waived' then 'waived'
                -- Its waiver ended while it was judged again, or we had closed it too early.
                when before.state in ('waived', 'resolved') then 'persisting'
                else before.state
            end,
            resolved_at = case when before.is_mended then before.resolved_at end,
            resolved_by = case when before.is_mended then before.resolved_by end,
            resolved_by_delivery_id = case when before.is_mended then before.resolved_by_delivery_id end,
            waiver_id = coalesce(findings.waiver_id, before.waiver_id)
        from (
            select *, resolved_at is not null and resolved_by_delivery_id <> delivery_id as is_mended
            from quality.findings_before_replay
            where delivery_id = any(%(ids)s)
        ) as before
        where
            findings.delivery_id = before.delivery_id
            and findings.record_no = before.record_no
            and findings.rule_id = before.rule_id
        """,
        {"ids": list(replayed)},
    )
    cursor.execute(
        """
        insert into quality.findings (
            delivery_id, record_no, record_key, rule_id, contract_version, state, found_at, waiver_id,
            resolved_at, resolved_by, resolved_by_delivery_id
        )
        select
            before.delivery_id, before.record_no, before.record_key, before.rule_id, before.contract_version,
            case when was_asked.again then 'resolved' else before.state end, before.found_at, before.waiver_id,
            coalesce(before.resolved_at, case when was_asked.again then %(at)s end),
            coalesce(before.resolved_by, case when was_asked.again then 'us' end),
            coalesce(before.resolved_by_delivery_id, case when was_asked.again then before.delivery_id end)
        from quality.findings_before_replay as before
        left join quality.check_results as results
            on before.delivery_id = results.delivery_id and before.rule_id = results.rule_id
        cross join lateral (select results.status is distinct from 'not_run' as again) as was_asked
        where before.delivery_id = any(%(ids)s)
        on conflict do nothing
        """,
        {"ids": list(replayed), "at": clock.now()},
    )
    cursor.execute("delete from quality.findings_before_replay where delivery_id = any(%s)", (list(replayed),))
    return replayed


def _fix_first(connection: Connection, house: House, delivery_ids: Collection[int]) -> None:
    """Fix what was right and what was found at first, in the caller's transaction; what cannot be counted holds
    nothing."""
    with connection.cursor() as cursor:
        _try_to_fix(cursor, "first publications", lambda: quality.fix_first_publications(cursor, house, delivery_ids))
        _try_to_fix(cursor, "first scores", lambda: quality.fix_first_scores(cursor, delivery_ids))


def _mark_waiting(cursor: Cursor, house: House, delivery_ids: Collection[int]) -> None:
    """Mark what waits for our mapping; where that cannot be told it is charged to the sender until it can."""
    _try_to_fix(cursor, "findings that wait", lambda: quality.mark_waiting(cursor, house, delivery_ids))


def _try_to_fix(cursor: Cursor, what: str, fix: Callable[[], None]) -> None:
    cursor.execute("savepoint first_told")
    try:
        fix()
    except Exception as error:
        if database.is_away(error):
            raise
        cursor.execute("rollback to savepoint first_told")
        log.error("%s were not counted: %s", what, database.safe_error(error))
    cursor.execute("release savepoint first_told")


def _compose(
    connection: Connection, house: House, delivery_ids: Collection[int] = (), file_ids: Collection[int] = ()
) -> None:
    """Write messages into the outbox in the caller's transaction; a message that cannot be written holds nothing."""
    with connection.cursor() as cursor:
        cursor.execute("savepoint compose")
        try:
            alerts.compose(connection, house, delivery_ids, file_ids)
        except Exception as error:
            if database.is_away(error):
                raise
            cursor.execute("rollback to savepoint compose")
            log.error("messages were not written: %s", database.safe_error(error))
        cursor.execute("release savepoint compose")


def answer_the_unanswered(connection: Connection, house: House) -> None:
    """Write the messages that are due and not there: of dead files and parts, and of deliveries not composed for.

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
        cursor.execute(
            """
            select deliveries.delivery_id
            from intake.deliveries
            inner join intake.files on deliveries.file_id = files.file_id
            where
                deliveries.status = 'dead_letter' and files.status <> 'dead_letter'
                and files.received_at > %s
                and not exists (select from alerts.messages where messages.delivery_id = deliveries.delivery_id)
            """,
            (since,),
        )
        delivery_ids += [delivery_id for (delivery_id,) in cursor]
        if file_ids or delivery_ids:
            _compose(connection, house, delivery_ids, file_ids)
