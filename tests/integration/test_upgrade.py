"""From the last release to today's code with data in place, and back: the release's own code, unpacked, on the same
database before, after, and after that today's again.

What it does not show: the release's own libraries (it runs on today's lock) and Airflow's own tables. Mend: the
migration or relation that is named by what fails; CONTRIBUTING.md, "Make a release".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from frontdoor import database as connections
from frontdoor.settings import Settings, as_environment
from tests import releases
from tests.conftest import make_settings
from tests.servers import SharedServer

TODAY = Path(__file__).resolve().parents[2]
LAST = releases.versions()[-1]
NAME = "frontdoor_upgraded"
POLICE, SCHOOLS, COUNCIL = (
    ("wearside_police", "police"),
    ("wearside_schools", "referral"),
    ("wearside_council", "visit"),
)

# By what people and senders know it. A newer release may add columns, words and lists; what is there stays.
FACTS = {
    "raw": "select 'police', _delivery_id, _record_no, to_jsonb(police) ->> 'forename' from raw.police",
    "deliveries": "select delivery_id, agency_code, feed, status, verdict, records_in, records_loaded, records_dead"
    " from intake.deliveries",
    "findings": "select delivery_id, record_no, rule_id, state from quality.findings",
    "dead letters": "select file_id, reason_code, resolved_at is null from quality.dead_letters",
    "triage": "select record_key, feed, delivery_id, record_no, is_open, is_withdrawn, defect_count from worklists.triage",
    "messages": "select message_id::text, agency_code, recipient_role, sent_at is not null from alerts.messages",
    "files": "select file_id, sha256_received, status, duplicate_of from intake.files",
    "visits": "select count(*)::text from core.fct_visit",
}


@dataclass
class Place:
    """One database and home, worked on by the code of one root or another."""

    settings: Settings
    old: Path
    folder: Path

    def run(self, root: Path, *command: str) -> Any:
        """Run a command of that code; what it said as JSON."""
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "frontdoor", *command],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), **as_environment(self.settings)},
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert ended.returncode == 0, (root.name, command, ended.stdout[-300:], ended.stderr[-1000:])
        return json.loads(ended.stdout) if "--json" in command else ended.stdout

    def send(self, root: Path, agency: str, feed: str, records: int, *more: str) -> None:
        """Land an invented file made by that code."""
        file = self.folder / f"{agency}-{feed}-{records}.csv"
        made = ("feed", "sample", feed, "--agency", agency, "--records", str(records), "--seed", str(records))
        self.run(root, *made, *more, "--out", str(file))
        self.run(root, "deliver", str(file), "--agency", agency, "--feed", feed, "--json")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with closing(connections.connect(self.settings)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def facts(self) -> dict[str, set[tuple[Any, ...]]]:
        """What is known now."""
        found = {name: self.rows(sql) for name, sql in FACTS.items()}
        assert all(len(rows) == len(set(rows)) for rows in found.values()), "something is there twice"
        return {name: set(rows) for name, rows in found.items()}


@pytest.fixture(scope="module")
def place(shared_server: SharedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("upgrade")
    shared_server.create_database(NAME, "template1")
    old = releases.unpack(LAST, folder / LAST)
    yield Place(make_settings(folder / "home", DATABASE_URL=shared_server.url(NAME)), old, folder)
    shared_server.drop_database(NAME)


@pytest.mark.timeout(1500)
def test_data_stay_whole_from_the_last_release_to_today_and_back_and_here_again(place: Place) -> None:
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import frontdoor; print(frontdoor.__file__)"],
        env={**os.environ, "PYTHONPATH": str(place.old)},
        capture_output=True,
        text=True,
    )
    assert str(place.old) in where.stdout, "it is not the release's code that runs"

    # The last release, as a council has it.
    place.send(place.old, *POLICE, 12)
    place.send(place.old, *POLICE, 9, "--break", "POL-020")
    place.send(place.old, *SCHOOLS, 8, "--break", "REF-015")
    place.send(place.old, *COUNCIL, 7)
    (place.settings.landing / "wearside_council" / "visit" / "unreadable.csv").write_bytes(b"")
    place.run(place.old, "ingest", "--json")
    before = place.facts()
    assert {name: len(rows) for name, rows in before.items() if name in ("raw", "deliveries", "files")} == {
        "raw": 21,
        "deliveries": 5,
        "files": 5,
    }
    assert len(before["triage"]) == 29 and before["findings"] and before["dead letters"] and before["messages"]
    old_migrations = set(releases.migrations(LAST))
    applied = "select migration from warehouse.migrations"
    assert {name for (name,) in place.rows(applied)} == old_migrations

    # Today's code takes the database over as it stands.
    place.run(TODAY, "ingest", "--json")
    assert {name for (name,) in place.rows(applied)} > old_migrations
    assert place.facts() == before
    place.send(TODAY, *POLICE, 6)
    place.run(TODAY, "ingest", "--json")
    upgraded = place.facts()
    assert all(before[name] <= upgraded[name] for name in before if name != "visits")
    assert len(upgraded["triage"]) == 35

    # Back: the release's code on the tables of today's.
    place.run(place.old, "ingest", "--json")
    assert place.facts() == upgraded
    place.send(place.old, *POLICE, 5)
    place.send(place.old, *SCHOOLS, 4)
    place.run(place.old, "ingest", "--json")
    status = place.run(place.old, "status", "--json")
    assert set(status["pending"].values()) == {0}
    assert status["files"][0]["deliveries"][0]["status"] == "published"
    ((poor,),) = place.rows("select min(delivery_id) from quality.findings where rule_id = 'POL-020'")
    assert place.run(place.old, "replay", "--delivery", str(poor), "--json")["replayed"] == 1
    back = place.facts()
    assert all(upgraded[name] <= back[name] for name in back if name not in ("visits", "findings"))
    assert {row[:3] for row in upgraded["findings"]} <= {row[:3] for row in back["findings"]}
    assert len(back["triage"]) == 44

    # And here again: nothing that the release did meanwhile is lost.
    place.run(TODAY, "ingest", "--json")
    assert place.facts() == back
    assert set(place.run(TODAY, "status", "--json")["pending"].values()) == {0}


def test_database_of_a_newer_release_is_said_by_doctor_and_holds_nothing(place: Place) -> None:
    with closing(connections.connect(place.settings)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into warehouse.migrations (migration, sha256, applied_at) values ('9999_of_tomorrow.sql', 'x', now())"
        )
    place.run(TODAY, "ingest", "--json")
    from frontdoor.platform.checks import doctor

    said = {check.id: check for check in doctor(place.settings)}
    assert said["schemas"].ok and said["release"].ok
    assert "9999_of_tomorrow.sql" in said["release"].sentence
