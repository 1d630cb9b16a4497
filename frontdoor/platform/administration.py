"""What an administrator does once on a Postgres server that exists: roles without rights over the server, databases.

What is wanted stands in the settings, as everywhere: FRONTDOOR_DATABASE_URL, and FRONTDOOR_AIRFLOW_DATABASE_URL where
Airflow's own tables go to such a server too. The administrator's own address is needed here and nowhere else.

Each step says when it is not needed, so that all may be repeated; a lock lets the second of two wait and find it done.
The same steps can be printed for psql, for a database administrator who runs only what was read before.

Passwords stand in the passfiles that the URLs name (0600), and are made there where they are missing. The server is
sent SCRAM verifiers, never a password: what it logs of a statement opens nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import encrypt_password

from frontdoor import database
from frontdoor.database import DatabaseUnavailable, Server
from frontdoor.platform import airflow_database, passfiles
from frontdoor.platform.postgres_options import QUIET_SESSION
from frontdoor.settings import Settings

Say = Callable[[str], None]


class CannotCreate(RuntimeError):
    """The server has something that must not be overruled; the message says what, and what to do."""

    is_safe_to_show = True


@dataclass(frozen=True)
class Wanted:
    """What is to stand on the server: our database and Airflow's, each where it is wanted there."""

    warehouse: Server | None
    airflow: Server | None

    @property
    def is_one_database(self) -> bool:
        """Whether Airflow's tables lie in a schema of our database."""
        return bool(self.warehouse and self.airflow and self.warehouse.name == self.airflow.name)

    @property
    def logins(self) -> list[tuple[str, Server]]:
        """Each role, and the address whose passfile holds its password."""
        ours = [(role, self.warehouse) for role in (self.warehouse.owner, self.warehouse.bi_reader)] if self.warehouse else []
        return [*ours, *([(self.airflow.owner, self.airflow)] if self.airflow else [])]

    @property
    def owners(self) -> list[str]:
        """The roles that own something."""
        return [server.owner for server in (self.warehouse, self.airflow) if server]


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
    ours = database.locate(settings) if settings.database_url and only != "airflow" else None
    theirs = airflow_database.locate(settings) if settings.airflow_database_url and only != "frontdoor" else None
    if ours and theirs and ours.owner == theirs.owner:
        raise CannotCreate("Airflow must have a role of its own: name another in FRONTDOOR_AIRFLOW_DATABASE_URL.")
    return Wanted(ours, theirs)


def create(
    settings: Settings,
    admin_url: str,
    *,
    admin_password: str | None = None,
    only: str | None = None,
    new_passwords: bool = False,
    wait_seconds: float = 0.0,
    say: Say = print,
) -> list[str]:
    """Make what is missing, and the passfiles; return the purposes of what was done.

    `wait_seconds`: for a server that is still starting.

    Raises `DatabaseUnavailable` when the server does not answer, `CannotCreate`, or psycopg2's error.
    """
    want = wanted(settings, only)
    parts = database.address_of(admin_url, "--admin-url", "postgres", settings.home / "secrets" / "none")
    if admin_password is not None:
        parts["password"] = admin_password
    with closing(_opened_within(wait_seconds, parts)) as administrator:
        if parts["user"] in {role for role, _ in want.logins}:
            raise CannotCreate(f"{parts['user']} is the administrator; the platform must have a role of its own.")
        with database.advisory_lock(administrator, "administration", wait=True):
            passwords = _passwords(administrator, want, new_passwords)
            done = list(_run(administrator, parts, want, say))
            for role, password in passwords.items():
                _set_password(administrator, role, password)
    return done


