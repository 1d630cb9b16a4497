"""What a server must have for us, in statements that an administrator may run by hand, or let us run.

Each step says when it is not needed, so that all may be repeated. Nothing here connects to anything, and nothing here
is secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from frontdoor import database
from frontdoor.database import Server
from frontdoor.platform import airflow_database
from frontdoor.platform.postgres_options import QUIET_SESSION
from frontdoor.settings import Settings

IS_SUPERUSER = "select from pg_roles where rolname = current_user and rolsuper"
# Texts are compared by their code points, and the capitals of all letters are known, as on the embedded server.
# Of Postgres 15 and 16, which know no built-in locale; every Linux with glibc has it.
LOCALE = "locale_provider libc lc_collate 'C' lc_ctype 'C.UTF-8'"
BUILTIN_LOCALE = "locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'"


class CannotCreate(RuntimeError):
    """The server has something that must not be overruled; the message says what, and what to do."""

    is_safe_to_show = True


@dataclass(frozen=True)
class Wanted:
    """What is to stand on the server: our database and Airflow's, each where it is wanted there."""

    warehouse: Server | None
    airflow: Server | None
    is_one_database: bool  # Airflow's tables then lie in a schema of our database

    @property
    def logins(self) -> list[tuple[str, Server]]:
        """Each role, and the address whose passfile holds its password."""
        readers = [(server.bi_reader, server) for server in (self.warehouse,) if server]
        return [(server.owner, server) for server in self.servers] + readers

    @property
    def servers(self) -> list[Server]:
        """Our address, and Airflow's."""
        return [server for server in (self.warehouse, self.airflow) if server]

    @property
    def owners(self) -> list[str]:
        """The roles that own something."""
        return [server.owner for server in self.servers]


@dataclass(frozen=True)
class Step:
    """One statement, what it is for, and the query that finds a row when it is not needed.

    `database`: where it is run; None: in whatever database the administrator is.
    `may_fail`: an administrator of a hosted server may lack the right; the doctor then says what is missing.
    """

    purpose: str
    statement: str
    unless: str | None = None
    database: str | None = None
    may_fail: bool = False


def wanted(settings: Settings, only: str | None = None) -> Wanted:
    """What the settings want of a server; `only`: "frontdoor" or "airflow". Raises `DatabaseUnavailable`."""
    ours = database.locate(settings) if settings.database_url else None
    theirs = airflow_database.locate(settings) if settings.airflow_database_url else None
    is_one_database = False
    if ours and theirs:
        if ours.owner == theirs.owner:
            raise CannotCreate("Airflow must have a role of its own: name another in FRONTDOOR_AIRFLOW_DATABASE_URL.")
        is_one_server = (ours.host, ours.port) == (theirs.host, theirs.port)
        if not is_one_server and only is None:
            raise CannotCreate(
                "The two URLs name two servers, and an administrator has one: --only frontdoor, then --only airflow."
            )
        is_one_database = is_one_server and ours.name == theirs.name
    return Wanted(ours if only != "airflow" else None, theirs if only != "frontdoor" else None, is_one_database)


def steps(want: Wanted, locale: str, lent: list[str]) -> Iterator[Step]:
    """Everything, in its order; `lent`: the roles that the administrator, no superuser, must borrow to make theirs."""
    for role, _ in want.logins:
        yield Step(f"role {role}", f"create role {name_of(role)} login", _has("pg_roles", "rolname", role))
    for role in lent:
        yield Step(f"the administrator acts for {role}", f"grant {name_of(role)} to current_user", IS_SUPERUSER)
    for server in want.servers:
        name, owner = name_of(server.name), name_of(server.owner)
        if not (server is want.airflow and want.is_one_database):
            yield Step(
                f"database {server.name}",
                f"create database {name} owner {owner} template template0 encoding 'UTF8' {locale}",
                _has("pg_database", "datname", server.name),
            )
            yield Step(f"nobody else enters {server.name}", f"revoke all on database {name} from public")
    if want.warehouse:
        name, reader = name_of(want.warehouse.name), name_of(want.warehouse.bi_reader)
        yield Step(f"{want.warehouse.bi_reader} enters", f"grant connect on database {name} to {reader}")
        owner = name_of(want.warehouse.owner)
        yield Step("small statements are not compiled", f"alter role {owner} set jit = off")
        for setting, value in QUIET_SESSION.items():
            statement = f"alter role {owner} set {setting} = {literal_of(value)}"
            yield Step("no value of a record in the server's log", statement, may_fail=True)
    if want.airflow:
        role, name = name_of(want.airflow.owner), name_of(want.airflow.name)
        if want.is_one_database:
            yield Step(f"{want.airflow.owner} enters", f"grant connect on database {name} to {role}")
            statement = f"create schema if not exists {role} authorization {role}"
            yield Step("a schema for Airflow's tables", statement, database=want.airflow.name)
            yield Step("Airflow finds it", f"alter role {role} in database {name} set search_path = {role}")
    for role in lent:
        yield Step(f"{role} is given back", f"revoke {name_of(role)} from current_user", IS_SUPERUSER)


def script(settings: Settings, only: str | None = None) -> str:
    """The same for psql, with no secret in it: psql asks for the passwords. Raises as `wanted` does."""
    want = wanted(settings, only)
    lines = [
        "-- For psql, as an administrator of the server; may be run again.",
    ]
    purpose = ""
    for step in steps(want, LOCALE, want.owners):
        if step.purpose != purpose:
            purpose = step.purpose
            lines += [f"-- {purpose}", f"\\set ON_ERROR_STOP {'off' if step.may_fail else 'on'}"]
        if step.database:
            lines.append(f"\\connect {name_of(step.database)}")
        if step.unless:
            lines.append(f"select {literal_of(step.statement)} where not exists ({step.unless}) \\gexec")
        else:
            lines.append(f"{step.statement};")
    for role, server in want.logins:
        lines.append(f"-- psql asks for it; then it goes into {server.passfile} (mode 0600), as one line:")
        lines.append(f"-- {server.host}:{server.port}:*:{role}:PASSWORD")
        lines.append(f"\\password {name_of(role)}")
    return "\n".join(lines) + "\n"


def _has(catalogue: str, column: str, name: str) -> str:
    return f"select from {catalogue} where {column} = {literal_of(name)}"


def name_of(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal_of(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
