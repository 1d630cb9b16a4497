"""The tables that Python owns: ordered SQL files, each applied once and remembered in warehouse.migrations.

A file that was applied is history: changing it raises, because a database that has it would silently differ from a new
one. Everybody who starts calls `migrate`; the lock makes the second one wait and find nothing to do.
"""

import hashlib
from pathlib import Path

from psycopg2.extensions import connection as Connection

from frontdoor import clock, database

MIGRATIONS = Path(__file__).parent / "migrations"

LEDGER = """
create schema if not exists warehouse;
create table if not exists warehouse.migrations (
    migration text primary key,
    sha256 text not null,
    applied_at timestamptz not null
)
"""


class MigrationChanged(RuntimeError):
    """A migration that this database has already applied reads differently now."""


def migrate(connection: Connection, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is not applied yet, in the order of the names; each file commits with its row. Returns the names
    applied.

    Raises `MigrationChanged`, or psycopg2's error of the statement that failed (that file is then rolled back).
    """
    applied: list[str] = []
    with database.advisory_lock(connection, "warehouse", "migrate", wait=True):
        with connection.cursor() as cursor:
            cursor.execute(LEDGER)
            cursor.execute("select migration, sha256 from warehouse.migrations")
            done = dict(cursor.fetchall())
        connection.commit()
        for path in sorted(folder.glob("[0-9]*.sql")):
            text = path.read_text(encoding="utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()
            if path.name not in done:
                _apply(connection, path.name, text, digest)
                applied.append(path.name)
            elif done[path.name] != digest:
                raise MigrationChanged(
                    f"{path.name} was changed after this database applied it: put it back and add a new file."
                )
    return applied


def pending(connection: Connection, folder: Path = MIGRATIONS) -> list[str]:
    """The names of the files that this database has not applied yet, in their order."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('warehouse.migrations') is not null")
        done: set[str] = set()
        if cursor.fetchone() == (True,):
            cursor.execute("select migration from warehouse.migrations")
            done = {name for (name,) in cursor}
    return [path.name for path in sorted(folder.glob("[0-9]*.sql")) if path.name not in done]


def _apply(connection: Connection, name: str, text: str, digest: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
            cursor.execute(
                "insert into warehouse.migrations (migration, sha256, applied_at) values (%s, %s, %s)",
                (name, digest, clock.now()),
            )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
