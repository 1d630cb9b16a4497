"""What was counted of records that are gone, sealed beside the archive: a rebuild cannot count them again.

Before the commit by which records go, `seal` writes down what was counted of their deliveries as it stands: the rows
that are fixed (`warehouse.fix_counts`), what the checks came to, what was found in them. No value of a record, and no
key that tells whose it was. `bring_back` puts it into a ledger that took the rest of those files in again, or that was
brought back from before; a delivery whose counts are fixed there knows better, and keeps them.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from frontdoor import clock
from frontdoor.intake import archive, papers
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# Of a delivery as a whole; and of its records, of those that are gone.
OF_DELIVERIES = ("quality.check_results", "quality.first_scores", "quality.first_publications")
OF_RECORDS = "quality.findings"
# Says whose it was, or names what is not in the archive.
LEFT_OUT = ("record_key", "waiver_id")
Document = dict[str, Any]


def seal(cursor: Cursor, settings: Settings, name: str, ids: Collection[int]) -> None:
    """Write down what is fixed of these deliveries, over what was written under that name. In the caller's transaction.

    Raises an `OSError` where the archive is away: then nothing may go.
    """
    said = {
        "at": clock.now().isoformat(),
        "deliveries": [told_of(cursor, delivery_id) for delivery_id in sorted(ids)],
        "weeks": _weeks(cursor, ids),
    }
    papers.write(settings, papers.COUNTED, name, said)


def complete(connection: Connection, settings: Settings) -> None:
    """Write down what only the ledger knows, from before it was sealed: once, where nothing was. Commits."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select delivery_id from intake.deliveries where counts_fixed_at is not null and payload_removed_at is null"
        )
        ids = [delivery_id for (delivery_id,) in cursor.fetchall()]
        if ids and next(papers.names(settings, papers.COUNTED), None) is None:
            seal(cursor, settings, str(uuid.uuid4()), ids)


def bring_back(connection: Connection, settings: Settings) -> int:
    """Put what was counted into this database; return of how many deliveries. Commits; safe to repeat.

    What does not open is passed over. Raises an `OSError` where the archive is away.
    """
    documents = _newest_last(settings)
    newest: dict[tuple[str, int], Mapping[str, Any]] = {}
    for document in documents:
        newest.update({(each["token"], each["member_no"]): each for each in document["deliveries"]})
    count = 0
    for (token, member_no), said in newest.items():
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select delivery_id from intake.deliveries inner join intake.files using (file_id)"
                " where taken_token = %s and member_no = %s and counts_fixed_at is null",
                (token, member_no),
            )
            for (delivery_id,) in cursor.fetchall():
                put(cursor, delivery_id, said)
                count += 1
    with connection, connection.cursor() as cursor:
        for document in documents:
            for week in document["weeks"]:
                _put_weeks(cursor, week)
    return count


def told_of(cursor: Cursor, delivery_id: int, *, with_every_finding: bool = False) -> dict[str, Any]:
    """Return what was counted of a delivery, with what was found in its records that were erased, or in all of them."""
    cursor.execute(
        "select taken_token, member_no, verdict, counts_fixed_at::text"
        " from intake.deliveries inner join intake.files using (file_id) where delivery_id = %s",
        (delivery_id,),
    )
    ((token, member_no, verdict, fixed_at),) = cursor.fetchall()
    cursor.execute(
        "select jsonb_object_agg(relation, rows) from warehouse.fixed_counts where key = %s", (str(delivery_id),)
    )
    ((fixed,),) = cursor.fetchall()
    rows = {}
    for table in OF_DELIVERIES:
        cursor.execute(
            sql.SQL("select jsonb_agg(to_jsonb(kept)) from {} as kept where delivery_id = %s").format(_name(table)),
            (delivery_id,),
        )
        ((rows[table],),) = cursor.fetchall()
    cursor.execute(
        sql.SQL(
            "select jsonb_agg(to_jsonb(kept) - %s) from {} as kept where kept.delivery_id = %s and (%s or exists ("
            "select from intake.tombstones as gone"
            " where gone.delivery_id = kept.delivery_id and gone.record_no = kept.record_no))"
        ).format(_name(OF_RECORDS)),
        (list(LEFT_OUT), delivery_id, with_every_finding),
    )
    ((rows[OF_RECORDS],),) = cursor.fetchall()
    return {
        "token": token,
        "member_no": member_no,
        "verdict": verdict,
        "fixed_at": fixed_at,
        "fixed": fixed or {},
        "rows": {table: of_table or [] for table, of_table in rows.items()},
    }


