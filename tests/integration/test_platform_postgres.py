"""The embedded server's life. Failing? frontdoor/platform/postgres.py; what it logs: postgres_options.py."""

import io
import os
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from frontdoor import database as connections
from frontdoor.platform import passfiles, postgres, postgres_binaries
from frontdoor.settings import Settings, load

CANARY = "Zebedee Quillfeather"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home of its own, below folders that nobody but us can enter; tests may do anything to its server."""
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    here = load({"FRONTDOOR_HOME": str(closed / "home")})
    postgres.start(here, preferred_port=0)
    yield here
    postgres.stop(here)


def as_administrator(settings: Settings) -> Connection:
    passfile = settings.home / "secrets" / "superuser.pgpass"
    login = {"dbname": "postgres", "user": postgres.SUPERUSER, "passfile": str(passfile)}
    return connections.connect_to({**connections.address(settings), **login}, "tests")


@pytest.fixture
def no_passfile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))


def test_second_start_finds_the_running_server(own_server: Settings) -> None:
    first = postgres.start(own_server)
    pid = postgres.running_pid(own_server)
    assert postgres.start(own_server) == first == connections.locate(own_server)
    assert postgres.running_pid(own_server) == pid


def test_two_starts_at_once_start_one_server(own_server: Settings) -> None:
    postgres.stop(own_server)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(postgres.start(own_server))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


def test_taken_port_is_replaced_and_said_and_the_new_one_is_remembered(own_server: Settings) -> None:
    port = connections.locate(own_server).port
    postgres.stop(own_server)
    said: list[str] = []
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        moved = postgres.start(own_server, say=said.append)
    assert moved.port != port
    assert said == [f"The database's port {port} is taken; using {moved.port}."]
    connections.connect(own_server).close()
    postgres.stop(own_server)
    assert postgres.start(own_server, say=said.append).port == moved.port
    assert len(said) == 1


def test_killed_server_comes_back_with_what_was_committed(own_server: Settings) -> None:
    with connections.connect(own_server) as opened, opened.cursor() as cursor:
        cursor.execute("create table if not exists public.kept as select 42 as answer")
    opened.close()
    pid = postgres.running_pid(own_server)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    postgres.start(own_server)
    assert postgres.running_pid(own_server) not in (None, pid)
    with connections.connect(own_server) as opened, opened.cursor() as cursor:
        cursor.execute("select answer from public.kept")
        assert cursor.fetchone() == (42,)
    opened.close()


def test_pid_file_that_names_another_program_is_not_believed(own_server: Settings) -> None:
    postgres.stop(own_server)
    stale = own_server.home / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{own_server.home}\n1\n15432\n\n127.0.0.1\n0 0\nready\n")
    assert postgres.running_pid(own_server) is None
    assert not postgres.stop(own_server)
    postgres.start(own_server)
    assert postgres.running_pid(own_server) not in (None, os.getpid())


def test_lost_passfile_is_made_anew(own_server: Settings) -> None:
    passfile = connections.locate(own_server).passfile
    before = passfiles.read_passwords(passfile)
    passfile.unlink()
    postgres.start(own_server)
    assert passfiles.read_passwords(passfile).keys() == before.keys()
    connections.connect(own_server).close()


def test_secrets_are_for_their_owner_alone(own_server: Settings) -> None:
    for path in (connections.locate(own_server).passfile, *(own_server.home / "secrets").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for folder in (own_server.home, *(own_server.home / name for name in ("log", "run", "secrets", "postgres"))):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_nobody_enters_without_a_password(
    own_server: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = connections.locate(own_server)
    monkeypatch.setenv("HOME", str(tmp_path))
    for role in ("postgres", "frontdoor", "bi_reader", "airflow"):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(host=server.host, port=server.port, dbname="frontdoor", user=role)


def test_server_listens_on_loopback_alone(own_server: Settings) -> None:
    opened = as_administrator(own_server)
    with opened.cursor() as cursor:
        cursor.execute("select current_setting('listen_addresses'), current_setting('unix_socket_directories')")
        assert cursor.fetchone() == ("127.0.0.1", "")
        cursor.execute("select current_setting('synchronous_commit'), current_setting('fsync')")
        assert cursor.fetchone() == ("on", "on")
    opened.close()


@pytest.mark.parametrize(
    ("role", "name"), [("bi_reader", "airflow"), ("airflow", "frontdoor"), ("frontdoor", "airflow")]
)
def test_role_cannot_enter_the_database_of_another(own_server: Settings, role: str, name: str) -> None:
    server = connections.locate(own_server)
    secret = own_server.home / "secrets" / "airflow.pgpass" if role == "airflow" else server.passfile
    address = {"host": server.host, "port": server.port, "user": role, "passfile": str(secret)}
    psycopg2.connect(dbname="airflow" if role == "airflow" else "frontdoor", **address).close()
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(dbname=name, **address)


def test_owner_and_reader_are_ordinary_roles(own_server: Settings) -> None:
    opened = as_administrator(own_server)
    with opened.cursor() as cursor:
        cursor.execute(
            """
            select rolname from pg_roles
            where rolname in ('frontdoor', 'bi_reader', 'airflow')
                and not (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication)
            order by rolname
            """
        )
        assert [row[0] for row in cursor.fetchall()] == ["airflow", "bi_reader", "frontdoor"]
    opened.close()


FAILING = [
    f"select '{CANARY}'::date",
    f"insert into child values ('{CANARY}', 'x')",
    f"insert into child values ('{CANARY} the second', null)",
    f"insert into child values ('not {CANARY}', '{CANARY}')",
    f"do $$ begin raise exception 'found %', '{CANARY}'; end $$",
    f"do $$ begin raise warning 'found %', '{CANARY}'; end $$",
    f"select * from nowhere where name = '{CANARY}'",
    f"selec '{CANARY}'",
    f"set statement_timeout = '50ms'; select pg_sleep(5), '{CANARY}'",
]


def test_no_error_writes_a_value_into_the_server_log(own_server: Settings) -> None:
    opened = connections.connect(own_server)
    opened.autocommit = True
    with opened.cursor() as cursor:
        cursor.execute("create temporary table child (name text primary key, note text not null check (note = 'x'))")
        cursor.execute("insert into child values (%s, 'x')", (CANARY,))
        raised = 0
        for statement in FAILING:
            try:
                cursor.execute(statement)
            except psycopg2.Error as error:
                raised += 1
                assert "warning" not in statement, error
        cursor.execute("set statement_timeout = 0")
        with pytest.raises(psycopg2.Error):
            cursor.copy_expert("copy child from stdin", io.StringIO(f"{CANARY}\n"))
        assert raised == len(FAILING) - 1
        for setting in ("log_min_messages", "log_min_error_statement", "log_error_verbosity", "log_statement"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(f"set {setting} to default")
    opened.close()
    _assert_silent(own_server)


def test_crash_of_a_session_does_not_log_the_statement_that_ran(own_server: Settings) -> None:
    opened = connections.connect(own_server)
    with opened.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        row = cursor.fetchone()
    assert row is not None
    backend = row[0]

    def run() -> None:
        with pytest.raises(psycopg2.Error), opened.cursor() as cursor:
            cursor.execute("select pg_sleep(30), %s", (CANARY,))

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.5)
    os.kill(backend, signal.SIGKILL)
    thread.join(20)
    assert not thread.is_alive()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            connections.connect(own_server).close()
            break
        except connections.DatabaseUnavailable:
            time.sleep(0.1)
    assert "terminated by signal 9" in _log(own_server)
    _assert_silent(own_server)


def _log(settings: Settings) -> str:
    return (settings.home / "log" / "postgres.log").read_text(encoding="utf-8", errors="replace")


def _assert_silent(settings: Settings) -> None:
    text = _log(settings)
    assert "ready to accept connections" in text
    for word in CANARY.split():
        assert word not in text


def test_programs_out_of_the_accounts_reach_are_copied_with_their_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "_can_run", lambda program, account: False)
    monkeypatch.setattr(postgres_binaries, "SYSTEM_FOLDER", tmp_path)
    account = postgres_binaries.Account(os.getuid(), os.getgid())
    for program in ("postgres", "initdb"):
        copied = postgres_binaries.executable(postgres_binaries.find(None), program, account)
        assert copied.is_relative_to(tmp_path)
        said = subprocess.run([copied, "--version"], capture_output=True, text=True, check=True, env={}).stdout
        assert "PostgreSQL" in said
    assert len(list(tmp_path.iterdir())) == 1