def steps(want: Wanted, locale: str, lent: list[str]) -> Iterator[Step]:
    """Everything, in its order; `lent`: the roles that the administrator, no superuser, must borrow to make theirs."""
    for role, _ in want.logins:
        yield Step(f"role {role}", f"create role {_name(role)} login", _has("pg_roles", "rolname", role))
    for role in lent:
        yield Step(
            f"the administrator acts for {role}", f"grant {_name(role)} to current_user", "select from pg_roles where rolname = current_user and rolsuper"
        )
    for server in [server for server in (want.warehouse, want.airflow) if server]:
        name, owner = _name(server.name), _name(server.owner)
        if not (server is want.airflow and want.is_one_database):
            yield Step(
                f"database {server.name}",
                f"create database {name} owner {owner} template template0 encoding 'UTF8' {locale}",
                _has("pg_database", "datname", server.name),
            )
            yield Step(f"nobody else enters {server.name}", f"revoke all on database {name} from public")
    if want.warehouse:
        name, reader = _name(want.warehouse.name), _name(want.warehouse.bi_reader)
        yield Step(f"{want.warehouse.bi_reader} enters", f"grant connect on database {name} to {reader}")
        owner = _name(want.warehouse.owner)
        yield Step("small statements are not compiled", f"alter role {owner} set jit = off")
        for setting, value in QUIET_SESSION.items():
            statement = f"alter role {owner} set {setting} = {_literal(value)}"
            yield Step(f"no value of a record in the server's log: {setting}", statement, may_fail=True)
    if want.airflow:
        role, name = _name(want.airflow.owner), _name(want.airflow.name)
        if want.is_one_database:
            yield Step(f"{want.airflow.owner} enters", f"grant connect on database {name} to {role}")
            statement = f"create schema if not exists {role} authorization {role}"
            yield Step("a schema for Airflow's tables", statement, database=want.airflow.name)
            yield Step("Airflow finds it", f"alter role {role} in database {name} set search_path = {role}")
    for role in lent:
        yield Step(
            f"the administrator acts for {role} no longer", f"revoke {_name(role)} from current_user", "select from pg_roles where rolname = current_user and rolsuper"
        )


def script(settings: Settings, only: str | None = None) -> str:
    """The same for psql, with no secret in it: psql asks for the passwords. Raises as `wanted` does."""
    want = wanted(settings, only)
    lines = [
        "-- For psql, as an administrator of the server; may be run again.",
        "-- A hosted server whose administrator is no superuser: the last settings may need its own console.",
        "\\set ON_ERROR_STOP on",
    ]
    # The locale is that of the embedded server: texts are compared by their code points, capitals known of all letters.
    for step in steps(want, LOCALE, list(want.owners)):
        lines.append(f"-- {step.purpose}")
        if step.database:
            lines.append(f"\\connect {_name(step.database)}")
        if step.unless:
            lines.append(f"select {_literal(step.statement)} where not exists ({step.unless}) \\gexec")
        else:
            lines.append(f"{step.statement};")
    for role, server in want.logins:
        lines.append(f"-- psql asks for it; then it goes into {server.passfile} (mode 0600), as one line:")
        lines.append(f"-- {server.host}:{server.port}:*:{role}:PASSWORD")
        lines.append(f"\\password {_name(role)}")
    return "\n".join(lines) + "\n"


# Of Postgres 15 and 16, which know no built-in locale; every Linux with glibc has it.
LOCALE = "locale_provider libc lc_collate 'C' lc_ctype 'C.UTF-8'"
BUILTIN_LOCALE = "locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'"


def _run(administrator: Connection, parts: Mapping[str, str], want: Wanted, say: Say) -> Iterator[str]:
    _refuse_mighty(administrator, want)
    lent = [] if _one(administrator, "select rolsuper from pg_roles where rolname = current_user") else _not_lent_yet(administrator, want)
    locale = BUILTIN_LOCALE if administrator.server_version >= 170000 else LOCALE
    for step in steps(want, locale, lent):
        if step.database:
            with closing(_opened(parts, step.database)) as inside:
                is_done = _take(inside, step, say)
        else:
            is_done = _take(administrator, step, say)
        if is_done:
            yield step.purpose


