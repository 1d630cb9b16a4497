"""A whole running platform for the tests that need one: real Postgres, real Airflow, one per session.

Slow to start (half a minute), so it is shared; tests tell their own deliveries apart by file hash and never count
what others sent. Dear to keep (a third of a core when idle), so these tests come first, on one worker where several
share the work, and the platform ends with the last of them.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from frontdoor import database, platform
from frontdoor import settings as settings_module
from frontdoor.contract import load_house
from frontdoor.settings import Settings
from frontdoor.simulator.sample import sample_records


@dataclass
class Live:
    """A running platform and a few ways to use it as an outsider would."""

    settings: Settings
    running: platform.Platform | None

    def process_id(self, part: str) -> int | None:
        """Return the process id of a part of the platform, as it is known now."""
        return platform.status(self.settings).processes.get(part)

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Run one query in its own transaction; return all rows."""
        connection = database.connect(self.settings)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall()
        finally:
            connection.close()

    def land(self, agency: str, source: str, payload: bytes, name: str | None = None) -> str:
        """Rename a file into the landing zone, as an SFTP server does; return its sha256."""
        folder = self.settings.landing / agency / source
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{uuid.uuid4().hex}"
        temporary.write_bytes(payload)
        os.rename(temporary, folder / (name or f"{uuid.uuid4().hex}.csv"))
        return hashlib.sha256(payload).hexdigest()

    def sample(self, agency: str, feed: str, records: int, **options: Any) -> bytes:
        """Return an invented file; a new seed each time, unless one is given."""
        options.setdefault("seed", uuid.uuid4().int % 2**31)
        return sample_records(load_house(), agency, feed, records, **options)

    def wait_until(self, true: Callable[[], bool], seconds: float, what: str) -> float:
        """Poll; return the seconds it took. Fails the test, saying what did not come, when time is over."""
        start = time.monotonic()
        while not true():
            if time.monotonic() - start > seconds:
                pytest.fail(f"after {seconds:.0f} s still waiting for {what}: see {self.settings.home / 'log'}")
            time.sleep(0.05)
        return time.monotonic() - start

    def in_triage(self, sha256: str) -> int:
        """Count the records of a file on the triage list."""
        return int(
            self.rows(
                "select count(*) from worklists.triage join intake.deliveries using (delivery_id)"
                " join intake.files using (file_id) where sha256_received = %s",
                (sha256,),
            )[0][0]
        )

    def published(self, hashes: list[str]) -> int:
        """Count the files of these hashes whose deliveries are all published."""
        return int(
            self.rows(
                "select count(distinct file_id) from intake.files join intake.deliveries using (file_id)"
                " where sha256_received = any(%s) and deliveries.status = 'published'",
                (hashes,),
            )[0][0]
        )


FOLDERS = ("tests/e2e/", "tests/faults/")
_STOP = pytest.StashKey[Callable[[], None]]()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Live]:
    """A platform for all tests of these folders; stopped, process by process, after the last of them."""
    home = tmp_path_factory.mktemp("live") / "home"
    settings = settings_module.load(
        {
            "FRONTDOOR_HOME": str(home),
            "FRONTDOOR_SWEEP_SECONDS": "30",
            "FRONTDOOR_LOG_FORMAT": "json",
            "FRONTDOOR_METRICS": f"file:{home}/run/metrics.prom",
            "FRONTDOOR_LINEAGE": f"file:{home}/run/lineage.jsonl",
        }
    )
    with ExitStack() as stack:
        running = stack.enter_context(platform.up(settings))
        request.config.stash[_STOP] = stack.close
        yield Live(settings, running)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of the live platform come first."""
    items.sort(key=lambda item: not item.nodeid.startswith(FOLDERS))


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop the live platform after the last test that wants it."""
    is_last = nextitem is not None and not nextitem.nodeid.startswith(FOLDERS)
    if is_last and _STOP in item.config.stash:
        item.config.stash[_STOP]()


class FilesByWorker(LoadScopeScheduling):
    """Each test file goes to one worker as a whole, and all files of the live platform to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        return "live" if nodeid.startswith(FOLDERS) else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesByWorker:
    """Share the tests among workers, in their order."""
    config.option.loadscopereorder = False
    return FilesByWorker(config, log)