def _weeks(cursor: Cursor, ids: Collection[int]) -> list[dict[str, Any]]:
    cursor.execute(
        """
        select weeks.agency_code, weeks.before::text, fixed.relation, fixed.rows, fixed.fixed_at::text
        from warehouse.fixed_weeks as weeks
        left join warehouse.fixed_counts as fixed on weeks.agency_code = fixed.key
        where weeks.agency_code in (select agency_code from intake.deliveries where delivery_id = any(%s))
        order by 1
        """,
        (list(ids),),
    )
    names = ("agency_code", "before", "relation", "rows", "fixed_at")
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _newest_last(settings: Settings) -> list[Document]:
    found = []
    for name in papers.names(settings, papers.COUNTED):
        try:
            paper = papers.read(settings, papers.COUNTED, name)
        except (archive.Damaged, archive.KeyMissing) as error:
            log.error("what was counted of records that are gone since cannot be read (%s): %s", name, error)
            continue
        found += [paper.said] if paper else []
    return sorted(found, key=lambda each: str(each["at"]))


def put(cursor: Cursor, delivery_id: int, said: Mapping[str, Any]) -> None:
    """Let a delivery count as `told_of` told it."""
    for table, rows in said["rows"].items():
        if table != OF_RECORDS:
            cursor.execute(sql.SQL("delete from {} where delivery_id = %s").format(_name(table)), (delivery_id,))
        insert(cursor, table, [{**row, "delivery_id": delivery_id} for row in rows])
    for relation, rows in said["fixed"].items():
        counted = [{**row, "first_delivery_id": delivery_id} for row in rows]
        cursor.execute(
            "insert into warehouse.fixed_counts (relation, key, rows, fixed_at) values (%s, %s, %s, %s)"
            " on conflict do nothing",
            (relation, str(delivery_id), Json(counted), said["fixed_at"]),
        )
        # Where the relation is made already, it holds what was counted of less, or nothing.
        if _exists(cursor, table := f"core.{relation}"):
            cursor.execute(sql.SQL("delete from {} where first_delivery_id = %s").format(_name(table)), (delivery_id,))
            insert(cursor, table, counted)
    # Looked at again by the next build: what it comes to, rule by rule.
    cursor.execute(
        "update intake.deliveries set counts_fixed_at = %s, verdict = %s, built_in = null, records_built = 0"
        " where delivery_id = %s",
        (said["fixed_at"], said["verdict"], delivery_id),
    )


def _put_weeks(cursor: Cursor, week: Mapping[str, Any]) -> None:
    cursor.execute(
        "insert into warehouse.fixed_weeks (agency_code, before) values (%s, %s) on conflict (agency_code)"
        " do update set before = excluded.before where fixed_weeks.before < excluded.before returning before",
        (week["agency_code"], week["before"]),
    )
    if not cursor.fetchall() or week["relation"] is None:
        return
    cursor.execute(
        "insert into warehouse.fixed_counts (relation, key, rows, fixed_at) values (%s, %s, %s, %s)"
        " on conflict (relation, key) do update set rows = excluded.rows, fixed_at = excluded.fixed_at",
        (week["relation"], week["agency_code"], Json(week["rows"]), week["fixed_at"]),
    )
    if _exists(cursor, table := f"indicators.{week['relation']}"):
        cursor.execute(
            sql.SQL("delete from {} where agency_code = %s and period_start < %s").format(_name(table)),
            (week["agency_code"], week["before"]),
        )
        insert(cursor, table, week["rows"])


def insert(cursor: Cursor, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows as they were told; a column that a later release added has its default."""
    if not rows:
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    cursor.execute(
        sql.SQL(
            "insert into {table} ({columns}) overriding system value"
            " select {columns} from jsonb_populate_recordset(null::{table}, %s)"
            " on conflict do nothing"
        ).format(table=_name(table), columns=columns),
        (Json([dict(row) for row in rows]),),
    )


def _exists(cursor: Cursor, table: str) -> bool:
    cursor.execute("select to_regclass(%s) is not null", (table,))
    return cursor.fetchone() == (True,)


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split(".", 1))
