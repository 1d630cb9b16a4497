"""The house on a server that is not ours: made by its administrator, owned by roles without rights over it, over TLS.

Failing? frontdoor/platform/administration.py and server_plan.py make, server_checks.py looks, airflow_database.py and
frontdoor/database.py say how to connect.
"""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from frontdoor import database as connections
from frontdoor import prepare, warehouse
from frontdoor import settings as setting
from frontdoor.database import DatabaseUnavailable
from frontdoor.platform import administration, airflow, airflow_database, server_checks, server_plan
from frontdoor.settings import Settings
from frontdoor.warehouse.dbt_runner import dbt_for
from tests import servers
from tests.certificates import Authority
from tests.conftest import make_settings
from tests.servers import SharedServer

CANARY = "Zebedee Quillfeather"
OWNER, AIRFLOW = "council", "council_airflow"


@dataclass(frozen=True)
class Council:
    """A council's own database with Airflow's tables in it, on Debian's Postgres 15."""

    server: SharedServer
    settings: Settings

    def as_administrator(self, *statements: str) -> list[tuple[Any, ...]]:
        with closing(self.server.administrator(OWNER)) as opened, opened.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def checks(self) -> dict[str, server_checks.Check]:
        looks = [*server_checks.of_warehouse(self.settings), *server_checks.of_airflow(self.settings)]
        return {check.id: check for check in looks}


def frontdoor(settings: Settings, *arguments: str, stdin: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "frontdoor", *arguments],
        env={**setting.inherited_environment(), **setting.as_environment(settings)},
        cwd=airflow.REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def councils_settings(server: SharedServer, home: Path, name: str, airflow_name: str) -> Settings:
    return make_settings(
        home,
        DATABASE_URL=server.url(name, OWNER, home / "pgpass"),
        AIRFLOW_DATABASE_URL=server.url(airflow_name, AIRFLOW, home / "secrets" / "airflow.pgpass"),
    )


@pytest.fixture(scope="module")
def council(debian_server: SharedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Council]:
    """Made by `database create` and `database migrate`, each twice at once."""
    settings = councils_settings(debian_server, tmp_path_factory.mktemp("council"), OWNER, OWNER)
    said = ""
    for command in (("create", "--admin-url", debian_server.admin_url()), ("migrate",)):
        for each in [frontdoor(settings, "database", *command) for _ in range(2)]:
            out, err = each.communicate(timeout=240)
            assert each.returncode == 0, err
            said += out + err
    for passfile in (settings.home / "pgpass", settings.home / "secrets" / "airflow.pgpass"):
        for line in passfile.read_text().splitlines():
            assert line.rsplit(":", 1)[1] not in said
    yield Council(debian_server, settings)
    debian_server.drop_database(OWNER)
    forget_roles(debian_server)


def forget_roles(server: SharedServer) -> None:
    with closing(server.administrator()) as opened, opened.cursor() as cursor:
        for role in (OWNER, AIRFLOW, "hosted_admin"):
            cursor.execute(f"drop role if exists {role}")


# Making it


def test_two_at_once_made_roles_without_rights_and_passfiles_for_their_owner_alone(council: Council) -> None:
    found = council.as_administrator(
        "select rolname from pg_roles where rolname like 'council%' and rolcanlogin"
        " and not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls) order by 1"
    )
    assert found == [(OWNER,), (AIRFLOW,)]
    for passfile in (council.settings.home / "pgpass", council.settings.home / "secrets" / "airflow.pgpass"):
        assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
    with connections.connect(council.settings) as opened, opened.cursor() as cursor:
        cursor.execute("select count(*) from worklists.triage")
        assert cursor.fetchone() == (0,)
    opened.close()


def test_everything_is_well_after_create_and_migrate(council: Council) -> None:
    checks = council.checks()
    assert len(checks) >= 15
    assert {check.id: check.sentence for check in checks.values() if not check.ok} == {}
    assert "verified (verify-full)" in checks["database_encryption"].sentence
    assert "verified (verify-full)" in checks["airflow_database_encryption"].sentence


def test_doctor_reports_them(council: Council) -> None:
    out, err = (asked := frontdoor(council.settings, "doctor", "--json")).communicate(timeout=120)
    ids = {check["id"] for check in json.loads(out)["checks"]}
    assert {"database_log", "bi_reader", "airflow_database", "passfile"} <= ids, err
    assert asked.returncode == 1  # Airflow is not running