def _take(administrator: Connection, step: Step, say: Say) -> bool:
    with administrator.cursor() as cursor:
        if step.unless:
            cursor.execute(step.unless)
            if cursor.fetchone() is not None:
                return False
        try:
            cursor.execute(step.statement)
        except errors.InsufficientPrivilege:
            if not step.may_fail:
                raise
            say(f"Not allowed to this administrator: {step.statement}")
            return False
        except (errors.WrongObjectType, errors.InvalidParameterValue):
            if LOCALE not in step.statement:
                raise
            say("This server has no locale C.UTF-8: the database takes the server's own.")
            cursor.execute(step.statement.replace(LOCALE, ""))
    return True


def _refuse_mighty(administrator: Connection, want: Wanted) -> None:
    for role in want.owners:
        if _one(administrator, "select from pg_roles where rolname = %s and rolsuper", role) is not None:
            raise CannotCreate(f"The role {role} is a superuser; the platform must not be: alter role {_name(role)} nosuperuser")


def _not_lent_yet(administrator: Connection, want: Wanted) -> list[str]:
    """The owners whose member the administrator is not: membership that somebody gave is not ours to take back."""
    query = "select pg_has_role(current_user, oid, 'usage') from pg_roles where rolname = %s"
    return [role for role in want.owners if not _one(administrator, query, role)]


def _passwords(administrator: Connection, want: Wanted, new_passwords: bool) -> dict[str, str]:
    """Role -> password, of the passfiles, where what is missing is written first: a crash leaves none unknown."""
    passwords: dict[str, str] = {}
    missing: dict[Path, list[passfiles.Login]] = {}
    for role, server in want.logins:
        known = passfiles.find_password(server.passfile, server.host, server.port, server.name, role)
        if known is None:
            if _one(administrator, "select true from pg_roles where rolname = %s", role) and not new_passwords:
                if role == (want.warehouse and want.warehouse.bi_reader):
                    continue  # whoever made it knows it; the platform itself never enters as this role
                raise CannotCreate(
                    f"The role {role} is there already, but {server.passfile} does not hold its password: add the line"
                    f" {server.host}:{server.port}:*:{role}:PASSWORD (mode 0600), or give new ones: --new-passwords."
                )
            known = passfiles.new_password()
            missing.setdefault(server.passfile, []).append(
                passfiles.Login(server.host, str(server.port), role, known)
            )
        passwords[role] = known
    for path, logins in missing.items():
        try:
            passfiles.add_logins(path, logins)
        except OSError as error:
            roles = " and ".join(login.role for login in logins)
            raise CannotCreate(
                f"{path} has no password for {roles}, and cannot be written ({error.strerror})."
            ) from None
    return passwords


def _set_password(administrator: Connection, role: str, password: str) -> None:
    verifier = encrypt_password(password, role, scope=administrator, algorithm="scram-sha-256")
    with administrator.cursor() as cursor:
        cursor.execute(sql.SQL("alter role {} password %s").format(sql.Identifier(role)), (verifier,))


def _opened(parts: Mapping[str, str], name: str | None) -> Connection:
    opened = database.connect_to({**parts, **({"dbname": name} if name else {})}, "frontdoor database create")
    opened.autocommit = True
    return opened


def _opened_within(seconds: float, parts: Mapping[str, str]) -> Connection:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return _opened(parts, None)
        except DatabaseUnavailable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(1.0)


def _one(administrator: Connection, query: str, *parameters: str) -> object:
    """The first column of the first row (True where it has none), or None without a row."""
    with administrator.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return None if row is None else row[0] if row else True


def _has(catalogue: str, column: str, name: str) -> str:
    return f"select from {catalogue} where {column} = {_literal(name)}"


def _name(name: str) -> str:
    plain = name.replace("_", "")
    return name if plain.isalnum() and name.islower() and name.isascii() else '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
