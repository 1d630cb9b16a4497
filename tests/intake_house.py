"""A small house for the tests of intake: one feed, a layout, three agencies; and files dropped into a landing zone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from frontdoor import intake
from frontdoor.contract import Agency, AgencyFeed, Feed, House, Layout, Property
from frontdoor.intake import archive, journal
from frontdoor.settings import Settings

POLICE = ("notification_ref", "child_ref", "forename", "dob", "narrative", "grade")
REFERRAL = ("contact_reference", "child_ref", "upn", "dob", "source_code", "known_at", "icpc_date", "extract_as_of")
POLICE_HEADERS = {"Our Ref": "notification_ref", "Child's first name": "forename"}
CENSUS = {
    "record": "Message/Children/Child/CINdetails",
    "fields": {
        "child_ref": "../ChildIdentifiers/LAchildID",
        "upn": "../ChildIdentifiers/UPN",
        "dob": "../ChildIdentifiers/PersonBirthDate",
        "source_code": "ReferralSource",
        "known_at": "CINreferralDate",
        "icpc_date": "DateOfInitialCPC",
        "extract_as_of": "/Message/Header/CollectionDetails/ReferenceDate",
    },
}


def house() -> House:
    """Return the house."""
    agencies = {
        code: Agency(code, code, kind, "E08000024", "Europe/London", "england", "liaison")
        for code, kind in (("wearside_police", "police"), ("wearside_council", "council"))
    }
    return House(
        feeds={"police": _feed("police", POLICE), "referral": _feed("referral", REFERRAL)},
        agencies=agencies,
        layouts={
            "cin_census": Layout("cin_census", "Census", ("referral",), "xml", {"referral": CENSUS}, "Europe/London")
        },
        agency_feeds=(
            _agreed("wearside_police", "police", "police", POLICE_HEADERS),
            _agreed("wearside_council", "referral", "cin_census", {}),
        ),
        file_rules=(),
    )


@dataclass(frozen=True)
class Place:
    """A landing zone and a database with the tables of the house."""

    settings: Settings
    connection: Connection
    house: House

    def drop(self, content: bytes, name: str = "file.csv", *, to: str = "wearside_police/police") -> Path:
        """Rename a file into the landing zone."""
        folder = self.settings.landing / to
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f".{name}.tmp").write_bytes(content)
        os.rename(folder / f".{name}.tmp", folder / name)
        return folder / name

    def take(self, **chosen: Any) -> int:
        """Take what lies there."""
        return intake.take(self.connection, self.settings, self.house, **chosen)

    def load(self) -> list[str]:
        """Load everything that is received, each committed; return what became of each."""
        ids = [
            row[0] for row in self.all("select delivery_id from intake.deliveries where status = 'received' order by 1")
        ]
        outcome = []
        for delivery_id in ids:
            outcome.append(intake.load(self.connection, self.settings, self.house, delivery_id))
            self.connection.commit()
        return outcome

    def ingest(self, content: bytes, name: str = "file.csv", *, to: str = "wearside_police/police") -> list[str]:
        """Drop, take, load."""
        self.drop(content, name, to=to)
        self.take()
        return self.load()

    def all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.connection.cursor() as cursor:
            cursor.execute(query, values)
            rows = cursor.fetchall()
        self.connection.commit()
        return rows

    def one(self, query: str, *values: Any) -> tuple[Any, ...]:
        """Return the only row of a query."""
        (row,) = self.all(query, *values)
        return row

    def do(self, statement: str, *values: Any) -> None:
        """Run a statement and commit."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
        self.connection.commit()

    def forget(self) -> None:
        """Empty the archive, the ledger, the landing tables and the landing zone's lists."""
        for name in list(archive.each(self.settings)):
            archive.delete(self.settings, name)
        for token in list(journal.tokens(self.settings)):
            journal.forget(self.settings, token)
        self.connection.rollback()
        self.do(
            "truncate intake.files, intake.members, intake.deliveries, intake.delivery_events, quality.findings,"
            " quality.dead_letters, alerts.messages, quality.check_results, warehouse.build_slices,"
            " raw.police, raw.referral, raw.police_read, raw.referral_read cascade"
        )

    def archived(self, file_id: int | None = None) -> bytes:
        """Return what the archive holds of a file, by default of the first."""
        (name,) = self.one(
            "select stored_name from intake.files where file_id = coalesce(%s, (select min(file_id) from intake.files))",
            file_id,
        )
        with archive.opened(self.settings, name) as kept, kept.open() as file:
            return file.read()

    def findings(self) -> list[tuple[Any, ...]]:
        """Return (record_no, rule_id) of all findings."""
        return self.all("select record_no, rule_id from quality.findings order by delivery_id, record_no, rule_id")

    def left(self) -> list[str]:
        """Return the files that are still in the landing zone, by path, not those set aside."""
        zone = self.settings.landing
        return sorted(
            str(path.relative_to(zone))
            for path in zone.rglob("*")
            if not path.is_dir() and ".set_aside" not in path.parts
        )


def _feed(code: str, names: tuple[str, ...]) -> Feed:
    properties = tuple(
        Property(
            name, "string", False, "required" if name.endswith("_ref") else "expected", "sensitive", None, False, name
        )
        for name in names
    )
    return Feed(
        code,
        code,
        "1.0.0",
        "increment",
        "triage",
        "Europe/London",
        names[:2],
        names[1:2],
        names[0],
        properties,
        (),
        (),
        {},
    )


def _agreed(agency: str, feed: str, source: str, headers: dict[str, str]) -> AgencyFeed:
    return AgencyFeed(
        agency, feed, source, "2026-01-01", date(2020, 1, 1), None, "csv", headers, {}, ";", ("YYYY-MM-DD",), ()
    )
