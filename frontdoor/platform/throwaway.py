"""A platform that never was: a home and a Postgres of its own for as long as a `with` block, and nothing afterwards.

However the block ends, the server is stopped and the folder deleted: at its end, on an error, on Ctrl-C and on a
termination by whoever runs it; and where the process itself is killed, by a caretaker, a child that does nothing but
wait until the pipe from its parent closes, as the kernel closes it whatever happened.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from frontdoor import clock, database, settings, warehouse
from frontdoor.platform import postgres
from frontdoor.settings import Settings

PREFIX = "frontdoor-throwaway-"
CARETAKER = (
    "import os, sys; sys.stdin.buffer.read()\n"
    "if os.path.lexists(sys.argv[1]):\n"
    "    from frontdoor.platform import throwaway; throwaway.clear(sys.argv[1])"
)
CLEAR_SECONDS = 30.0


@contextmanager
def throwaway(now: datetime | None = None) -> Iterator[Settings]:
    """Yield the settings of an empty, migrated database in a temporary home.

    ``now``: the pinned time, where one is set; the database is then marked as a simulation.
    In the main thread SIGTERM and SIGHUP arrive as KeyboardInterrupt meanwhile. Raises `DatabaseUnavailable`.
    """
    with _terminated_like_ctrl_c():
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Not pinned yet: no database is a simulation before it is marked as one.
        here = settings.load({f"{settings.PREFIX}HOME": str(home), f"{settings.PREFIX}SETTLE_SECONDS": "0"})
        caretaker = None
        try:
            caretaker = _caretaker(home)
            postgres.start(here, durable=False, preferred_port=0, say=lambda _: None)
            _migrate(here, is_simulation=now is not None)
            yield replace(here, now=now)
        finally:
            with _undisturbed():
                clear(home)
                if caretaker is not None:
                    caretaker.communicate()


def clear(home: Path | str) -> None:
    """Stop the server of a throw-away home and delete the home."""
    here = settings.load({f"{settings.PREFIX}HOME": str(home)})
    if not here.home.name.startswith(PREFIX):
        raise ValueError("only a throw-away home is thrown away")
    deadline = clock.monotonic() + CLEAR_SECONDS
    while here.home.exists() and clock.monotonic() < deadline:
        # Again where a server was only just starting when its parent was killed.
        postgres.stop(here)
        with suppress(OSError):
            shutil.rmtree(here.home)
            return
        time.sleep(0.05)


def _caretaker(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", CARETAKER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us alone
    )


def _migrate(here: Settings, *, is_simulation: bool) -> None:
    connection = database.connect(here)
    try:
        warehouse.migrate(connection)
        if is_simulation:
            with connection, connection.cursor() as cursor:
                cursor.execute("insert into warehouse.simulation (marked_at) values (%s)", (clock.now(),))
    finally:
        connection.close()


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    with _handling((signal.SIGTERM, signal.SIGHUP), signal.default_int_handler):
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    with _handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN):
        yield


@contextmanager
def _handling(signs: tuple[signal.Signals, ...], handler: object) -> Iterator[None]:
    is_main = threading.current_thread() is threading.main_thread()
    kept = {sign: signal.signal(sign, handler) for sign in signs} if is_main else {}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for sign, before in kept.items():
            signal.signal(sign, before)
