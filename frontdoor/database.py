"""Where the database is, how to connect to it, and what may be said of an error it raised.

No password is ever part of a URL that we make: connections name a passfile (mode 0600), so that nothing that prints
a URL, an environment or a command line can print a secret.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR, connection, make_dsn, parse_dsn

from frontdoor import clock
from frontdoor.settings import Settings

DATABASE_FILE = "database.json"
PASSFILE = "pgpass"
OWNER, BI_READER = "frontdoor", "bi_reader"
IN_ADDRESS = {"user", "password", "host", "port", "dbname"}
# SQLSTATE classes that no record can cause: connection, rollback by conflict, resources, locks, shutdown.
AWAY = ("08", "40", "53", "55", "57")


class DatabaseUnavailable(RuntimeError):
    """There is no database to connect to, or it may not be used so; the message says what to do."""


@dataclass(frozen=True)
class Server:
    """One database: its address, the role that owns it, the role that BI tools use, and the file with the passwords."""

    host: str
    port: int
    name: str
    owner: str
    bi_reader: str
    passfile: Path


def locate(settings: Settings) -> Server:
    """The database that the settings mean. Raises `DatabaseUnavailable` when none was ever started in this home."""
    if settings.database_url:
        return server_of(address(settings), settings.home / PASSFILE)
    path = settings.home / DATABASE_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatabaseUnavailable(f"No database was started in {settings.home}: run `frontdoor up`.") from None
    return Server(
        host=found["host"],
        port=int(found["port"]),
        name=found["name"],
        owner=found["users"]["owner"],
        bi_reader=found["users"]["bi_reader"],
        passfile=Path(found["passfile"]),
    )


def address(settings: Settings) -> dict[str, str]:
    """libpq's parameters for the database that the settings mean. Raises `DatabaseUnavailable` as `locate` does."""
    if settings.database_url:
        return address_of(settings.database_url, "FRONTDOOR_DATABASE_URL", OWNER, settings.home / PASSFILE)
    server = locate(settings)
    return {
        "host": server.host,
        "port": str(server.port),
        "dbname": server.name,
        "user": server.owner,
        "passfile": str(server.passfile),
    }


