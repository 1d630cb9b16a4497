"""Bring a platform up, keep it up, take it down.

The process that calls `up` supervises until it stops the platform; another `up` of the same home, meanwhile, only finds
it. Whoever supervises holds a file lock, which the kernel releases however that process ends: the next `up` then ends
what was left behind and starts anew. Postgres alone may go on without a supervisor, because it needs none.
"""

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import IO

import psutil

from frontdoor import database
from frontdoor.database import Server
from frontdoor.platform import airflow, logs, ports, postgres, processes
from frontdoor.platform.airflow import Airflow
from frontdoor.platform.supervisor import Supervisor
from frontdoor.prepare import prepare_to_run
from frontdoor.settings import Settings

READY_SECONDS = 240.0
SUPERVISOR = "supervisor"

Say = Callable[[str], None]
Held = IO[str] | socket.socket  # what the kernel takes back when this process ends: the lock, a port


class PlatformError(RuntimeError):
    """The platform did not come up; the message says which part, and where its log is."""


@dataclass
class Platform:
    """A platform that is up. Leaving the `with` block stops it, unless another process supervises it."""

    settings: Settings
    server: Server
    say: Say
    _found: Airflow | None = None
    _supervisor: Supervisor | None = None
    _held: list[Held] = field(default_factory=list)
    _asked: threading.Event = field(default_factory=threading.Event)

    @property
    def airflow(self) -> Airflow | None:
        """Where Airflow answers; its port changes when somebody else takes it while the API server is down."""
        return self._supervisor.airflow if self._supervisor else self._found

    @property
    def is_supervisor(self) -> bool:
        """Whether this process keeps the platform alive (else it was found running)."""
        return self._supervisor is not None

    def wait(self) -> None:
        """Block until Ctrl-C or a termination; for a platform found running, until that one ends."""
        try:
            while not self._asked.wait(1.0):
                if not self.is_supervisor and supervisor_pid(self.settings) is None:
                    return
        except KeyboardInterrupt:
            return

    def stop(self) -> None:
        """Stop everything that this process started, in order, the database last; more Ctrl-C does not disturb it."""
        self._asked.set()
        self._found = self.airflow
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        with _undisturbed():
            supervisor.stop()
            postgres.stop(self.settings)
            processes.forget(self.settings.home / "run", SUPERVISOR)
        _release(self._held)
        logs.write_line(self.settings, "Stopped.")

    def __enter__(self) -> "Platform":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class Status:
    """What of a platform is there: the database if it answers, Airflow's address if it does, ids by part."""

    database: Server | None
    airflow_url: str | None
    processes: dict[str, int]


