"""A simulated town, sent to the pipeline file by file, at the times at which its agencies would have sent it.

Every file is taken at its own time. What lands in one feed within a morning is judged together, after the last of it,
as the platform does when files come faster than they are judged. What feeds several feeds, a return of the council's, is
sent while nothing else is.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from frontdoor import clock, database, delivery, intake, settings, warehouse
from frontdoor.contract import House, load_house
from frontdoor.platform import postgres
from frontdoor.prepare import prepare
from frontdoor.settings import Settings
from frontdoor.simulator.town.simulate import landed

# A file is taken so long after it landed.
TAKEN_AFTER = timedelta(seconds=20)
# The marts are built after so many days, and at the end.
BUILT_EVERY = timedelta(days=91)
# One for each feed: while one waits for the database, two cores have another to work for.
PROCESSES = 3


@dataclass
class Ingested:
    """A town in the database, and how long it took."""

    house: House
    settings: Settings
    connection: Connection
    town: Path
    files: int
    records: int
    drain_seconds: float
    build_seconds: float

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    @property
    def seconds(self) -> float:
        """From the first file to the last mart."""
        return self.drain_seconds + self.build_seconds


@contextmanager
def ingested(town: Path, home: Path) -> Iterator[Ingested]:
    """Yield a server of its own in which every file of a town was taken, judged, published and built."""
    here = settings.load({"FRONTDOOR_HOME": str(home)})
    house = load_house()
    postgres.start(here, preferred_port=0)
    try:
        with _at(None):
            connection = database.connect(here)
            warehouse.migrate(connection)
            with connection, connection.cursor() as cursor:
                cursor.execute("insert into warehouse.simulation (marked_at) values (%s)", (clock.now(),))
        # Made ready at its own time; else the first drain would, and build beside all the others.
        with _at(taken_at(next(landed(town)))):
            prepare(here)
        done = _ingest(here, house, town)
        yield Ingested(house, here, connection, town, *done)
        connection.close()
    finally:
        with _at(None):
            postgres.stop(here)


def _ingest(here: Settings, house: House, town: Path) -> tuple[int, int, float, float]:
    """Drain feed beside feed, as the platform does, and build after every few weeks."""
    rows = list(landed(town))
    drained = built = 0.0
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        for month in _months(rows):
            began = time.monotonic()
            for some in _apart(month, house):
                feeds = sorted({row["feed"] for row in some})
                by_feed = [[row for row in some if row["feed"] == feed] for feed in feeds]
                for done in [pool.submit(drain, settings.as_environment(here), town, rows) for rows in by_feed]:
                    done.result()
            drained += time.monotonic() - began
            built += _build(here, taken_at(month[-1]))
    return len(rows), sum(int(row["records"]) for row in rows), drained, built


def _months(rows: list[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """Yield the files in order, those of a few weeks at a time."""
    since = 0
    for at, row in enumerate(rows):
        if taken_at(row) - taken_at(rows[since]) > BUILT_EVERY:
            yield rows[since:at]
            since = at
    if rows:
        yield rows[since:]


def _apart(rows: list[dict[str, str]], house: House) -> Iterator[list[dict[str, str]]]:
    """Yield the files in order, each return by itself."""
    for is_return, some in groupby(rows, key=lambda row: row["feed"] in house.layouts):
        files = list(some)
        yield from [[row] for row in files] if is_return else [files]


def taken_at(row: dict[str, str]) -> datetime:
    """When a file is taken."""
    return datetime.fromisoformat(row["landed_at"]) + TAKEN_AFTER


def drain(environment: dict[str, str], town: Path, rows: list[dict[str, str]]) -> None:
    """Send these files, each at its own time. Runs in a process of its own: the clock is the process's."""
    here, house = settings.load(environment), load_house()
    with _at(taken_at(rows[0])), closing(database.connect(here)) as connection:
        for _, morning in groupby(rows, key=lambda row: row["landed_at"][:10]):
            for row in morning:
                with _at(taken_at(row)):
                    moved = _land(here, town, row)
                    taken = intake.take(connection, here, house, source=row["feed"], moved=moved)
                assert taken == 1, f"{row['path']} was not taken"
            with _at(taken_at(row)):
                delivery.drain(here, [row["feed"]])


def _land(here: Settings, town: Path, row: dict[str, str]) -> frozenset[tuple[int, int]]:
    """Rename a file into its landing folder; what a watcher would know of it."""
    folder = here.landing / row["agency"] / row["feed"]
    folder.mkdir(parents=True, exist_ok=True)
    name = row["lands_as"]
    shutil.copyfile(town / "landing" / row["path"], folder / f".{name}.coming")
    os.rename(folder / f".{name}.coming", folder / name)
    status = (folder / name).stat()
    return frozenset({(status.st_ino, status.st_ctime_ns)})


def _build(here: Settings, at: datetime) -> float:
    began = time.monotonic()
    with _at(at):
        result = delivery.build(here, even_if_nothing=True)
    assert not result["models_failed"], "a model failed"
    return time.monotonic() - began


@contextmanager
def _at(now: datetime | None) -> Iterator[None]:
    """Pin the clock."""
    before = os.environ.pop("FRONTDOOR_NOW", None)
    try:
        if now is not None:
            os.environ["FRONTDOOR_NOW"] = now.isoformat()
        yield
    finally:
        os.environ.pop("FRONTDOOR_NOW", None)
        if before is not None:
            os.environ["FRONTDOOR_NOW"] = before