def address_of(url: str, setting: str, role: str, passfile: Path) -> dict[str, str]:
    """libpq's parameters that a URL names, encryption and all; what it leaves out is the role's, on this machine.

    The passfile is left to libpq where the URL carries a password, or where no file stands. `setting` names the URL
    when it cannot be read. Raises `DatabaseUnavailable`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise DatabaseUnavailable(f"{setting} must look like postgresql://user@host:port/name")
    try:
        given = dict(parse_dsn(f"postgresql://{rest}"))
    except psycopg2.ProgrammingError:
        raise DatabaseUnavailable(f"{setting} cannot be read as a Postgres address") from None
    parts = {"host": "localhost", "port": "5432", "dbname": role, "user": role, **given}
    if "password" not in parts and "passfile" not in parts and passfile.exists():
        parts["passfile"] = str(passfile)
    return parts


def server_of(parts: Mapping[str, str], passfile: Path) -> Server:
    """The same as a `Server`."""
    return Server(
        host=parts["host"],
        port=int(parts["port"]),
        name=parts["dbname"],
        owner=parts["user"],
        bi_reader=BI_READER,
        passfile=Path(parts.get("passfile", passfile)),
    )


def as_document(server: Server) -> dict[str, Any]:
    """The JSON shape of a server, as HOME/database.json and `frontdoor status` show it."""
    return {
        "host": server.host,
        "port": server.port,
        "name": server.name,
        "users": {"owner": server.owner, "bi_reader": server.bi_reader},
        "passfile": str(server.passfile),
    }


def connect(settings: Settings, *, application_name: str = "frontdoor") -> connection:
    """A connection as the owner, autocommit off, session in UTC.

    Raises `DatabaseUnavailable` when there is no server, or when time is pinned but the database is no simulation.
    """
    opened = connect_to(address(settings), application_name)
    if settings.now is not None:
        _refuse_pinned_time_outside_simulation(opened)
    return opened


def connect_to(parts: Mapping[str, str], application_name: str) -> connection:
    """A connection to that address, autocommit off, session in UTC. Raises `DatabaseUnavailable`."""
    ours = {"application_name": application_name, "options": "-c TimeZone=UTC", "connect_timeout": "10"}
    try:
        return psycopg2.connect(make_dsn(**{**parts, **ours}))
    except psycopg2.OperationalError as error:
        # The driver's text names host, port and role, and never a value of a record.
        raise DatabaseUnavailable(f"The database does not answer: {' '.join(str(error).split())}") from None


def wait_for(settings: Settings, seconds: float) -> None:
    """Return once the database answers; raises `DatabaseUnavailable` when it does not within so many seconds."""
    deadline = clock.monotonic() + seconds
    while True:
        try:
            connect(settings).close()
            return
        except DatabaseUnavailable:
            if clock.monotonic() >= deadline:
                raise
            time.sleep(1.0)


def sqlalchemy_url(settings: Settings) -> str:
    """The same connection for tools that want a URL; always `postgresql+psycopg2://`."""
    parts = address(settings)
    return url_for("psycopg2", parts, {k: v for k, v in parts.items() if k not in IN_ADDRESS})


def url_for(driver: str, parts: Mapping[str, str], query: Mapping[str, str]) -> str:
    """A URL for SQLAlchemy: role, host, port and name of `parts`, and whatever that driver takes as a query."""
    user, password = quote(parts["user"], safe=""), parts.get("password")
    login = f"{user}:{quote(password, safe='')}" if password else user
    host, port = parts["host"], parts["port"]
    if "/" in host or "," in host:  # a folder of sockets, and several hosts, have no place where a URL has its host
        where, query = "", {"host": host, "port": port, **query}
    else:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    said = f"?{urlencode(query)}" if query else ""
    return f"postgresql+{driver}://{login}@{where}/{quote(parts['dbname'])}{said}"


def is_away(error: BaseException) -> bool:
    """Whether the database is gone, busy, full or told to stop: the work is not at fault and will be tried again.

    Told by SQLSTATE, not by class: psycopg2 calls OperationalError also what a record can cause (a limit exceeded).
    """
    if isinstance(error, DatabaseUnavailable):
        return True
    return isinstance(error, psycopg2.Error) and (
        not isinstance(error, psycopg2.ProgrammingError)
        and (
            error.pgcode[:2] in AWAY
            if error.pgcode
            else isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
        )
    )


def safe_error(error: BaseException) -> str:
    """What may be logged or stored of an error: class, SQLSTATE, constraint; never its text, which carries values."""
    said = [type(error).__name__]
    if isinstance(error, psycopg2.Error):
        if error.pgcode:
            said.append(f"SQLSTATE {error.pgcode}")
        constraint = getattr(error.diag, "constraint_name", None)
        if constraint:
            said.append(f"constraint {constraint}")
    original = getattr(error, "orig", None)  # SQLAlchemy keeps the driver's error here
    if isinstance(original, BaseException):
        said.append(f"caused by {safe_error(original)}")
    return ", ".join(said)


@contextmanager
def advisory_lock(connection: connection, *name: str, wait: bool) -> Iterator[bool]:
    """Hold the session-level lock of that name; yields whether it is held (always, when waiting).

    The lock does not end with a transaction: commit or roll back before leaving the block, or the next holder may not
    see what was done under it. A connection that dies gives the lock back by itself.
    """
    key = int.from_bytes(hashlib.sha256("\x1f".join(name).encode()).digest()[:8], "big", signed=True)
    held = _lock_statement(connection, "pg_advisory_lock" if wait else "pg_try_advisory_lock", key)
    try:
        yield held
    finally:
        if held and not connection.closed:
            if connection.get_transaction_status() == TRANSACTION_STATUS_INERROR:
                connection.rollback()
            _lock_statement(connection, "pg_advisory_unlock", key)


def _lock_statement(connection: connection, function: str, key: int) -> bool:
    was_idle = connection.get_transaction_status() == TRANSACTION_STATUS_IDLE
    with connection.cursor() as cursor:
        cursor.execute(f"select {function}(%s)", (key,))
        row = cursor.fetchone()
    if was_idle and not connection.autocommit:
        connection.commit()  # a lock must not leave a transaction open while its holder does something else
    return row is not None and row[0] is not False


def _refuse_pinned_time_outside_simulation(opened: connection) -> None:
    with opened.cursor() as cursor:
        cursor.execute("select to_regclass('warehouse.simulation') is not null")
        known = cursor.fetchone()
        marked = None
        if known is not None and known[0]:
            cursor.execute("select 1 from warehouse.simulation")
            marked = cursor.fetchone()
    opened.rollback()
    if marked is None:
        opened.close()
        raise DatabaseUnavailable(
            "FRONTDOOR_NOW is set, but this database is not marked as a simulation: unset it, or use another database."
        )
