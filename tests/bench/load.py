"""First load of a million police rows beside ``\\copy``, the same bytes again, and memory: what intake costs.

The copy goes into a table with the same lineage columns (by default and sequence) and indexes, on the same server, just
before and just after ours; the mean of the two counts, so that a change of load on the machine favours neither. Ours
includes taking, hashing, archiving and the ledger.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from psycopg2 import sql

from frontdoor import database, intake, settings, warehouse
from frontdoor.contract import House, load_house
from frontdoor.platform import postgres
from frontdoor.settings import Settings
from tests.bench import Figure

RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
AGENCY, FEED = "wearside_police", "police"
LARGE_BYTES, SMALL_BYTES = 2**30, 10 * 2**20
ACCOUNT = (
    "officers attended after a neighbour heard shouting and a child crying; mother and father were both at home, the "
    "child was seen in the bedroom and said little, school will be told before the next day"
)


def run(scratch: Path) -> list[Figure]:
    """Measure and return the figures."""
    here = settings.load({"FRONTDOOR_HOME": str(scratch / "home")})
    house = load_house()
    postgres.start(here, preferred_port=0)
    try:
        connection = database.connect(here)
        warehouse.migrate(connection)
        warehouse.ensure_raw_tables(connection, house)
        source = scratch / "large.csv"
        write_rows(source, house, RECORDS)
        first_copy = _copy(connection, house, source)
        load_seconds, rows = _ingest(connection, here, house, source, "first.csv")
        second_copy = _copy(connection, house, source)
        again_seconds, more = _ingest(connection, here, house, source, "again.csv")
        connection.close()
        copy_seconds = (first_copy + second_copy) / 2
        memory = {size: _memory(scratch, here, size) for size in (SMALL_BYTES, LARGE_BYTES)}
    finally:
        postgres.stop(here)
    ratio = copy_seconds / load_seconds
    growth = memory[LARGE_BYTES]["growth"]
    return [
        Figure(
            f"first load of {RECORDS:,} police rows ({source.stat().st_size / 1e6:,.0f} MB) against \\copy",
            f"{ratio:.2f} of its speed ({load_seconds:.1f} s, \\copy {copy_seconds:.1f} s; {rows:,} rows)",
            ">= 0.4",
            ratio >= 0.4 and rows == RECORDS,
        ),
        Figure(
            "the same bytes again",
            f"{again_seconds / load_seconds:.1%} of the first load ({again_seconds:.2f} s; {more - rows} rows)",
            "<= 5 %, 0 rows",
            again_seconds <= 0.05 * load_seconds and more == rows,
        ),
        Figure(
            "growth of memory, 10 MB and 1 GB file",
            f"{memory[SMALL_BYTES]['growth'] / 2**20:.0f} MB and {growth / 2**20:.0f} MB",
            "<= 200 MB",
            growth <= 200 * 2**20,
        ),
    ]


def write_rows(path: Path, house: House, records: int, limit_bytes: int | None = None) -> None:
    """Write an invented police file: every property, a few hundred characters of account, some cells in quotes."""
    names = [each.name for each in house.feeds[FEED].properties]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(names) + "\n")
        for line in _lines(names, records):
            file.write(line)
            if limit_bytes is not None and file.tell() >= limit_bytes:
                break


def _lines(names: list[str], records: int) -> Iterator[str]:
    chance = random.Random(7)
    choices = ("yes", "no", "not_known", "", "red", "domestic", "2026-03-02 14:05:00", "12 Example Road", "394")
    templates = [[chance.choice(choices) for _ in names] for _ in range(500)]
    reference, child, account = (names.index(name) for name in ("notification_ref", "child_ref", "narrative"))
    accounts = [" ".join(chance.choices(ACCOUNT.split(), k=60)) for _ in range(997)]
    for number in range(records):
        row = list(templates[number % len(templates)])
        row[reference], row[child] = f"WP-{number:08d}", f"C-{number % 900_000:07d}"
        text = accounts[number % len(accounts)]
        row[account] = f'"{text}"' if "," in text else text
        yield ",".join(row) + "\n"


def _copy(connection: Any, house: House, source: Path) -> float:
    """Copy the file into a table of its own; return seconds."""
    names = [each.name for each in house.feeds[FEED].properties]
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists public.copied; drop sequence if exists public.copied_record_no")
        cursor.execute("create sequence public.copied_record_no cache 1000")
        cursor.execute("create table public.copied (like raw.police including all) partition by range (_received_at)")
        cursor.execute(
            """
            create table public.copied_part partition of public.copied
                for values from ('2026-01-01') to ('2027-01-01');
            alter table public.copied
                alter _agency_code set default 'wearside_police', alter _delivery_id set default 1,
                alter _record_no set default nextval('public.copied_record_no'),
                alter _received_at set default '2026-06-01'
            """
        )
    statement = sql.SQL("copy public.copied ({}) from stdin (format csv, header)").format(
        sql.SQL(", ").join(map(sql.Identifier, names))
    )
    began = time.monotonic()
    with connection, connection.cursor() as cursor, source.open("rb") as file:
        cursor.copy_expert(statement, file, size=2**20)
    seconds = time.monotonic() - began
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table public.copied")
    return seconds


def _ingest(connection: Any, here: Settings, house: House, source: Path, name: str) -> tuple[float, int]:
    """Land a copy of the file, take and load it; return seconds and the rows that are then in raw.police."""
    folder = here.landing / AGENCY / FEED
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", str(source), str(folder / ".unfinished")], check=True)
    os.rename(folder / ".unfinished", folder / name)
    status = (folder / name).stat()
    began = time.monotonic()
    intake.take(connection, here, house, source=FEED, moved={(status.st_ino, status.st_ctime_ns)})
    with connection.cursor() as cursor:
        cursor.execute("select delivery_id from intake.deliveries where status = 'received'")
        for (delivery_id,) in cursor.fetchall():
            intake.load(connection, here, house, delivery_id)
    connection.commit()
    seconds = time.monotonic() - began
    assert not (folder / name).exists()
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from raw.police")
        return seconds, int(cursor.fetchone()[0])


def _memory(scratch: Path, here: Settings, size: int) -> dict[str, int]:
    """Take and load a file of that size in a process of its own; return how far it grew over its resting size."""
    source = scratch / f"{size}.csv"
    write_rows(source, load_house(), 10**9, size)
    command = [sys.executable, "-m", "tests.bench.load", str(source), str(here.home)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800).stdout
    source.unlink()
    return dict(json.loads(said))


def _grow(source: Path, home: Path) -> int:
    here = replace(settings.load({"FRONTDOOR_HOME": str(home)}), landing=home / "landing")
    house = load_house()
    connection = database.connect(here)
    _ingest(connection, here, house, _tiny(source, house), "warm.csv")
    resting = _memory_of("VmRSS")
    _ingest(connection, here, house, source, source.name)
    return _memory_of("VmHWM") - resting


def _tiny(source: Path, house: House) -> Path:
    path = source.with_suffix(".tiny")
    write_rows(path, house, 10)
    return path


def _memory_of(name: str) -> int:
    """Return resident memory now (VmRSS) or at most (VmHWM) in bytes; getrusage would tell of the parent's, too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    print(json.dumps({"growth": _grow(Path(sys.argv[1]), Path(sys.argv[2]))}))
