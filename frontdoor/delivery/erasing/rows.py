"""Take records out of every relation that holds them, found by their columns and not by a list: a feed is a room.

raw, core, worklists, ..    the row goes; where a relation has one row per child, when no record of it is left
quality                     the row stays, for what was wrong stays counted; the key that tells whose it was goes
texts that people wrote     are blanked where they are about the record, or say one of its values
counts                      are fixed as they stand (warehouse.fix_counts), and never made again from less
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from frontdoor import clock, quality
from frontdoor.contract import House
from frontdoor.delivery.erasing.plan import Place, values_of
from frontdoor.intake.remainder import NO_NAME

SCHEMAS = ("raw", "core", "worklists", "staging", "indicators", "scores", "bi", "quality")
# (relation, column): what people wrote, and where it may be about a record.
TEXTS = (
    ("quality.disputes", "reason"),
    ("quality.disputes", "settlement"),
    ("quality.waivers", "reason"),
    ("quality.attributions", "reason"),
)


@dataclass(frozen=True)
class Relation:
    """A table with rows of records (`record`), or of children (`child` alone): the names of their columns."""

    schema: str
    table: str
    delivery: str
    record: str
    child: str
    key: str
    is_key_needed: bool

    def name(self) -> sql.Identifier:
        """Return the table as SQL names it."""
        return sql.Identifier(self.schema, self.table)


def relations(cursor: Cursor) -> list[Relation]:
    """Return every table that holds rows of records or of children."""
    cursor.execute(
        """
        select
            namespaces.nspname::text,
            classes.relname::text,
            coalesce(max(attname::text) filter (where attname in ('delivery_id', '_delivery_id')), ''),
            coalesce(max(attname::text) filter (where attname in ('record_no', '_record_no')), ''),
            coalesce(max(attname::text) filter (where attname = 'child_key'), ''),
            coalesce(max(attname::text) filter (where attname = 'record_key'), ''),
            coalesce(bool_or(attnotnull) filter (where attname = 'record_key'), false)
        from pg_class as classes
        inner join pg_namespace as namespaces on classes.relnamespace = namespaces.oid
        inner join pg_attribute as attributes on classes.oid = attributes.attrelid
        where
            namespaces.nspname = any(%s)
            and classes.relkind in ('r', 'p')
            and not classes.relispartition
            and attributes.attnum > 0
            and not attributes.attisdropped
        group by 1, 2
        order by 1, 2
        """,
        (list(SCHEMAS),),
    )
    found = [Relation(*row) for row in cursor.fetchall()]
    return [each for each in found if (each.delivery and each.record) or each.child]


def remove(cursor: Cursor, house: House, gone: Collection[Place]) -> list[int]:
    """Take these records out of the database, in the caller's transaction; those that are gone change nothing.

    Return the deliveries whose counts are fixed now.
    """
    if not gone:
        return []
    ids = sorted({each.delivery_id for each in gone})
    fixed = _with_first_told(cursor, gone)
    cursor.execute("select warehouse.fix_counts(%s, %s)", (fixed, clock.now()))
    cursor.execute("create temporary table gone (delivery_id bigint, record_no bigint, feed text) on commit drop")
    execute_values(
        cursor, "insert into gone values %s", [(each.delivery_id, each.record_no, each.feed) for each in gone]
    )
    keys, children = _keys_of(cursor, {each.feed for each in gone})
    _blank_texts(cursor, gone)
    for each in relations(cursor):
        if each.delivery and each.record:
            _take_out(cursor, each)
    _let_children_go(cursor, house, children)
    _count_again(cursor, house, keys)
    cursor.execute(
        """
        update intake.deliveries
        set records_removed = erased.records_count
        from (
            select delivery_id, count(*) as records_count from intake.tombstones
            where delivery_id = any(%s) group by delivery_id
        ) as erased
        where deliveries.delivery_id = erased.delivery_id and deliveries.payload_removed_at is null
        """,
        (ids,),
    )
    cursor.execute(
        "update intake.files set file_name = %s"
        " where file_id in (select file_id from intake.deliveries where delivery_id = any(%s))",
        (NO_NAME, ids),
    )
    quality.note_labels(cursor, house, ids)
    return fixed


def vacuum(connection: Connection, feeds: Collection[str]) -> None:
    """Let Postgres overwrite what was deleted, and forget what it remembers of values to plan by."""
    with connection.cursor() as cursor:
        names = sorted(
            f"{each.schema}.{each.table}"
            for each in relations(cursor)
            if each.schema != "raw" or each.table.removesuffix("_read") in feeds
        )
    connection.commit()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            # The column statistics hold the commonest values.
            for name in (*names, "raw.unmapped_labels", "quality.disputes", "quality.waivers", "intake.files"):
                cursor.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(*name.split(".", 1))))
    finally:
        connection.autocommit = False


def _with_first_told(cursor: Cursor, gone: Collection[Place]) -> list[int]:
    """These deliveries, and those in which their records were told of first: there they were counted."""
    found = {each.delivery_id for each in gone}
    cursor.execute(
        "select attrelid::regclass::text from pg_attribute inner join pg_class on attrelid = pg_class.oid"
        " where relnamespace = 'core'::regnamespace and relkind = 'r' and relname like 'fct\\_%%\\_version'"
        " and attname = 'first_delivery_id' and not attisdropped"
    )
    for (table,) in cursor.fetchall():
        cursor.execute(
            f"select distinct first_delivery_id from {table} where (delivery_id, record_no) in %s",
            (tuple((each.delivery_id, each.record_no) for each in gone),),
        )
        found |= {delivery_id for (delivery_id,) in cursor}
    return sorted(found)


def _keys_of(cursor: Cursor, feeds: Collection[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Feed -> keys of these records; and the keys of their children."""
    keys, children = {}, set()
    for feed in feeds:
        cursor.execute(
            sql.SQL(
                "select read.record_key, read.child_key from {read} as read inner join gone"
                " on read._delivery_id = gone.delivery_id and read._record_no = gone.record_no"
            ).format(read=sql.Identifier("raw", f"{feed}_read"))
        )
        rows = cursor.fetchall()
        keys[feed] = sorted({key for key, _ in rows})
        children |= {child for _, child in rows if child}
    return keys, sorted(children)


