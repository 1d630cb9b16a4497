"""Where Airflow keeps its own tables: in the embedded server, or wherever FRONTDOOR_AIRFLOW_DATABASE_URL says.

The tables are Airflow's alone, and so is the role that owns them: it can read nothing about a child. They may lie in a
database of their own, or beside ours in one, in the schema that has the role's name (Postgres looks there first).
"""

import dataclasses
from pathlib import Path
from urllib.parse import urlencode

from psycopg2.extensions import connection as Connection

from frontdoor import database
from frontdoor.database import Server
from frontdoor.settings import Settings

ROLE = "airflow"
SETTING = "FRONTDOOR_AIRFLOW_DATABASE_URL"
# What asyncpg understands of an address, in the address that it parses itself: its keyword for encryption knows the
# mode alone, and no certificate.
BY_ASYNCPG = (
    *("passfile", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl"),
    *("ssl_min_protocol_version", "target_session_attrs"),
)


def passfile(home: Path) -> Path:
    """The file with the role's password, where the URL names no other."""
    return home / "secrets" / "airflow.pgpass"


def address(settings: Settings) -> dict[str, str]:
    """libpq's parameters for Airflow's tables. Raises `DatabaseUnavailable`."""
    if settings.airflow_database_url:
        return database.address_of(settings.airflow_database_url, SETTING, ROLE, passfile(settings.home))
    # The embedded server, also where the warehouse is another.
    parts = database.address(dataclasses.replace(settings, database_url=None))
    return {**parts, "dbname": ROLE, "user": ROLE, "passfile": str(passfile(settings.home))}


def locate(settings: Settings) -> Server:
    """The same as a `Server`, whose owner is Airflow's role."""
    return database.server_of(address(settings), passfile(settings.home))


def connect(settings: Settings) -> Connection:
    """A connection to Airflow's own tables, as their owner. Raises `DatabaseUnavailable`."""
    return database.connect_to(address(settings), "frontdoor platform")


def urls(settings: Settings) -> tuple[str, str]:
    """The address for Airflow's two drivers, psycopg2 and asyncpg, each with the encryption that the setting asks."""
    parts = address(settings)
    beyond = {name: value for name, value in parts.items() if name not in database.IN_ADDRESS}
    understood = {name: value for name, value in beyond.items() if name in BY_ASYNCPG}
    dsn = {"dsn": f"postgresql:///?{urlencode(understood)}"} if understood else {}
    return database.url_for("psycopg2", parts, beyond), database.url_for("asyncpg", parts, dsn)
