"""Two databases for the tests of copies: one in which a few days of files came, and an empty one with a home of its own."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from frontdoor import clock, database, delivery, intake
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.settings import Settings
from frontdoor.simulator.sample import sample_records
from tests.conftest import make_settings
from tests.servers import SharedServer

DAY = date(2026, 3, 2)
BEGIN = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
AFTERWARDS = datetime(2026, 3, 9, 12, 0, 0, tzinfo=UTC)
POLICE, SCHOOLS, COUNCIL = "wearside_police/police", "wearside_schools/referral", "wearside_council/visit"
# Times of processing: when we read, judged, published and built, not when anything happened or came.
OF_PROCESSING = {"known_from", "known_to", "found_at", "resolved_at", "published_at", "loaded_at", "checked_at"}
OF_PROCESSING |= {
    "as_of",
    "raised_at",
    "settled_at",
    "told_at",
    "last_published_at",
    "built_in",
    "build_id",
    "created_at",
    "sent_at",
    "held_at",
    "attempts",
}


@dataclass(frozen=True)
class House:
    """A database and a home."""

    settings: Settings

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query; commit."""
        with closing(database.connect(self.settings)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *values: Any) -> Any:
        """Return the only value of a query."""
        ((value,),) = self.rows(query, *values)
        return value

    def send(self, to: str, content: bytes, at: datetime, name: str = "file.csv") -> None:
        """Let a file come at a time; it is published a few seconds later, as on a running platform."""
        folder = self.settings.landing / to
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".coming").write_bytes(content)
        os.rename(folder / ".coming", folder / name)
        status = (folder / name).stat()
        with clock.then(at), closing(database.connect(self.settings)) as connection:
            moved = {(status.st_ino, status.st_ctime_ns)}
            assert intake.take(connection, self.settings, load_house(), moved=moved) == 1
        with clock.then(at + timedelta(seconds=3)):
            delivery.drain(self.settings)

    def build(self) -> None:
        """Build the marts as they stand afterwards, after a sweep."""
        with clock.then(AFTERWARDS):
            delivery.drain(self.settings)
            assert delivery.build(self.settings, even_if_nothing=True)["models_failed"] == 0

    def content(self, *schemas: str) -> dict[str, list[str]]:
        """Return every row of these schemas as text, times of processing apart, sorted."""
        columns: dict[str, list[str]] = {}
        for schema, table, column in self.rows(
            """
            select nspname, relname, attname
            from pg_attribute
            inner join pg_class on attrelid = pg_class.oid
            inner join pg_namespace on relnamespace = pg_namespace.oid
            where
                nspname = any(%s) and relkind in ('r', 'p', 'v') and not relispartition
                and attnum > 0 and not attisdropped
            order by 1, 2, attnum
            """,
            list(schemas),
        ):
            columns.setdefault(f'"{schema}"."{table}"', []).append(column)
        return {
            table: sorted(
                row
                for (row,) in self.rows(
                    f"select row_to_json(each)::text from (select {_quoted(names)} from {table}) as each"
                )
            )
            for table, names in columns.items()
        }


def differences(was: dict[str, list[str]], is_now: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return by table what stands in one of the two alone."""
    assert was.keys() == is_now.keys()
    return {name: sorted({*was[name]} ^ {*is_now[name]})[:4] for name in was if was[name] != is_now[name]}


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names if name not in OF_PROCESSING) or "1 as row"


@contextmanager
def empty_house(server: SharedServer, home: Path, name: str, *, key_of: House | None = None) -> Iterator[House]:
    """Yield a home with an empty database; the archive's key is brought there by hand, as an engineer does."""
    server.create_database(name, "template1")
    settings = make_settings(home, DATABASE_URL=server.url(name))
    if key_of is not None:
        settings.archive_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(key_of.settings.archive_key, settings.archive_key)
    try:
        yield House(settings)
    finally:
        server.drop_database(name)


def live_through_a_week(house: House) -> None:
    """Let files of three agencies come: good ones, poor ones, a correction, a repeat, and what nobody can read."""
    with clock.then(BEGIN - timedelta(hours=1)):
        prepare(house.settings)
    contracts, day = load_house(), timedelta(days=1)
    police = sample_records(contracts, "wearside_police", "police", 8, seed=1, on=DAY)
    spoiled = sample_records(contracts, "wearside_police", "police", 6, seed=2, break_rule="POL-020", on=DAY)
    house.send(POLICE, police, BEGIN, "monday.csv")
    referrals = sample_records(contracts, "wearside_schools", "referral", 7, seed=3, on=DAY)
    house.send(SCHOOLS, referrals, BEGIN + timedelta(seconds=4))
    house.send(COUNCIL, _visits(contracts, 9), BEGIN + timedelta(hours=1))
    with clock.then(BEGIN + timedelta(hours=2)):
        delivery.build(house.settings)
    house.send(POLICE, spoiled, BEGIN + day)
    house.send(POLICE, police, BEGIN + day + timedelta(minutes=5), "again.csv")
    house.send(POLICE, b"", BEGIN + 2 * day, "empty.csv")
    house.send("wearside_stranger/police", police, BEGIN + 2 * day + timedelta(minutes=1))
    house.send(POLICE, _corrected(police), BEGIN + 3 * day)
    # The first statement again, after it was corrected: a new one, of the same bytes.
    house.send(POLICE, police, BEGIN + 3 * day + timedelta(hours=1), "once more.csv")
    house.send(COUNCIL, _visits(contracts, 5), BEGIN + 4 * day)
    house.build()


def _visits(contracts: Any, records: int) -> bytes:
    """The list of visits, as long as it is that day."""
    return sample_records(contracts, "wearside_council", "visit", records, seed=4, on=DAY)


def _corrected(police: bytes) -> bytes:
    """The same notices, of half of which more is told."""
    rows = list(csv.reader(io.StringIO(police.decode("utf-8-sig"))))
    longest = max(range(len(rows[1])), key=lambda at: len(rows[1][at]))
    for row in rows[1:5]:
        row[longest] += " More was said at the school the day after."
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
