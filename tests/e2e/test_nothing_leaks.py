"""A hundred invented children whose values must not be found outside the warehouse and the landing zone.

Their names, dates, numbers, addresses and words also stand in references, headers and file names, in records that
cannot be read, and in a model that fails. Mend: the sink named in the failure; errors go through database.safe_error.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from frontdoor import database
from frontdoor.contract import load_house
from frontdoor.platform import airflow_database
from frontdoor.settings import as_environment
from tests.live import Live

CHILDREN = 100


@dataclass(frozen=True)
class Canary:
    number: int

    @property
    def forename(self) -> str:
        return f"Zorvika{self.number:03}"

    @property
    def surname(self) -> str:
        return f"Quelmarsh{self.number:03}"

    @property
    def dob(self) -> str:
        return (date(2011, 1, 1) + timedelta(days=self.number)).isoformat()

    @property
    def nhs_number(self) -> str:
        return f"99988{self.number:05}"

    @property
    def address(self) -> str:
        return f"{self.number} Vantablossom Terrace"

    @property
    def phrase(self) -> str:
        return f"said the glimmerfox{self.number:03} was under the stairs"

    @property
    def reference(self) -> str:
        return f"WPX/{self.surname}/{self.number:03}"

    def values(self) -> list[str]:
        return [
            self.forename,
            self.surname,
            self.dob,
            date.fromisoformat(self.dob).strftime("%d/%m/%Y"),
            self.nhs_number,
            self.address,
            self.phrase,
        ]


CANARIES = [Canary(number) for number in range(CHILDREN)]
VALUES = [value.encode() for canary in CANARIES for value in canary.values()]


def _with_canaries(live: Live, agency: str, feed: str) -> bytes:
    """Return a sample file whose children are canaries, under one more header that nobody agreed."""
    house = load_house()
    agreed = house.agency_feed(agency, feed, feed, date(2026, 11, 23))
    named = {prop: header for header, prop in (agreed.headers if agreed else {}).items()}
    rows = list(csv.reader(io.StringIO(live.sample(agency, feed, CHILDREN).decode("utf-8-sig"))))
    header = rows[0]
    for prop in ("forename", "surname", "dob", "nhs_number", "address", "narrative", "child_ref", "child_id_council"):
        column = named.get(prop, prop)
        if column not in header:
            continue
        position = header.index(column)
        for canary, row in zip(CANARIES, rows[1:], strict=True):
            row[position] = {
                "dob": canary.dob,
                "narrative": f"{canary.forename} {canary.phrase} {'and so it went on ' * 4}",
                "child_ref": canary.reference,
                "child_id_council": canary.reference,
            }.get(prop) or getattr(canary, prop)
    header.append(f"About {CANARIES[7].forename} {CANARIES[7].surname}")
    for canary, row in zip(CANARIES, rows[1:], strict=True):
        row.append(canary.phrase)
    # Text where codes, dates and numbers are expected: what a cast or a mapping would print when it fails.
    for canary, row in zip(CANARIES[:30], rows[1:31], strict=True):
        row[canary.number % len(header)] = f"{canary.forename} {canary.surname} {canary.dob}"
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    payload = written.getvalue().encode()
    # Records that can hardly be read: a NUL, bytes of another encoding, a quote that never closes.
    return (
        payload
        + f'{CANARIES[1].surname}\x00,"{CANARIES[2].phrase}\n'.encode()
        + b"\xff\xfe"
        + CANARIES[3].surname.encode()
        + b"\n"
    )


@pytest.fixture(scope="module")
def printed(live: Live) -> str:
    """Send canaries through every door and make things fail; return what commands printed meanwhile."""
    first = live.land("wearside_police", "police", live.sample("wearside_police", "police", 5))
    live.wait_until(lambda: live.in_triage(first) == 5, 90, "a first build, whose tables can then be made to fail")
    _everything_fails_on(live, "core.fct_notification_version")
    name = f"{CANARIES[0].forename} {CANARIES[0].surname} {CANARIES[0].dob}.csv"
    hashes = [
        live.land(agency, feed, _with_canaries(live, agency, feed), name=name)
        for agency, feed in (
            ("wearside_police", "police"),
            ("wearside_schools", "referral"),
            ("wearside_council", "visit"),
        )
    ]
    xml = f"<!DOCTYPE x [<!ENTITY y '{CANARIES[5].phrase}'>]><Message><Children>{CANARIES[5].surname}&y;</Children></Message>"
    live.land("wearside_council", "cin_census", xml.encode(), name=name.replace("csv", "xml"))
    live.land(CANARIES[6].surname, "police", CANARIES[6].phrase.encode(), name=name)
    live.wait_until(lambda: live.published(hashes) == 3, 90, "the canaries to be published")
    live.wait_until(lambda: live.in_triage(hashes[0]) >= CHILDREN, 90, "all of them in triage although a model fails")
    _mend(live, "core.fct_notification_version")
    printed = ""
    for command in (["status", "--json"], ["ingest", "--json"], ["doctor", "--json"], ["status"]):
        run = subprocess.run(
            [sys.executable, "-m", "frontdoor", *command],
            env={**_environment(), **as_environment(live.settings)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        printed += run.stdout + run.stderr
    assert printed
    return printed


def _environment() -> dict[str, str]:
    import os

    return dict(os.environ)


def _everything_fails_on(live: Live, relation: str) -> None:
    connection = database.connect(live.settings)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"alter table {relation} add constraint made_to_fail check (record_key is null) not valid")
    connection.close()


def _mend(live: Live, relation: str) -> None:
    connection = database.connect(live.settings)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"alter table {relation} drop constraint made_to_fail")
    connection.close()


def _leaks(content: bytes) -> list[int]:
    """Return which canary values (by position, not by value) stand in the content."""
    return [position for position, value in enumerate(VALUES) if value in content]


def test_canaries_did_arrive_in_the_warehouse(live: Live, printed: str) -> None:
    ((count,),) = live.rows("select count(*) from raw.police where forename like 'Zorvika%%'")
    assert count >= 60, "the canaries never reached the warehouse: the other tests would pass on nothing"


def test_commands_print_no_canary(printed: str) -> None:
    assert _leaks(printed.encode()) == []


@pytest.mark.parametrize("sink", ["log", "airflow", "dbt", "mail", "run", "archive", "postgres-log"])
def test_files_of_the_platform_hold_no_canary(live: Live, printed: str, sink: str) -> None:
    files = list(_files_of(live, sink))
    assert files, f"{sink}: nothing was looked at"
    leaking = {
        str(path.relative_to(live.settings.home)): found for path in files if (found := _leaks(path.read_bytes()))
    }
    assert leaking == {}


def _files_of(live: Live, sink: str) -> Iterator[Path]:
    home = live.settings.home
    if sink == "postgres-log":
        yield from (path for path in home.rglob("*.log") if path.is_file())
        return
    yield from (path for path in (home / sink).rglob("*") if path.is_file())


def test_airflow_metadata_holds_no_canary(live: Live, printed: str) -> None:
    connection = airflow_database.connect(live.settings)
    looked_at = 0
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables where table_schema = 'public'"
        )
        for (table,) in cursor.fetchall():
            content = io.StringIO()
            cursor.copy_expert(f"copy {table} to stdout", content)
            looked_at += len(content.getvalue())
            assert _leaks(content.getvalue().encode()) == [], table
    connection.close()
    assert looked_at > 10_000


def test_messages_hold_no_canary(live: Live, printed: str) -> None:
    messages = live.rows("select subject || body || recipient_role || agency_code from alerts.messages")
    assert messages
    assert [found for (text,) in messages if (found := _leaks(text.encode()))] == []


def test_ledger_and_findings_hold_no_canary_but_the_file_name_in_its_one_column(live: Live, printed: str) -> None:
    texts = live.rows("select (to_jsonb(files) - 'file_name')::text from intake.files")
    texts += live.rows("select to_jsonb(dead_letters)::text from quality.dead_letters")
    texts += live.rows("select (to_jsonb(findings) - 'record_key')::text from quality.findings")
    texts += live.rows("select to_jsonb(builds)::text from warehouse.builds")
    assert texts
    assert [found for (text,) in texts if (found := _leaks(text.encode()))] == []
