"""A copy of a million records and their marts, and how long it takes to have them back in an empty server.

Ten files of police notices, one in a hundred records failing each rule, are taken, judged and built; copied; and brought
back into a server of its own: `frontdoor restore`, everything included, until the next file could be taken. `BENCH_RECORDS`
says how many records there are in all.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from frontdoor import database, delivery, settings
from frontdoor.contract import House, load_house
from frontdoor.keeping.backup import Made, backup
from frontdoor.keeping.restore import restore
from frontdoor.platform import postgres
from frontdoor.prepare import prepare
from frontdoor.settings import Settings
from frontdoor.simulator.sample import write_sample
from tests.bench import Figure

RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
FILES = 10
AGENCY, FEED = "wearside_police", "police"
BAR_SECONDS = 600.0
MILLION = 1_000_000


def run(scratch: Path) -> Iterator[Figure]:
    """Measure and yield the figures."""
    old, new = (_home(scratch, name) for name in ("old", "new"))
    postgres.start(old, preferred_port=0)
    try:
        prepare(old)
        loaded = _load(scratch, old, load_house())
        began = time.monotonic()
        made = backup(old, str(scratch / "copy"))
        backed_up = time.monotonic() - began
        rows = _triage(old)
        yield Figure(f"backup of {RECORDS:,} records and their marts ({_size(made):,.0f} MB)", f"{backed_up:.0f} s")
    finally:
        postgres.stop(old)
    shutil.copytree(old.home / "secrets", new.home / "secrets", ignore=shutil.ignore_patterns("*.pgpass"))
    shutil.rmtree(old.home)
    began = time.monotonic()
    postgres.start(new, preferred_port=0)
    try:
        restore(new, str(scratch / "copy"))
        seconds = time.monotonic() - began
        is_whole = _triage(new) == rows == RECORDS
    finally:
        postgres.stop(new)
    yield Figure(
        f"restore of {RECORDS:,} records and their marts into an empty server",
        f"{seconds:.0f} s (taken, judged and built in {loaded:.0f} s)"
        + ("" if RECORDS == MILLION else f"; a million in proportion: {seconds * MILLION / RECORDS:.0f} s"),
        "< 600 s for 1,000,000",
        (is_whole and seconds < BAR_SECONDS) if RECORDS == MILLION or not is_whole else None,
    )


def _home(scratch: Path, name: str) -> Settings:
    return settings.load({"FRONTDOOR_HOME": str(scratch / name), "FRONTDOOR_SETTLE_SECONDS": "0"})


def _load(scratch: Path, here: Settings, house: House) -> float:
    folder = here.landing / AGENCY / FEED
    began = time.monotonic()
    for number in range(FILES):
        write_sample(scratch / ".csv", house, AGENCY, FEED, RECORDS // FILES, seed=number + 1, failing_ratio=0.01)
        os.rename(scratch / ".csv", folder / f"{number}.csv")
        time.sleep(0.1)
        delivery.drain(here)
        print(f"# {number + 1} of {FILES} files judged after {time.monotonic() - began:.0f} s", file=sys.stderr)
    delivery.build(here)
    return time.monotonic() - began


def _triage(here: Settings) -> int:
    with closing(database.connect(here)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from worklists.triage")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _size(made: Made) -> float:
    return sum(each.size_bytes for each in (*made.manifest.parts, *made.manifest.files)) / 1e6
