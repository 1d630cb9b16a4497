"""A request to erase: made of a plan, and its rows in the ledger.

It says everything that is needed to do it, in this database or in one brought back from before: the token of the file,
the part, the number of the record. Where it stands, so that it outlives database and backups, `kept` says.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from frontdoor import clock
from frontdoor.delivery.erasing import kept
from frontdoor.delivery.erasing.kept import Request
from frontdoor.delivery.erasing.plan import Plan, Record
from frontdoor.settings import Settings


@dataclass(frozen=True)
class Gone:
    """A record that is to be gone, where it lies in this database."""

    feed: str
    agency: str
    delivery_id: int
    record_no: int
    received_at: datetime
    file_id: int
    member_no: int
    taken_token: str


def new(
    connection: Connection,
    settings: Settings,
    plan: Plan,
    reason: str,
    by_role: str,
    handed_to: str | None,
    evidence: str | None,
) -> Request:
    """Make the request that a plan is."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select delivery_id, taken_token, member_no from intake.deliveries inner join intake.files using (file_id)"
            " where delivery_id = any(%s)",
            (sorted({each.delivery_id for each in plan.records}),),
        )
        where = {delivery_id: (token, member_no) for delivery_id, token, member_no in cursor}
    return Request(
        erasure_id=str(uuid.uuid4()),
        reason=reason,
        by_role=by_role,
        handed_to=handed_to,
        evidence=evidence,
        asked_at=clock.now().isoformat(),
        tombstones=tuple((*where[each.delivery_id], each.record_no) for each in plan.records),
        digests=kept.new_digests(settings, _keys_of(plan.records)),
    )


def note(cursor: Cursor, request: Request) -> list[Gone]:
    """Write a request into the ledger, unless it is there, and return the records that it means in this database.

    A file of which this database knows nothing (it came after the backup that was brought back) has no record to erase.
    """
    cursor.execute(
        """
        insert into intake.erasures (
            erasure_id, reason, by_role, handed_to, evidence, asked_at, records_count, state, looked_to
        )
        -- What came behind the last of its records was not looked at when it was planned.
        select %s, %s, %s, %s, %s, %s, %s, 'asked', coalesce(max(deliveries.delivery_id), 0)
        from intake.deliveries as deliveries inner join intake.files as files using (file_id)
        where files.taken_token = any(%s)
        on conflict do nothing
        """,
        (
            *(request.erasure_id, request.reason, request.by_role, request.handed_to, request.evidence),
            *(request.asked_at, len(request.tombstones), [token for token, _, _ in request.tombstones]),
        ),
    )
    cursor.execute(
        """
        select
            deliveries.feed, deliveries.agency_code, deliveries.delivery_id, asked.record_no, deliveries.received_at,
            deliveries.file_id, deliveries.member_no, files.taken_token
        from unnest(%s, %s, %s) as asked (token, member_no, record_no)
        inner join intake.files as files on asked.token = files.taken_token
        inner join intake.deliveries as deliveries
            on files.file_id = deliveries.file_id and asked.member_no = deliveries.member_no
        order by deliveries.delivery_id, asked.record_no
        """,
        tuple([each[at] for each in request.tombstones] for at in range(3)),
    )
    found = [Gone(*row) for row in cursor.fetchall()]
    execute_values(
        cursor,
        "insert into intake.tombstones (delivery_id, record_no, erasure_id, feed, taken_token, member_no) values %s"
        " on conflict do nothing",
        [
            (each.delivery_id, each.record_no, request.erasure_id, each.feed, each.taken_token, each.member_no)
            for each in found
        ],
    )
    execute_values(
        cursor,
        "insert into intake.erased_keys (erasure_id, digest) values %s on conflict do nothing",
        [(request.erasure_id, digest) for digest in request.digests],
    )
    return found


def files_of(connection: Connection, gone: Collection[Gone]) -> dict[int, dict[int, list[int]]]:
    """Return file -> part -> every record of it that was ever erased, one file for each name in the archive."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            with touched as (
                select distinct files.stored_name
                from intake.files as files
                where files.file_id = any(%s) and files.stored_name is not null
            ), same as (
                select files.file_id, min(files.file_id) over (partition by files.stored_name) as first_file_id
                from intake.files as files
                inner join touched on files.stored_name = touched.stored_name
                where exists (select from intake.deliveries where deliveries.file_id = files.file_id)
            )
            select same.first_file_id, deliveries.member_no, tombstones.record_no
            from same
            inner join intake.deliveries as deliveries on same.file_id = deliveries.file_id
            inner join intake.tombstones as tombstones on deliveries.delivery_id = tombstones.delivery_id
            """,
            (sorted({each.file_id for each in gone}),),
        )
        found: dict[int, dict[int, list[int]]] = {}
        for file_id, member_no, record_no in cursor:
            found.setdefault(file_id, {}).setdefault(member_no, []).append(record_no)
    return found


def _keys_of(records: Collection[Record]) -> set[str]:
    keys = {each.child_key for each in records} | {each.record_key for each in records if each.has_own_key}
    return {key for key in keys if key}