def test_password_of_an_existing_role_is_never_replaced_unasked(council: Council) -> None:
    passfile = council.settings.home / "pgpass"
    before = passfile.read_text()
    passfile.write_text("")
    with pytest.raises(server_plan.CannotCreate, match="--new-passwords"):
        administration.create(council.settings, council.server.admin_url())
    said: list[str] = []
    administration.create(council.settings, council.server.admin_url(), new_passwords=True, say=said.append)
    assert said == []
    connections.connect(council.settings).close()
    assert before.splitlines()[0] not in passfile.read_text()


def test_password_that_an_administrator_wrote_into_the_passfile_becomes_the_roles(council: Council) -> None:
    passfile = council.settings.home / "pgpass"
    passfile.write_text(f"*:*:*:{OWNER}:a pass\\:word\n")
    with pytest.raises(DatabaseUnavailable):
        connections.connect(council.settings)
    administration.create(council.settings, council.server.admin_url(), only="frontdoor")
    connections.connect(council.settings).close()
    log = (council.server.settings.home / "postgres.log").read_text()
    assert "a pass:word" not in log


def test_role_of_the_administrator_is_refused_as_ours(council: Council) -> None:
    mighty = replace(council.settings, database_url=council.server.url("other", "postgres"))
    with pytest.raises(server_plan.CannotCreate, match="a role of its own"):
        administration.create(mighty, council.server.admin_url(), only="frontdoor")


@pytest.mark.on_both_servers
def test_administrator_without_superuser_rights_makes_the_same(shared_server: SharedServer, tmp_path: Path) -> None:
    settings = councils_settings(shared_server, tmp_path, "hosted", "hosted")
    with closing(shared_server.administrator()) as opened, opened.cursor() as cursor:
        cursor.execute("create role hosted_admin login createdb createrole password 'not secret'")
    url = shared_server.admin_url().replace("postgres@", "hosted_admin@", 1)
    renamed = replace(
        settings,
        database_url=settings.database_url and settings.database_url.replace(f"{OWNER}@", "hosted_owner@"),
        airflow_database_url=settings.airflow_database_url
        and settings.airflow_database_url.replace(f"{AIRFLOW}@", "hosted_airflow@"),
    )
    said: list[str] = []
    try:
        for _ in range(2):
            administration.create(renamed, url, admin_password="not secret", say=said.append)
        assert any("log_min_error_statement" in line for line in said)
        with connections.connect(renamed) as opened:
            warehouse.migrate(opened)
        opened.close()
        airflow_database.connect(renamed).close()
        looks = [*server_checks.of_warehouse(renamed), *server_checks.of_airflow(renamed)]
        wrong = {check.id for check in looks if not check.ok}
        assert wrong == ({"database_log"} if shared_server.encryption else set())  # the embedded is quiet by itself
    finally:
        shared_server.drop_database("hosted")
        with closing(shared_server.administrator()) as opened, opened.cursor() as cursor:
            for role in ("hosted_owner", "hosted_airflow", "hosted_admin"):
                cursor.execute(f"drop owned by {role} cascade")
                cursor.execute(f"drop role {role}")


