"""A whole running platform for the tests that need one: real Postgres, real Airflow, one per session.

Slow to start (half a minute), so it is shared; tests tell their own deliveries apart by file hash and never count
what others sent.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

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


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A platform that runs for the whole session and is stopped, process by process, at its end."""
    home = tmp_path_factory.mktemp("live") / "home"
    settings = settings_module.load({"FRONTDOOR_HOME": str(home), "FRONTDOOR_SWEEP_SECONDS": "30"})
    with platform.up(settings) as running:
        yield Live(settings, running)
