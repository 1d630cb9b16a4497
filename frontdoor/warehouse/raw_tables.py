"""The landing tables of each feed, made from its contract: raw.<feed> as sent, raw.<feed>_read as read.

Both are partitioned by the month received, and change by adding columns only: what was sent is append-only, and so is
its shape. A partition is made when it is first needed (`raw.ensure_partition`, also callable from SQL).
"""

import re
from datetime import datetime, timedelta

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database
from frontdoor.contract import Feed, House, Property

LINEAGE = {
    "_agency_code": "text not null",
    "_delivery_id": "bigint not null",
    "_record_no": "bigint not null",
    "_received_at": "timestamptz not null",
}
READING = {
    "_agency_kind": "text",
    "record_key": "text not null",
    "content_hash": "text not null",
    "has_own_key": "boolean not null",
    "child_key": "text",
    "sender_reference": "text",
    "_account_words": "bigint",
    "_account_told": "text",
    "_sufficiency": "text",
}
TYPES = {
    "string": "text",
    "code": "text",
    "narrative": "text",
    "date": "date",
    "timestamp": "timestamp with time zone",
    "integer": "integer",
}
# Postgres cuts longer names in silence; a partition adds nine characters and "_read" five.
LONGEST_FEED = 63 - len("_read_y2026m11")


class ContractChangesType(RuntimeError):
    """A contract asks for another type of a column that already holds what was sent."""


def ensure_raw_tables(connection: Connection, house: House) -> None:
    """Make the tables of every feed, add the columns that contracts have gained, and the partitions of now and next
    month.

    Commits per feed. Raises `ContractChangesType` when a contract changes what a column holds; drops nothing, ever.
    """
    now = clock.now()
    with database.advisory_lock(connection, "warehouse", "raw_tables", wait=True):
        for feed in house.feeds.values():
            with connection.cursor() as cursor:
                cursor.execute("set local lock_timeout = '30s'")
                _ensure(cursor, feed.code, raw_columns(feed), indexes=())
                _ensure(cursor, f"{feed.code}_read", read_columns(feed), indexes=("record_key",))
                if feed.account:
                    _index_accounts(cursor, feed.code)
            connection.commit()
            for month in (now, now.replace(day=1) + timedelta(days=32)):
                ensure_partition(connection, feed.code, month)
                connection.commit()


def ensure_partition(connection: Connection, feed: str, at: datetime) -> None:
    """Make the month's partitions of that feed. Commit before a long load: until then other loads of the month wait."""
    with connection.cursor() as cursor:
        cursor.execute("select raw.ensure_partition(%s, %s)", (feed, at))


def raw_columns(feed: Feed) -> dict[str, str]:
    """Column -> type of raw.<feed>: lineage, every property as text, and whatever else was sent."""
    return {
        **LINEAGE,
        **{each.name: "text" for each in feed.properties},
        "extra": "jsonb not null default '{}'",
    }


def read_columns(feed: Feed) -> dict[str, str]:
    """Column -> type of raw.<feed>_read: lineage, keys, and each property with its state."""
    columns = {**LINEAGE, **READING}
    for each in feed.properties:
        columns[each.name] = column_type(each)
        columns[f"{each.name}_state"] = "text"
    return columns


def column_type(each: Property) -> str:
    """The Postgres type of a property once read; a list of anything is a list of text."""
    return "text[]" if each.is_list else TYPES[each.kind]


def _ensure(cursor: Cursor, name: str, columns: dict[str, str], indexes: tuple[str, ...]) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > LONGEST_FEED + len("_read"):
        raise ValueError(f"A feed's code is lower snake case of at most {LONGEST_FEED} characters, not {name!r}.")
    table = sql.Identifier("raw", name)
    there = _columns_there(cursor, name)
    if not there:
        definition = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(type_)) for column, type_ in columns.items()
        )
        cursor.execute(
            sql.SQL(
                "create table {} ({}, primary key (_delivery_id, _record_no, _received_at))"
                " partition by range (_received_at)"
            ).format(table, definition)
        )
        for column in indexes:
            cursor.execute(sql.SQL("create index on {} ({})").format(table, sql.Identifier(column)))
        return
    for column, type_ in columns.items():
        bare = type_.split(" not null")[0].replace("timestamptz", "timestamp with time zone")
        if column not in there:
            cursor.execute(
                sql.SQL("alter table {} add column {} {}").format(table, sql.Identifier(column), sql.SQL(type_))
            )
        elif there[column] != bare:
            raise ContractChangesType(
                f"The contract of {name} makes {column} {bare}, but the table holds {there[column]}:"
                " give the property a new name."
            )


def _index_accounts(cursor: Cursor, feed: str) -> None:
    """Whoever told an account is found by its words, the first first. On a table that grew the column this is quick."""
    cursor.execute(
        sql.SQL(
            "create index if not exists {} on {} (_account_words, _delivery_id, _record_no)"
            " where _account_words is not null"
        ).format(sql.Identifier(f"{feed}_read_accounts"), sql.Identifier("raw", f"{feed}_read"))
    )


def _columns_there(cursor: Cursor, name: str) -> dict[str, str]:
    cursor.execute(
        """
        select attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        """,
        (f'raw."{name}"',),
    )
    return dict(cursor.fetchall())
