"""The desk of a liaison of the police, and the office that answers it: what each of them does and sees, in sentences.

The platform is the real one, in a database marked as a simulation, under FRONTDOOR_NOW. The liaison sees only what a
liaison sees: its folder of the landing zone, its mail, its receipts. The office types commands.
"""

from __future__ import annotations

import csv
import email
import io
import json
import os
import time
from collections.abc import Iterable
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from frontdoor import delivery
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_nil, sample_records
from tests.conftest import Database

AGENCY, FEED = "wearside_police", "police"
MAILBOX = "wearside-police-liaison@"
# Four whole weeks from Monday 1 to Sunday 28, without a holiday.
YEAR, MONTH = 2027, 2
LONDON = ZoneInfo("Europe/London")

Notice = dict[str, str]


class Desk:
    """One liaison, one office, one month."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any, folder: Path) -> None:
        self.database, self.settings, self.patch, self.capsys = database, database.settings, monkeypatch, capsys
        self.folder, self.house, self.read_mails = folder, load_house(), set[str]()
        self.today = date(YEAR, MONTH, 1)
        with database.connect() as connection, connection.cursor() as cursor:
            cursor.execute("insert into warehouse.simulation (marked_at) values (now())")
        connection.close()
        for name, value in as_environment(self.settings).items():
            monkeypatch.setenv(name, value)
        self._set_the_clock("Mon 1", "00:00")
        prepare(self.settings)

    # What goes by

    def it_is(self, day: str, at: str) -> None:
        """Put the clock to "Wed 3", "09:01"; the platform looks once at what waits, as its sweep does each minute."""
        self._set_the_clock(day, at)
        delivery.drain(self.settings)

    def _set_the_clock(self, day: str, at: str) -> None:
        self.today = date(YEAR, MONTH, int(day.split()[1]))
        assert f"{self.today:%a}" == day.split()[0], f"{day}: no such day in this month"
        now = datetime.fromisoformat(f"{self.today} {at}").replace(tzinfo=LONDON)
        self.patch.setenv("FRONTDOOR_NOW", now.isoformat())

    # What the liaison does

    def writes_notices(self, count: int) -> list[Notice]:
        """Write today's notices, as they should be."""
        content = sample_records(self.house, AGENCY, FEED, count, seed=self.today.day, on=self.today)
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))

    def sends(self, notices: Iterable[Notice]) -> int:
        """Send these notices in one file; return the number of the delivery."""
        rows = list(notices)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        return self._lands(text.getvalue().encode())

    def signs_a_nil_return(self, role: str) -> int:
        """Send a file that says that there was nothing to send; return the number of the delivery."""
        return self._lands(sample_nil(self.house, AGENCY, FEED, role))

    def _lands(self, content: bytes) -> int:
        folder = self.settings.landing / AGENCY / FEED
        (folder / ".incoming").write_bytes(content)
        time.sleep(0.02)
        os.rename(folder / ".incoming", folder / f"notices-{self.today}-{time.time_ns()}.csv")
        before = self._ask("select coalesce(max(delivery_id), 0) from intake.deliveries")[0][0]
        delivery.drain(self.settings)
        ((after,),) = self._ask("select max(delivery_id) from intake.deliveries")
        assert after > before, "the file was not taken"
        return int(after)

    def finds_in_the_mail(self) -> list[EmailMessage]:
        """Open what came since the last look."""
        found = []
        for path in self.settings.mail_dir.glob("*.eml"):
            mail = email.message_from_bytes(path.read_bytes(), policy=default)
            if MAILBOX in str(mail["To"]) and path.name not in self.read_mails:
                self.read_mails.add(path.name)
                found.append(mail)
        return sorted(found, key=lambda mail: str(mail["Subject"]))

    def opens_the_receipt(self, delivery_id: int) -> dict[str, Any]:
        """Open the receipt as it was written on the day (JSON)."""
        return json.loads((self.settings.receipts / AGENCY / f"delivery-{delivery_id}.json").read_bytes())

    def opens_the_workbook(self, delivery_id: int) -> dict[str, list[tuple[Any, ...]]]:
        """Open the workbook of the receipt: its sheets, each a list of rows."""
        book = openpyxl.load_workbook(self._workbook(delivery_id))
        return {sheet.title: [tuple(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}

    def got_a_workbook(self, delivery_id: int) -> bool:
        """Tell whether there is one: only where there is something to mend."""
        return self._workbook(delivery_id).exists()

    def disputes_in_the_workbook(self, delivery_id: int, rule_id: str, why: str) -> dict[str, Any]:
        """Fill in the cell beside the rule, save, and send the workbook back; what the office's command says."""
        book = openpyxl.load_workbook(self._workbook(delivery_id))
        sheet = book["Summary"]
        (column,) = (cell.column for cell in sheet[8] if cell.value == "Dispute: say why")
        (row,) = (cell.row for cell in sheet["A"] if cell.value == rule_id)
        sheet.cell(row, column, why)
        book.save(self.folder / "answered.xlsx")
        return self.office("answer", str(self.folder / "answered.xlsx"), "--agency", AGENCY)

    def _workbook(self, delivery_id: int) -> Path:
        return self.settings.receipts / AGENCY / f"delivery-{delivery_id}.xlsx"

    # What the office does and sees

    def office(self, *command: str) -> dict[str, Any]:
        """Type a command; what it says, as JSON."""
        self.capsys.readouterr()
        code = main([*command, "--json"])
        said = json.loads(self.capsys.readouterr().out)
        assert code == 0, said
        return dict(said)

    def states_of(self, delivery_id: int) -> dict[tuple[str, int], str]:
        """(rule, row of the sender's file) -> how the finding stands today."""
        findings = self.office("receipt", "--delivery", str(delivery_id))["findings"]
        return {(each["rule_id"], each["row"]): each["state"] for each in findings}

    def triage(self) -> dict[str, set[str]]:
        """Build the lists as they are now: reference of each notice on it -> the rules named beside it."""
        assert delivery.build(self.settings, even_if_nothing=True)["models_failed"] == 0
        listed = self._ask("select sender_reference, defects from worklists.triage where agency_code = %s", AGENCY)
        assert len(listed) == len({reference for reference, _ in listed}), "a notice stands on the list twice"
        return {reference: {each["rule_id"] for each in defects} for reference, defects in listed}

    def right_the_first_time(self, delivery_id: int) -> tuple[int, int]:
        """(notices told for the first time in a delivery, those that were not right then)."""
        ((records, wrong),) = self._ask(
            "select records_count, wrong_count from quality.first_publications where delivery_id = %s", delivery_id
        )
        return records, wrong

    def hours_to_mend(self, rule_id: str) -> float | None:
        """Half of a rule's findings were mended by the sender within these hours; None: half were not."""
        rows = self._ask(
            "select median_hours from quality.time_to_mend where agency_code = %s and feed = %s and rule_id = %s",
            AGENCY, FEED, rule_id,
        )  # fmt: skip
        return rows[0][0] if rows else None

    def days_due(self, since: str, until: str) -> list[str]:
        """How each day on which a file was due stands, as "Tue 23 missing"."""
        first, last = (date(YEAR, MONTH, int(day.split()[1])) for day in (since, until))
        return [
            f"{on:%a} {on.day} {state}"
            for on, state in self._ask(
                "select expected_on, state from quality.expected_deliveries"
                " where agency_code = %s and feed = %s and expected_on between %s and %s order by 1",
                AGENCY, FEED, first, last,
            )
        ]  # fmt: skip

    def _ask(self, sql: str, *parameters: Any) -> list[Any]:
        connection = self.database.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall()
        finally:
            connection.close()


def words(mail: EmailMessage) -> str:
    """The text of a letter on one line."""
    return " ".join(str(mail.get_content()).split())
