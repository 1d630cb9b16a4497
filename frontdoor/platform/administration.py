"""What an administrator does once on a Postgres server that exists: roles without rights over the server, databases.

What is wanted stands in the settings, as everywhere: FRONTDOOR_DATABASE_URL, and FRONTDOOR_AIRFLOW_DATABASE_URL where
Airflow's own tables go to such a server too. The administrator's own address is needed here and nowhere else.

The steps stand in `server_plan`, which prints them too. A lock lets the second of two wait and find it done.

Passwords stand in the passfiles that the URLs name (0600), and are made there where they are missing. The server is
sent SCRAM verifiers, never a password: what it logs of a statement opens nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import encrypt_password

from frontdoor import database
from frontdoor.platform import passfiles
from frontdoor.platform.server_plan import BUILTIN_LOCALE, LOCALE, CannotCreate, Step, Wanted, name_of, steps, wanted
from frontdoor.settings import Settings

Say = Callable[[str], None]


def create(
    settings: Settings,
    admin_url: str,
    *,
    admin_password: str | None = None,
    only: str | None = None,
    new_passwords: bool = False,
    same_server: bool = False,
    wait_seconds: float = 0.0,
    say: Say = print,
) -> list[str]:
    """Make what is missing, and the passfiles; return the purposes of what was done.

    `wait_seconds`: for a server that is still starting. `same_server`: the administrator's address is another name of
    the server that the settings name, which otherwise is a mistake.

    Raises `DatabaseUnavailable` when the server does not answer, `CannotCreate`, or psycopg2's error.
    """
    want = wanted(settings, only)
    parts = database.address_of(admin_url, "--admin-url", "postgres", settings.home / "secrets" / "none")
    elsewhere = names_another_server(settings, admin_url, only)
    if elsewhere and not same_server:
        raise CannotCreate(
            f"--admin-url is the administrator's address of {_said(parts)}, but the settings name {elsewhere}: make it"
            " where it shall be (or --same-server, where both are names of one)."
        )
    if admin_password is not None:
        parts["password"] = admin_password
    with closing(_opened_within(wait_seconds, parts, say)) as administrator:
        if parts["user"] in {role for role, _ in want.logins}:
            raise CannotCreate(f"{parts['user']} is the administrator; the platform must have a role of its own.")
        with database.advisory_lock(administrator, "administration", wait=True):
            passwords = _passwords(administrator, want, new_passwords)
            done = list(dict.fromkeys(_run(administrator, parts, want, say)))
            for role, password in passwords.items():
                _set_password(administrator, role, password)
    return done


def names_another_server(settings: Settings, admin_url: str, only: str | None = None) -> str | None:
    """Return host and port that the settings name, where the administrator's address names others."""
    parts = database.address_of(admin_url, "--admin-url", "postgres", settings.home / "secrets" / "none")
    named = [f"{server.host}:{server.port}" for _, server in wanted(settings, only).logins]
    return next((each for each in named if each != _said(parts)), None)


def _said(parts: Mapping[str, str]) -> str:
    return f"{parts.get('host', '')}:{parts.get('port', '5432')}"


def _run(administrator: Connection, parts: Mapping[str, str], want: Wanted, say: Say) -> Iterator[str]:
    _refuse_mighty(administrator, want)
    lent = (
        []
        if _one(administrator, "select rolsuper from pg_roles where rolname = current_user")
        else _not_lent_yet(administrator, want)
    )
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
        if _one(administrator, "select rolsuper from pg_roles where rolname = %s", role):
            raise CannotCreate(
                f"The role {role} is a superuser; the platform must not be: alter role {name_of(role)} nosuperuser"
            )


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
            missing.setdefault(server.passfile, []).append(passfiles.Login(server.host, str(server.port), role, known))
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


def _opened_within(seconds: float, parts: Mapping[str, str], say: Say) -> Connection:
    deadline, said = time.monotonic() + seconds, ""
    while True:
        try:
            return _opened(parts, None)
        except database.DatabaseUnavailable as error:
            if time.monotonic() >= deadline:
                raise
            if str(error) != said:
                said = str(error)
                say(f"Waiting. {said}")
            time.sleep(1.0)


def _one(administrator: Connection, query: str, *parameters: str) -> object:
    """The first column of the first row, or None."""
    with administrator.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return None if row is None else row[0]
