"""What is past its time, by the policy in force (reference.retention), and what is kept all the same.

    payload    what was sent of children, as sent and as read, in the marts, on lists and in the archive
    findings   what was found, without a value; receipts on disk with it
    messages   letters that were sent

A delivery goes whole or stays whole. It stays while anything in it is open: a record that nobody has decided about, a
line that nobody followed up, a dispute, a visit of a plan that runs, a build that is still to come; and while a hold
covers it. So a month goes as a partition where all of it goes; where something in it stays, the others' rows go and the
partition stays. The ledger stays for good, with both hashes, in the archive too (`past`); what was counted stays as it
was counted (warehouse.fix_counts). Nothing goes by itself: somebody runs it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database
from frontdoor.delivery import past
from frontdoor.delivery.erasing.rows import Relation, relations
from frontdoor.intake import archive, journal
from frontdoor.prepare import prepare_if_changed
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

PAST = past.NO_NAME
# So many deliveries are taken out in one transaction.
BATCH = 200
KEPT_BECAUSE = {
    "hold": "a legal hold",
    "waiting": "a record that nobody has decided about",
    "unread": "lines that nobody has followed up",
    "disputed": "a dispute that is not settled",
    "repeated": "records that were sent again since and stand here",
    "running": "visits of a plan that runs",
    "unbuilt": "not in the marts yet",
}


@dataclass(frozen=True)
class Going:
    """What would go of one relation, or of the archive; months of receipt; bytes where they are known."""

    what: str
    count: int
    oldest: date | None
    newest: date | None
    size_bytes: int | None


@dataclass(frozen=True)
class Retention:
    """What is past its time. cutoffs: policy -> what came before goes; kept: why -> deliveries that stay for it."""

    cutoffs: dict[str, datetime]
    deliveries: tuple[int, ...]
    findings_of: tuple[int, ...]
    partitions: tuple[str, ...]
    archived: tuple[str, ...]
    going: tuple[Going, ...]
    kept: dict[str, tuple[int, ...]]

    def document(self) -> dict[str, Any]:
        """Return it by names."""
        return asdict(self)


class NotBuilt(RuntimeError):
    """Without the lists nobody knows what is open, so nothing may go."""


def look(connection: Connection) -> Retention:
    """Find what is past its time. Reads only. Raises `NotBuilt`."""
    with connection, connection.cursor() as cursor:
        cutoffs = _cutoffs(cursor)
        kept = {why: tuple(ids) for why, ids in _kept(cursor, cutoffs["payload"]).items() if ids}
        staying = {each for ids in kept.values() for each in ids}
        old = _ids(
            cursor,
            "select delivery_id from intake.deliveries where received_at < %s and payload_removed_at is null"
            " order by 1",
            cutoffs["payload"],
        )
        deliveries = [each for each in old if each not in staying]
        findings_of = _ids(
            cursor,
            "select delivery_id from intake.deliveries where received_at < %s and findings_removed_at is null"
            " and (payload_removed_at is not null or delivery_id = any(%s)) and not exists (select from intake.holds"
            " where lifted_at is null and (holds.delivery_id = deliveries.delivery_id"
            " or holds.agency_code = deliveries.agency_code)) order by 1",
            cutoffs["findings"],
            deliveries,
        )
        return Retention(
            cutoffs=cutoffs,
            deliveries=tuple(deliveries),
            findings_of=tuple(findings_of),
            partitions=tuple(_partitions(cursor, deliveries)),
            archived=tuple(_archived(cursor, cutoffs["payload"], deliveries)),
            going=tuple(_going(cursor, deliveries, findings_of, cutoffs)),
            kept=kept,
        )


def apply(settings: Settings) -> Retention:
    """Let go of what is past its time, and return what that was. Each batch commits; safe to repeat after a crash."""
    with closing(database.connect(settings, application_name="frontdoor_retention")) as connection:
        prepare_if_changed(connection, settings)
        with (
            database.advisory_lock(connection, "erasure", wait=True),
            database.advisory_lock(connection, "warehouse", "build", wait=True),
        ):
            found = look(connection)
            for some in _batches(found.deliveries, BATCH):
                with connection, connection.cursor() as cursor:
                    _let_go(cursor, list(some), found.partitions)
            for name in found.partitions:
                _drop(connection, name)
            _let_children_go(connection)
            for name in found.archived:
                with connection, connection.cursor() as cursor:
                    past.seal(cursor, settings, name)
                archive.delete(settings, name)
                with connection, connection.cursor() as cursor:
                    cursor.execute(
                        "update intake.files set stored_name = null, key_id = null, file_name = %s"
                        " where stored_name = %s returning taken_token",
                        (PAST, name),
                    )
                    # Also of repeats of the same bytes: a note says what a file was called.
                    for (token,) in cursor.fetchall():
                        journal.forget(settings, token)
            for some in _batches(found.findings_of, BATCH):
                _delete_receipts(settings, connection, some)
                past.forget_findings(connection, settings, some)
                with connection, connection.cursor() as cursor:
                    _let_findings_go(cursor, list(some))
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "delete from alerts.messages where created_at < %s and sent_at is not null",
                    (found.cutoffs["messages"],),
                )
    log.info("retention: %s deliveries, %s archived files", len(found.deliveries), len(found.archived))
    return found


def _cutoffs(cursor: Cursor) -> dict[str, datetime]:
    """Policy -> the beginning (UTC, as partitions have it) of the first month that is kept."""
    now = clock.now()
    cursor.execute(
        """
        select distinct on (policy_id)
            policy_id,
            date_trunc('month', (%(now)s at time zone 'UTC') - make_interval(months => keep_months)) at time zone 'UTC'
        from reference.retention
        where valid_from <= %(now)s::date and coalesce(valid_to >= %(now)s::date, true)
        order by policy_id, valid_from desc
        """,
        {"now": now},
    )
    found = dict(cursor.fetchall())
    never = datetime.min.replace(tzinfo=ZoneInfo("UTC"), year=1900)
    return {policy: found.get(policy, never) for policy in ("payload", "findings", "messages")}


def _kept(cursor: Cursor, before: datetime) -> dict[str, list[int]]:
    """Why -> deliveries from before that day that stay."""
    cursor.execute("select to_regclass('worklists.triage') is not null")
    if cursor.fetchone() != (True,):
        raise NotBuilt("The lists are not built, so nobody knows what is open: frontdoor ingest first.")
    old = "select delivery_id from intake.deliveries where received_at < %(before)s and payload_removed_at is null"
    queries = {
        "waiting": f"""
            select distinct delivery_id from worklists.triage
            where is_open is not false and delivery_id in ({old})""",
        "unread": f"""
            select deliveries.delivery_id
            from intake.deliveries inner join quality.dead_letters as letters using (file_id)
            where letters.resolved_at is null and deliveries.delivery_id in ({old})""",
        "disputed": f"""
            select delivery_id from quality.disputes
            where answer = 'dispute' and outcome is null and delivery_id in ({old})""",
        "unbuilt": f"""
            select delivery_id from intake.deliveries
            where status <> 'dead_letter' and (built_in is null or status <> 'published') and delivery_id in ({old})""",
        "hold": f"""
            select deliveries.delivery_id
            from intake.deliveries
            inner join intake.holds
                on holds.delivery_id = deliveries.delivery_id or holds.agency_code = deliveries.agency_code
            where holds.lifted_at is null and deliveries.delivery_id in ({old})""",
    }
    cursor.execute("select child_key from intake.holds where lifted_at is null and child_key is not null")
    children = [key for (key,) in cursor]
    kept = {why: sorted(set(_ids(cursor, query, before=before))) for why, query in queries.items()}
    for table, columns in _versions(cursor).items():
        if "child_key" in columns and children:
            query = f"""
                select distinct delivery_id from {table}
                where child_key = any(%(children)s) and delivery_id in ({old})"""
            kept["hold"] = sorted({*kept["hold"], *_ids(cursor, query, before=before, children=children)})
        # A repeat is on the list by the record that it repeats.
        query = f"""
            select distinct delivery_id from {table} as stands
            where
                is_current and delivery_id in ({old})
                and exists (
                    select from {table} as later
                    where later.record_key = stands.record_key and later.received_at >= %(before)s
                )"""
        kept["repeated"] = sorted({*kept.get("repeated", ()), *_ids(cursor, query, before=before)})
        if "plan_ended_on" in columns:
            query = f"""
                select distinct delivery_id from {table}
                where
                    is_current and is_in_latest_extract and coalesce(plan_ended_on > %(before)s::date, true)
                    and delivery_id in ({old})"""
            kept["running"] = sorted({*kept.get("running", ()), *_ids(cursor, query, before=before)})
    return {why: kept[why] for why in KEPT_BECAUSE if why in kept}


def _versions(cursor: Cursor) -> dict[str, set[str]]:
    cursor.execute(
        "select attrelid::regclass::text, array_agg(attname::text) from pg_attribute"
        " inner join pg_class on attrelid = pg_class.oid where relnamespace = 'core'::regnamespace and relkind = 'r'"
        " and relname like 'fct\\_%\\_version' and attnum > 0 and not attisdropped group by 1"
    )
    return {table: set(columns) for table, columns in cursor.fetchall()}


def _of_deliveries(cursor: Cursor) -> list[Relation]:
    """Relations with rows of records, but those of quality, which have their own time."""
    return [each for each in relations(cursor) if each.delivery and each.record and each.schema != "quality"]


def _partitions(cursor: Cursor, deliveries: Sequence[int]) -> Iterator[str]:
    """Yield the partitions of raw of which every row belongs to these deliveries, or to such as are gone already."""
    cursor.execute(
        "select inhrelid::regclass::text from pg_inherits inner join pg_class on inhrelid = pg_class.oid"
        " where relnamespace = 'raw'::regnamespace and relkind = 'r' order by 1"
    )
    for (name,) in cursor.fetchall():
        cursor.execute(
            "select count(*) > 0, coalesce(bool_and(held._delivery_id = any(%s) or deliveries.payload_removed_at is not"
            f" null), false) from (select distinct _delivery_id from {name}) as held"
            " left join intake.deliveries on held._delivery_id = deliveries.delivery_id",
            (list(deliveries),),
        )
        if cursor.fetchone() == (True, True):
            yield name


def _archived(cursor: Cursor, before: datetime, deliveries: Sequence[int]) -> list[str]:
    """Names in the archive of which every file is old, followed up, not held, and supplies nothing that stays."""
    cursor.execute(
        """
        select files.stored_name
        from intake.files as files
        where files.stored_name is not null
        group by files.stored_name
        having bool_and(
            files.received_at < %s
            and not exists (
                select from intake.deliveries
                where
                    deliveries.file_id = files.file_id and deliveries.payload_removed_at is null
                    and deliveries.delivery_id <> all(%s)
            )
            and not exists (
                select from quality.dead_letters as letters
                where letters.file_id = files.file_id and letters.resolved_at is null
            )
            and not exists (
                select from intake.holds where holds.lifted_at is null and holds.agency_code = files.agency_code
            )
        )
        order by 1
        """,
        (before, list(deliveries)),
    )
    return [name for (name,) in cursor.fetchall()]


def _going(
    cursor: Cursor, deliveries: Sequence[int], findings_of: Sequence[int], cutoffs: dict[str, datetime]
) -> Iterator[Going]:
    for each in _of_deliveries(cursor):
        yield from _counted(cursor, f"{each.schema}.{each.table}", each.name(), each.delivery, deliveries)
    yield from _counted(
        cursor, "raw.unmapped_labels", sql.Identifier("raw", "unmapped_labels"), "delivery_id", deliveries
    )
    cursor.execute(
        "select count(*), min(received_at)::date, max(received_at)::date, sum(size_bytes)::bigint from (select"
        " distinct on (stored_name) received_at, size_bytes from intake.files where stored_name = any(%s)) as kept",
        (_archived(cursor, cutoffs["payload"], deliveries),),
    )
    for count, oldest, newest, size in cursor.fetchall():
        if count:
            yield Going("archive", count, oldest, newest, size)
    for table in ("findings", "check_results"):
        yield from _counted(cursor, f"quality.{table}", sql.Identifier("quality", table), "delivery_id", findings_of)
    cursor.execute(
        "select count(*), min(created_at)::date, max(created_at)::date from alerts.messages"
        " where created_at < %s and sent_at is not null",
        (cutoffs["messages"],),
    )
    for count, oldest, newest in cursor.fetchall():
        if count:
            yield Going("alerts.messages", count, oldest, newest, None)


def _counted(
    cursor: Cursor, what: str, table: sql.Composable, column: str, deliveries: Sequence[int]
) -> Iterator[Going]:
    cursor.execute(
        sql.SQL(
            "select count(*), min(deliveries.received_at)::date, max(deliveries.received_at)::date,"
            " sum(pg_column_size(held.*))::bigint from {table} as held"
            " inner join intake.deliveries on held.{column} = deliveries.delivery_id where held.{column} = any(%s)"
        ).format(table=table, column=sql.Identifier(column)),
        (list(deliveries),),
    )
    for count, oldest, newest, size in cursor.fetchall():
        if count:
            yield Going(what, count, oldest, newest, size)


def _let_go(cursor: Cursor, ids: list[int], partitions: Collection[str]) -> None:
    """Take the payload of deliveries out of the database, but for partitions that are dropped whole."""
    cursor.execute("select warehouse.fix_counts(%s, %s)", (ids, clock.now()))
    dropped = {name.removeprefix("raw.")[: -len("_y2026m11")] for name in partitions}
    for each in _of_deliveries(cursor):
        where = sql.SQL("delete from {} where {} = any(%s)").format(each.name(), sql.Identifier(each.delivery))
        if each.schema == "raw" and each.table in dropped:
            # Rows of a month that is dropped go with it.
            where += sql.SQL(" and tableoid <> all(%s::regclass[]::oid[])")
            cursor.execute(where, (ids, list(partitions)))
        else:
            cursor.execute(where, (ids,))
    cursor.execute("delete from raw.unmapped_labels where delivery_id = any(%s)", (ids,))
    cursor.execute("delete from quality.amendments where delivery_id = any(%s)", (ids,))
    # What was found stays, and not in whom.
    cursor.execute(
        "update quality.findings set record_key = null where delivery_id = any(%s) and record_key is not null", (ids,)
    )
    cursor.execute("update quality.waivers set record_key = null where delivery_id = any(%s)", (ids,))
    cursor.execute(
        "update quality.disputes set reason = %s, settlement = case when settlement is not null then %s end"
        " where delivery_id = any(%s)",
        (PAST, PAST, ids),
    )
    cursor.execute(
        "update intake.deliveries set payload_removed_at = %s, records_removed = coalesce(records_loaded, 0)"
        " where delivery_id = any(%s)",
        (clock.now(), ids),
    )


def _drop(connection: Connection, name: str) -> None:
    """Drop a month, if what is left of it is only what was marked as gone: nothing that came in the meantime."""
    with connection, connection.cursor() as cursor:
        cursor.execute("set local lock_timeout = '30s'")
        cursor.execute(f"lock table {name} in access exclusive mode")
        cursor.execute(
            f"select exists (select from {name} as held inner join intake.deliveries"
            " on held._delivery_id = deliveries.delivery_id where deliveries.payload_removed_at is null)"
        )
        if cursor.fetchone() == (False,):
            cursor.execute(f"drop table {name}")


def _let_children_go(connection: Connection) -> None:
    """Take out children of whom no record is left."""
    with connection, connection.cursor() as cursor:
        held = relations(cursor)
        read = [each.name() for each in held if each.schema == "raw" and each.child and each.record]
        left = sql.SQL(" and ").join(
            sql.SQL("not exists (select from {} as kept where kept.child_key = children.child_key)").format(name)
            for name in read
        )
        for each in held:
            if each.schema == "core" and each.child and not each.record and read:
                cursor.execute(sql.SQL("delete from {} as children where {}").format(each.name(), left))


def _let_findings_go(cursor: Cursor, ids: list[int]) -> None:
    for table in ("findings", "findings_before_replay", "check_results", "receipts"):
        cursor.execute(
            sql.SQL("delete from {} where delivery_id = any(%s)").format(sql.Identifier("quality", table)), (ids,)
        )
    cursor.execute(
        "update intake.deliveries set findings_removed_at = %s where delivery_id = any(%s)", (clock.now(), ids)
    )


def _delete_receipts(settings: Settings, connection: Connection, ids: Collection[int]) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select agency_code, delivery_id from intake.deliveries where delivery_id = any(%s)", (list(ids),)
        )
        for agency, delivery_id in cursor:
            folder: Path = settings.receipts / agency
            for path in folder.glob(f"delivery-{delivery_id}.*") if folder.is_dir() else ():
                path.unlink(missing_ok=True)


def _batches(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (ids[at : at + size] for at in range(0, len(ids), size))


def _ids(cursor: Cursor, query: str, *values: Any, **named: Any) -> list[int]:
    cursor.execute(query, named or values)
    return [each for (each,) in cursor.fetchall()]