def _take_out(cursor: Cursor, relation: Relation) -> None:
    where = sql.SQL("held.{} = gone.delivery_id and held.{} = gone.record_no").format(
        sql.Identifier(relation.delivery), sql.Identifier(relation.record)
    )
    if relation.schema == "quality" and not relation.is_key_needed:
        if relation.key:
            cursor.execute(
                sql.SQL("update {} as held set {} = null from gone where {}").format(
                    relation.name(), sql.Identifier(relation.key), where
                )
            )
        return
    cursor.execute(sql.SQL("delete from {} as held using gone where {}").format(relation.name(), where))


def _let_children_go(cursor: Cursor, house: House, children: Collection[str]) -> None:
    """Take out what has one row per child, where no record of the child is left."""
    left: set[str] = set()
    for feed in house.feeds:
        cursor.execute("select to_regclass(%s) is not null", (f'raw."{feed}_read"',))
        if cursor.fetchone() == (True,):
            cursor.execute(
                sql.SQL("select distinct child_key from {} where child_key = any(%s)").format(
                    sql.Identifier("raw", f"{feed}_read")
                ),
                (list(children),),
            )
            left |= {key for (key,) in cursor}
    for each in relations(cursor):
        if each.child and not each.record and each.schema != "quality":
            cursor.execute(
                sql.SQL("delete from {} where {} = any(%s)").format(each.name(), sql.Identifier(each.child)),
                (sorted(set(children) - left),),
            )


def _count_again(cursor: Cursor, house: House, keys: dict[str, list[str]]) -> None:
    """Let the next build look again at other records under the same keys: one that had been replaced may stand now."""
    for feed, of_feed in keys.items():
        if feed in house.feeds and of_feed:
            cursor.execute(
                sql.SQL(
                    "update intake.deliveries set built_in = null, records_built = 0 where status = 'published' and"
                    " delivery_id in (select _delivery_id from {} where record_key = any(%s))"
                ).format(sql.Identifier("raw", f"{feed}_read")),
                (of_feed,),
            )


def _blank_texts(cursor: Cursor, gone: Collection[Place]) -> None:
    said = sorted(values_of(cursor, gone))
    cursor.execute(
        "update quality.disputes as held set reason = %s, settlement = case when settlement is not null then %s end"
        " from gone where held.delivery_id = gone.delivery_id and held.record_no = gone.record_no",
        (NO_NAME, NO_NAME),
    )
    for table, column in TEXTS if said else ():
        cursor.execute(
            sql.SQL(
                "update {table} as held set {column} = %s"
                " where exists (select from unnest(%s) as value where strpos(lower(held.{column}), value) > 0)"
            ).format(table=sql.Identifier(*table.split(".")), column=sql.Identifier(column)),
            (NO_NAME, said),
        )