def test_warehouse_and_airflows_tables_are_made_on_two_servers(
    embedded_server: SharedServer, debian_server: SharedServer, tmp_path: Path
) -> None:
    name, owner, airflows = "apart", "apart_owner", "apart_airflow"
    settings = make_settings(
        tmp_path / "home",
        DATABASE_URL=embedded_server.url(name, owner, tmp_path / "home" / "pgpass"),
        AIRFLOW_DATABASE_URL=debian_server.url(name, airflows, tmp_path / "home" / "secrets" / "airflow.pgpass"),
    )
    servers_of = {"frontdoor": embedded_server, "airflow": debian_server}

    def run(*command: str) -> tuple[int | None, str]:
        _, said = (asked := frontdoor(settings, "database", *command)).communicate(timeout=240)
        return asked.returncode, said

    try:
        code, said = run("create", "--admin-url", embedded_server.admin_url())
        assert code and "--only frontdoor, then --only airflow" in said
        for only, server in servers_of.items():
            assert run("create", "--only", only, "--admin-url", server.admin_url())[0] == 0
        assert run("migrate")[0] == 0
        looks = [*server_checks.of_warehouse(settings), *server_checks.of_airflow(settings)]
        assert {check.id: check.sentence for check in looks if not check.ok} == {}
        said = {check.id: check.sentence for check in looks}
        assert " 15." in said["airflow_database_version"] and " 15." not in said["database_version"]
        for opened, holds in (
            (connections.connect(settings), (True, False)),
            (airflow_database.connect(settings), (False, True)),
        ):
            with closing(opened), opened.cursor() as cursor:
                cursor.execute(
                    "select to_regclass('intake.files') is not null, to_regclass('task_instance') is not null"
                )
                assert cursor.fetchone() == holds
        for role, server in ((airflows, embedded_server), (owner, debian_server)):
            with closing(server.administrator()) as opened, opened.cursor() as cursor:
                cursor.execute("select from pg_roles where rolname = %s", (role,))
                assert cursor.fetchone() is None, f"{role} has nothing to do there"
    finally:
        for server in servers_of.values():
            server.drop_database(name)
            with closing(server.administrator()) as opened, opened.cursor() as cursor:
                cursor.execute(f"drop role if exists {owner}, {airflows}")


def test_printed_sql_holds_no_password_and_makes_the_same_in_psql(council: Council, tmp_path: Path) -> None:
    settings = councils_settings(council.server, tmp_path, "by_hand", "by_hand_airflow")
    out, err = (printed := frontdoor(settings, "database", "create", "--print-sql")).communicate(timeout=60)
    assert printed.returncode == 0, err
    script = tmp_path / "create.sql"
    script.write_text(out)
    login = council.server.superuser
    address = " ".join(f"{name}={value}" for name, value in login.items()) + " dbname=postgres"
    for _ in range(2):
        ran = subprocess.run(
            [servers.DEBIAN_15 / "psql", "-X", "-q", "-f", script, address],
            input="".join(f"{word}\n{word}\n" for word in ("one", "two", "three")),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            start_new_session=True,  # psql asks a terminal where there is one
        )
        assert ran.returncode == 0, ran.stderr
    for server, password in ((connections.locate(settings), "one"), (airflow_database.locate(settings), "two")):
        server.passfile.parent.mkdir(exist_ok=True)
        server.passfile.write_text(f"{server.host}:{server.port}:*:{server.owner}:{password}\n")
        server.passfile.chmod(0o600)
    try:
        checks = [*server_checks.of_warehouse(settings), *server_checks.of_airflow(settings)]
        assert {check.id for check in checks if not check.ok} == {"bi_reader", "schemas"}  # not migrated yet
    finally:
        council.server.drop_database("by_hand")
        council.server.drop_database("by_hand_airflow")
        administration.create(council.settings, council.server.admin_url(), new_passwords=True)
        servers.create_roles(
            council.server, make_settings(tmp_path, DATABASE_URL=council.server.url("frontdoor_migrated"))
        )


# What the doctor says mends it


BROKEN = {
    "database_owner": ["alter role {owner} superuser createdb"],
    "database_rights": ["alter database {owner} owner to postgres", "grant connect on database {owner} to {owner}"],
    "bi_reader": ["revoke connect on database {owner} from bi_reader"],
    "bi_reader ": ["grant usage on schema core, worklists to bi_reader"],
    "bi_reader  ": ["revoke select on bi.indicator_values from bi_reader"],
    "database_log": [
        "alter role {owner} reset log_min_error_statement",
        "alter role {owner} set log_statement = 'all'",
    ],
    "airflow_database": ["alter schema {airflow} rename to elsewhere", "alter schema elsewhere owner to postgres"],
    "airflow_database_owner": ["alter role {airflow} createrole"],
    "airflow_database_reads": ["grant usage on schema raw to {airflow}"],
}


@pytest.mark.parametrize("broken", BROKEN)
def test_sql_that_the_doctor_says_mends_what_it_found(council: Council, broken: str) -> None:
    council.as_administrator(*(sql.format(owner=OWNER, airflow=AIRFLOW) for sql in BROKEN[broken]))
    found = council.checks()[broken.strip()]
    assert not found.ok
    statements = found.sentence.split(": ", 1)[1].split("; and from roles")[0]
    council.as_administrator(statements)
    council.as_administrator("drop schema if exists elsewhere cascade")
    assert {check.id: check.sentence for check in council.checks().values() if not check.ok} == {}