def up(settings: Settings, *, with_airflow: bool = True, say: Say = print) -> Platform:
    """Start what is not running and wait until all of it is well. Raises `PlatformError` or `DatabaseUnavailable`.

    In the main thread, SIGTERM and SIGHUP from now on arrive as KeyboardInterrupt, so that `with up(...)` cleans up.
    """
    if threading.current_thread() is threading.main_thread():
        for sign in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, signal.default_int_handler)
    for folder in (settings.home, settings.home / "run"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _supervise(settings)
    if lock is None:
        return _join(settings, with_airflow, say)
    held: list[Held] = [lock]
    platform: Platform | None = None
    try:
        left = processes.end_members(settings.home)
        if left:
            say(f"Ended {left} processes that an earlier platform had left running.")
        for folder in (settings.landing, settings.mail_dir, settings.archive, settings.receipts, settings.home / "log"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs.tidy(settings.home / "log")
        supervisor = _make_ready_to_run(settings, with_airflow, say, held)
        platform = Platform(settings, database.locate(settings), say, None, supervisor, held)
        supervisor.start()
        _wait_until_ready(platform, READY_SECONDS)
    except BaseException:
        if platform is not None:
            platform.stop()
        else:
            with _undisturbed():
                processes.end_members(settings.home, patience=1.0)
                postgres.stop(settings)
            _release(held)
        raise
    return platform


def down(settings: Settings) -> bool:
    """Stop the platform of this home, whoever supervises it; False when nothing ran."""
    pid = supervisor_pid(settings)
    if pid is not None and pid != os.getpid():
        with suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(pid)
            supervisor.terminate()
            try:
                supervisor.wait(60)
            except psutil.TimeoutExpired:
                supervisor.kill()
    ended = processes.end_members(settings.home)
    return postgres.stop(settings) or ended > 0 or pid is not None


def status(settings: Settings) -> Status:
    """Look, start nothing."""
    server: Server | None = None
    with suppress(database.DatabaseUnavailable):
        found = database.locate(settings)
        database.connect(settings, application_name="frontdoor status").close()
        server = found
    parts = [SUPERVISOR, *airflow.PARTS]
    known = {part: processes.noted(settings.home / "run", part) for part in parts}
    known["database"] = postgres.running_pid(settings)
    return Status(server, airflow_url(settings), {part: pid for part, pid in known.items() if pid is not None})


def airflow_url(settings: Settings) -> str | None:
    """Where Airflow's page answers now, or None."""
    described = airflow.describe(settings)
    if described is None:
        return None
    # Of one that runs elsewhere no process is known here, but it can be asked.
    answers = airflow.health(described, 3.0) if settings.airflow_api_url else _is_ours(settings, described)
    return described.url if answers else None


def supervisor_pid(settings: Settings) -> int | None:
    """The process that supervises this home, if one lives."""
    return processes.noted(settings.home / "run", SUPERVISOR)


def _make_ready_to_run(settings: Settings, with_airflow: bool, say: Say, held: list[Held]) -> Supervisor:
    processes.note(settings.home / "run", SUPERVISOR, os.getpid())
    described: Airflow | None = None
    # Airflow's own tables live in the embedded server too, also beside another warehouse, unless a setting says where.
    needs_own = settings.database_url is None or (with_airflow and settings.airflow_database_url is None)
    if needs_own:
        postgres.start(settings, say=say)
    with ThreadPoolExecutor(max_workers=1) as beside:
        prepared = beside.submit(prepare_to_run, settings)
        if with_airflow:
            before = airflow.describe(settings)
            wanted = before.port if before else airflow.PREFERRED_PORT
            described = _configure(settings, wanted, say, held)
            airflow.migrate(settings, settings.home / "log" / "airflow-migrate.log")
        prepared.result()

    def move() -> Airflow:
        assert described is not None
        return _configure(settings, described.port, say, held)

    return Supervisor(settings, described, say, has_database=needs_own, move=move)


def _configure(settings: Settings, wanted: int, say: Say, held: list[Held]) -> Airflow:
    port, reservation = ports.reserve_port(wanted, "Airflow's", say)
    held.append(reservation)
    return airflow.configure(settings, port)


def _is_ours(settings: Settings, described: Airflow) -> bool:
    return ports.listens(processes.noted(settings.home / "run", "api-server"), described.port)


def _join(settings: Settings, with_airflow: bool, say: Say) -> Platform:
    """The platform that another process is bringing or has brought up."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        found = status(settings)
        described = airflow.describe(settings)
        if found.database and (not with_airflow or (found.airflow_url and described and airflow.is_ready(described))):
            say("The platform is up already; using it.")
            return Platform(settings, found.database, say, described if found.airflow_url else None)
        time.sleep(0.5)
    raise PlatformError(
        "Another process supervises this home, but its platform does not become ready: `frontdoor down`."
    )


def _wait_until_ready(platform: Platform, seconds: float) -> None:
    since = datetime.now(UTC)  # noqa: TID251  Airflow's heartbeats are in the machine's time, also where ours is pinned
    deadline = time.monotonic() + seconds
    while (described := platform.airflow) is not None:
        if _is_ours(platform.settings, described) and airflow.is_ready(described, since):
            return
        if time.monotonic() > deadline:
            said = airflow.health(described) or "its API does not answer"
            raise PlatformError(f"Airflow is not ready ({said}); logs are in {platform.settings.home / 'log'}")
        time.sleep(0.25)


def _supervise(settings: Settings) -> IO[str] | None:
    """The lock of the supervisor, or None when another process holds it."""
    handle = (settings.home / "run" / "supervisor.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _release(held: list[Held]) -> None:
    for handle in held:
        handle.close()
    held.clear()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and terminations for a while: half a stop leaves processes behind."""
    signs = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    is_main = threading.current_thread() is threading.main_thread()
    kept = {sign: signal.signal(sign, signal.SIG_IGN) for sign in signs} if is_main else {}
    try:
        yield
    finally:
        for sign, handler in kept.items():
            signal.signal(sign, handler)
