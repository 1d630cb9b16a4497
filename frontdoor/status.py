"""What the ledger says of files and deliveries, as documents with the names of INTERFACE.md.

Ids, counts, states and times. A file's name as sent, and the names of its members, stay in the ledger: they may name a
child.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from frontdoor import database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.settings import Settings

FILES_SHOWN = 1000
SEVERITIES = ("critical", "warning", "info")

_FILES = """
    select
        file_id, agency_code, source, sha256_received as sha256, status, duplicate_of, reason_code, reason, received_at
    from intake.files
    where
        (%(file_ids)s is null or file_id = any(%(file_ids)s))
        and (
            %(delivery_id)s is null
            or file_id = (select file_id from intake.deliveries where delivery_id = %(delivery_id)s)
        )
    order by file_id desc
    limit %(last)s
"""

_DELIVERIES = """
    select
        deliveries.file_id, delivery_id, member_no, agency_code, feed, contract_version, deliveries.status, verdict,
        (
            select min(reason) from quality.dead_letters
            where dead_letters.delivery_id = deliveries.delivery_id and line_no is null
        ) as reason,
        records_in, records_loaded, records_dead, received_at, published_at, builds.ended_at as built_at,
        (
            select case when bool_and(sent_at is not null) then max(sent_at) end
            from alerts.messages
            where messages.delivery_id = deliveries.delivery_id
        ) as alerted_at
    from intake.deliveries
    left join warehouse.builds on builds.build_id = deliveries.built_in
    where deliveries.file_id = any(%(file_ids)s)
    order by delivery_id
"""

_FINDINGS = """
    select
        counted.delivery_id,
        coalesce(checks.severity, 'warning') as severity,
        sum(counted.findings)::bigint as findings
    from (
        select delivery_id, rule_id, contract_version, count(*) as findings
        from quality.findings
        where delivery_id = any(%(delivery_ids)s)
        group by delivery_id, rule_id, contract_version
    ) as counted
    left join quality.checks
        on checks.rule_id = counted.rule_id and checks.contract_version = counted.contract_version
    group by 1, 2
"""

# A dead file is told of by a message of its own, which may not be written yet, and so is a dead part of a living file.
# Whatever is in the outbox must be out.
_IS_DONE = """
    select
        files.status = 'duplicate'
        or (
            not exists (
                select from intake.deliveries
                where
                    deliveries.file_id = files.file_id and deliveries.status <> 'dead_letter'
                    and (deliveries.status <> 'published' or deliveries.built_in is null)
            )
            and (
                files.status <> 'dead_letter'
                or exists (select from alerts.messages where messages.file_id = files.file_id)
            )
            and (
                files.status = 'dead_letter'
                or not exists (
                    select from intake.deliveries
                    where
                        deliveries.file_id = files.file_id and deliveries.status = 'dead_letter'
                        and not exists (
                            select from alerts.messages where messages.delivery_id = deliveries.delivery_id
                        )
                )
            )
            and not exists (
                select from alerts.messages where messages.file_id = files.file_id and messages.sent_at is null
            )
        )
    from intake.files
    where file_id = %s
"""

_PENDING = """
    select
        count(*) filter (where status = 'received') as received,
        count(*) filter (where status = 'loaded') as loaded,
        count(*) filter (where status = 'checked') as checked,
        count(*) filter (where status = 'published' and built_in is null) as unbuilt,
        (select count(*) from alerts.messages where sent_at is null and held_at is null) as unsent
    from intake.deliveries
    where status in ('received', 'loaded', 'checked') or (status = 'published' and built_in is null)
"""


def report(settings: Settings, *, delivery_id: int | None = None, last: int = FILES_SHOWN) -> dict[str, Any]:
    """Return the whole status: database, airflow, pending, and the newest files (or the one of a delivery)."""
    from frontdoor import platform

    connection = database.connect(settings)
    try:
        url = platform.airflow_url(settings)
        return {
            "database": database.as_document(database.locate(settings)),
            "airflow": {"url": url} if url else None,
            "pending": pending(connection, settings),
            "files": files(connection, delivery_id=delivery_id, last=last),
        }
    finally:
        connection.close()


def pending(connection: Connection, settings: Settings) -> dict[str, int]:
    """Return how much waits for each step; ``landing`` counts files that the ledger does not know."""
    from frontdoor.intake import bucket
    from frontdoor.intake.lying import lying
    from frontdoor.intake.watch import landed

    (counts,) = _rows(connection, _PENDING)
    in_store: set[str] = set()
    with suppress(OSError):  # a store that is away: the doctor says so
        in_store = {each.token for each in bucket.waiting(settings)}
    here = sum(1 for _ in landed(settings.landing)) + len(lying(settings, in_store))
    return {"landing": len(in_store) + here, **counts}


def silent_senders(settings: Settings) -> int:
    """Return of how many agencies and feeds something that was due is missing."""
    connection = database.connect(settings)
    try:
        ((count,),) = [
            tuple(row.values())
            for row in _rows(
                connection,
                "select count(distinct (agency_code, feed, source)) as senders from quality.expected_deliveries"
                " where settled_at is null and state = 'missing'",
            )
        ]
    finally:
        connection.close()
    return int(count)


def files(
    connection: Connection,
    *,
    file_ids: Collection[int] | None = None,
    delivery_id: int | None = None,
    last: int = FILES_SHOWN,
) -> list[dict[str, Any]]:
    """Return FILE documents, the newest first."""
    wanted = {"file_ids": None if file_ids is None else list(file_ids), "delivery_id": delivery_id, "last": last}
    found = _rows(connection, _FILES, wanted)
    shown = {"file_ids": [file["file_id"] for file in found]}
    deliveries = _by_file(_with_findings(connection, _rows(connection, _DELIVERIES, shown)))
    members = _by_file(
        _rows(
            connection,
            "select file_id, member_no, place, feed, record_count, reading from intake.members"
            " where file_id = any(%(file_ids)s) order by file_id, member_no",
            shown,
        )
    )
    return [
        {**file, "deliveries": deliveries.get(file["file_id"], []), "members": members.get(file["file_id"], [])}
        for file in found
    ]


def is_done(connection: Connection, file_id: int) -> bool:
    """Tell whether a file has reached its end: published and built and told of, refused and told of, or a duplicate."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_DONE, (file_id,))
        row = cursor.fetchone()
    return bool(row and row[0])


def _with_findings(connection: Connection, deliveries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts: defaultdict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SEVERITIES, 0))
    ids = {"delivery_ids": [delivery["delivery_id"] for delivery in deliveries]}
    for row in _rows(connection, _FINDINGS, ids):
        counts[row["delivery_id"]][row["severity"]] += row["findings"]
    return [{**delivery, "findings": counts[delivery["delivery_id"]]} for delivery in deliveries]


def _by_file(rows: Iterable[dict[str, Any]]) -> Mapping[int, list[dict[str, Any]]]:
    grouped: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["file_id"]].append({name: value for name, value in row.items() if name != "file_id"})
    return grouped


def _rows(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