def test_too_few_connections_are_found(council: Council) -> None:
    council.as_administrator(f"alter role {OWNER} connection limit 3")
    found = council.checks()["database_connections"]
    council.as_administrator(f"alter role {OWNER} connection limit -1")
    assert not found.ok
    assert "connection limit (now 3)" in found.sentence


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "UTF8"])
def test_database_that_knows_no_capitals_is_found(council: Council, tmp_path: Path, encoding: str) -> None:
    made = f"encoding '{encoding}' locale_provider libc locale 'C'"
    council.as_administrator(f"create database plain owner {OWNER} template template0 {made}")
    settings = make_settings(
        tmp_path, DATABASE_URL=council.server.url("plain", OWNER, council.settings.home / "pgpass")
    )
    try:
        texts = next(check for check in server_checks.of_warehouse(settings) if check.id == "database_texts")
    finally:
        council.server.drop_database("plain")
    assert not texts.ok
    assert encoding.replace("UTF8", "which does not know that É is é") in texts.sentence


def test_servers_log_holds_no_value_of_a_record(council: Council) -> None:
    log = council.server.settings.home / "postgres.log"
    with closing(connections.connect(council.settings)) as opened, opened.cursor() as cursor:
        for statement in ("select %s::date", "select 1 / 0, %s"):
            with pytest.raises(psycopg2.Error):
                cursor.execute(statement, (CANARY,))
            opened.rollback()
    assert CANARY not in log.read_text()
    with pytest.raises(psycopg2.Error):
        council.as_administrator(f"select '{CANARY}'::date")
    assert CANARY in log.read_text()  # as the server does of itself


# Encryption


def by_psycopg2(settings: Settings) -> None:
    connections.connect(settings).close()


def by_sqlalchemy(settings: Settings) -> None:
    engine = sqlalchemy.create_engine(connections.sqlalchemy_url(settings))
    with closing(engine.raw_connection()):
        pass
    engine.dispose()


def by_dbt(settings: Settings) -> None:
    dbt = dbt_for(settings)
    outcome = dbt.run_tests(dbt.test_names()[:1])
    assert outcome.succeeded, "dbt did not connect"


def by_airflow(settings: Settings) -> None:
    engine = sqlalchemy.create_engine(airflow_database.urls(settings)[0])
    with closing(engine.raw_connection()):
        pass
    engine.dispose()


def by_airflows_triggerer(settings: Settings) -> None:
    async def ask() -> None:
        engine = create_async_engine(airflow_database.urls(settings)[1])
        try:
            async with engine.connect() as opened:
                asked = await opened.execute(
                    sqlalchemy.text("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
                )
                assert asked.scalar() is True
        finally:
            await engine.dispose()

    asyncio.run(ask())


@pytest.mark.parametrize("way", [by_psycopg2, by_sqlalchemy, by_dbt, by_airflow, by_airflows_triggerer])
def test_every_way_to_the_server_verifies_its_certificate(
    council: Council, tmp_path: Path, way: Callable[[Settings], None]
) -> None:
    way(council.settings)
    stranger = tmp_path / "stranger.crt"
    Authority().write(stranger)
    trusted = council.server.superuser["sslrootcert"]

    def strangers(url: str | None) -> str:
        assert url is not None and trusted in url
        return url.replace(trusted, quote(str(stranger)))

    deceived = replace(
        council.settings,
        database_url=strangers(council.settings.database_url),
        airflow_database_url=strangers(council.settings.airflow_database_url),
    )
    with pytest.raises(Exception, match=r"(?i)certificate|did not connect"):
        way(deceived)


def test_password_in_a_url_reaches_dbt_too(council: Council) -> None:
    from frontdoor.platform.passfiles import find_password

    server = connections.locate(council.settings)
    password = find_password(server.passfile, server.host, server.port, server.name, server.owner)
    assert password and council.settings.database_url
    url = council.settings.database_url.replace(f"{OWNER}@", f"{OWNER}:{quote(password, safe='')}@")
    by_dbt(replace(council.settings, database_url=url.replace(f"passfile={server.passfile}&", "")))


def test_migrating_again_changes_nothing(council: Council) -> None:
    prepare.prepare(council.settings)
    assert council.checks()["schemas"].ok
