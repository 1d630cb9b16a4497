"""What the tables say about deliveries and dead files, as far as a message may know it: ids, counts, record numbers.

Read in the caller's transaction, for a whole batch at once. No file name, no header, no column of ``raw`` is touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ROWS_SHOWN = 10


@dataclass(frozen=True)
class Broken:
    """One rule that records of a delivery newly break. ``record_nos``: the first few; empty if it is about the file."""

    rule_id: str
    severity: str
    dimension: str
    recipient_role: str
    what_to_do: str
    record_count: int
    record_nos: tuple[int, ...]


@dataclass(frozen=True)
class Unread:
    """Lines of one file that could not be read, for one reason. The reason is the ledger's own sentence."""

    reason: str
    line_count: int
    line_nos: tuple[int, ...]
    due_at: datetime


@dataclass(frozen=True)
class Delivery:
    """One published delivery. ``to_answer``: records with a new finding above info, by role.

    ``reading``: how its bytes were read; ``entry_no``: where it stood in its archive, if it was one of several.
    """

    delivery_id: int
    file_id: int
    agency_code: str
    source: str
    feed: str
    received_at: datetime
    records_in: int
    records_loaded: int
    records_dead: int
    is_partly_read: bool
    publication_no: int
    reading: Mapping[str, Any]
    entry_no: int | None
    broken: tuple[Broken, ...]
    unread: tuple[Unread, ...]
    to_answer: Mapping[str, int]


@dataclass(frozen=True)
class DeadFile:
    """One file that could not be read at all, or that no agency and feed is known for; or a part of one.

    part_no: which part of the file (an entry of an archive, a sheet) it is; None for the whole file.
    """

    file_id: int
    delivery_id: int | None
    agency_code: str
    source: str
    received_at: datetime
    reason: str
    due_at: datetime | None
    part_no: int | None = None


def deliveries(connection: Connection, delivery_ids: Collection[int]) -> list[Delivery]:
    """Return the published ones among these deliveries, in order."""
    broken = _broken(connection, delivery_ids)
    unread = _unread(connection, delivery_ids)
    to_answer = _to_answer(connection, delivery_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select
                delivery_id, file_id, agency_code, source, deliveries.feed, received_at,
                coalesce(records_in, 0), coalesce(records_loaded, 0), coalesce(records_dead, 0),
                coalesce(records_dead > 0 or verdict in ('partly_read', 'unreadable'), false),
                (
                    select greatest(count(*), 1) from intake.delivery_events
                    where delivery_events.delivery_id = deliveries.delivery_id and status_to = 'published'
                ),
                coalesce(members.reading, '{}'),
                case
                    when (select count(*) from intake.members as every where every.file_id = deliveries.file_id) > 1
                        then (members.place ->> 'entry')::integer
                end
            from intake.deliveries
            left join intake.members using (file_id, member_no)
            where delivery_id = any(%s) and status = 'published'
            order by delivery_id
            """,
            (list(delivery_ids),),
        )
        return [
            Delivery(*(*row, tuple(broken[row[0]]), tuple(unread[row[0]]), dict(to_answer[row[0]])))
            for row in cursor.fetchall()
        ]


def dead_files(connection: Connection, file_ids: Collection[int]) -> list[DeadFile]:
    """Return the dead ones among these files, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select
                file_id,
                (select min(delivery_id) from intake.deliveries where deliveries.file_id = files.file_id),
                agency_code, source, received_at, coalesce(reason, 'It cannot be read.'),
                (select min(due_at) from quality.dead_letters where dead_letters.file_id = files.file_id)
            from intake.files
            where file_id = any(%s) and status = 'dead_letter'
            order by file_id
            """,
            (list(file_ids),),
        )
        return [DeadFile(*row) for row in cursor.fetchall()]


def dead_parts(connection: Connection, delivery_ids: Collection[int]) -> list[DeadFile]:
    """Return those of these deliveries that could not be read, of files of which something could, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select
                deliveries.file_id, deliveries.delivery_id, deliveries.agency_code, deliveries.source,
                deliveries.received_at,
                coalesce((array_agg(letters.reason order by letters.dead_letter_id))[1], 'It cannot be read.'),
                min(letters.due_at), deliveries.member_no
            from intake.deliveries
            inner join intake.files on deliveries.file_id = files.file_id and files.status <> 'dead_letter'
            left join quality.dead_letters as letters on deliveries.delivery_id = letters.delivery_id
            where deliveries.delivery_id = any(%s) and deliveries.status = 'dead_letter'
            group by deliveries.delivery_id
            order by deliveries.delivery_id
            """,
            (list(delivery_ids),),
        )
        return [DeadFile(*row) for row in cursor.fetchall()]


def _broken(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Broken]]:
    found: defaultdict[int, list[Broken]] = defaultdict(list)
    with connection.cursor() as cursor:
        # The first record numbers come off the primary key, rule by rule: no sort of a million findings.
        cursor.execute(
            """
            with counted as (
                select delivery_id, rule_id, contract_version, count(*) as record_count
                from quality.findings
                where delivery_id = any(%(ids)s) and state = 'new'
                group by delivery_id, rule_id, contract_version
            )
            select
                counted.delivery_id, counted.rule_id,
                coalesce(checks.severity, 'warning'), coalesce(checks.score_dimension, ''),
                coalesce(checks.recipient_role, 'liaison'),
                coalesce(checks.what_to_do, ''),
                counted.record_count,
                array(
                    select findings.record_no
                    from quality.findings
                    where
                        findings.delivery_id = counted.delivery_id and findings.rule_id = counted.rule_id
                        and findings.state = 'new' and findings.record_no > 0
                    order by findings.record_no
                    limit %(rows)s
                )
            from counted
            left join quality.checks
                on checks.rule_id = counted.rule_id and checks.contract_version = counted.contract_version
            order by counted.delivery_id, counted.rule_id
            """,
            {"ids": list(delivery_ids), "rows": ROWS_SHOWN},
        )
        for delivery_id, *rest, record_nos in cursor.fetchall():
            found[delivery_id].append(Broken(*(*rest, tuple(record_nos))))
    return found


def _to_answer(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, dict[str, int]]:
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select findings.delivery_id, coalesce(checks.recipient_role, 'liaison'), count(distinct findings.record_no)
            from quality.findings
            left join quality.checks
                on checks.rule_id = findings.rule_id and checks.contract_version = findings.contract_version
            where
                findings.delivery_id = any(%s) and findings.state = 'new' and findings.record_no > 0
                and checks.severity is distinct from 'info'
            group by 1, 2
            """,
            (list(delivery_ids),),
        )
        for delivery_id, role, count in cursor.fetchall():
            found[delivery_id][role] = count
    return found


def _unread(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Unread]]:
    found: defaultdict[int, list[Unread]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select
                delivery_id, min(reason), count(*), (array_agg(line_no order by line_no))[1:%(rows)s], min(due_at)
            from quality.dead_letters
            where delivery_id = any(%(ids)s) and resolved_at is null
            group by delivery_id, reason_code
            order by delivery_id, count(*) desc, reason_code
            """,
            {"ids": list(delivery_ids), "rows": ROWS_SHOWN},
        )
        for delivery_id, reason, count, line_nos, due_at in cursor.fetchall():
            numbers = tuple(line_no for line_no in line_nos if line_no is not None)
            found[delivery_id].append(Unread(reason, count, numbers, due_at))
    return found
