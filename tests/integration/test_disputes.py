"""Answers to a receipt, taken back: what is said is kept, with a clock and an owner, and changes nothing by itself.

Mend: frontdoor/delivery/answering.py, frontdoor/quality/disputes.py, frontdoor/cli/answering.py, frontdoor/receipts/.
"""

from __future__ import annotations

import io
import json
import logging
import os
import time
import zipfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from frontdoor import delivery, receipts
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database

SCHOOLS, FEED = "wearside_schools", "referral"
HOUSE = load_house()
SEEDS = count(1)
CANARY = "Canary Childsname"
DISPUTE, NO_ACTION = "Dispute: say why", "No action needed: say why"
# All that a dispute must leave as it is.
UNTOUCHED = """
    select 'finding', t::text from quality.findings as t
    union all select 'check', t::text from quality.check_results as t
    union all select 'delivery', t::text from intake.deliveries as t
    union all select 'waiver', t::text from quality.waivers as t
    union all select 'message', t::text from alerts.messages as t
    union all select 'first', t::text from quality.first_publications as t
    union all select 'triage', t::text from worklists.triage as t
    union all select 'indicator', (to_jsonb(t) - 'as_of')::text from indicators.indicator_values as t
    order by 1, 2
"""


class Here:
    """The platform of these tests."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any, folder: Path) -> None:
        self.database, self.settings, self.capsys, self.folder = database, database.settings, capsys, folder
        for name, value in as_environment(database.settings).items():
            monkeypatch.setenv(name, value)

    def all(self, sql: str, *parameters: Any) -> list[Any]:
        connection = self.database.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def land(self, rule: str | None = "REF-003", agency: str = SCHOOLS) -> int:
        folder = self.settings.landing / agency / FEED
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".incoming").write_bytes(sample_records(HOUSE, agency, FEED, 6, seed=next(SEEDS), break_rule=rule))
        time.sleep(0.02)
        os.rename(folder / ".incoming", folder / f"{time.time_ns()}.csv")
        delivery.drain(self.settings)
        return int(self.all("select max(delivery_id) from intake.deliveries")[0][0])

    def receipt(self, delivery_id: int) -> dict[str, Any]:
        connection = self.database.connect()
        try:
            (document,) = receipts.documents(connection, HOUSE, [delivery_id])
        finally:
            connection.close()
        return document

    def answered(
        self, delivery_id: int, filled: dict[tuple[str, str], str], change: Callable[[Any], object] = id
    ) -> Path:
        """The workbook of a receipt with cells filled: (rule, column) -> text; then changed further."""
        book = openpyxl.load_workbook(io.BytesIO(receipts.workbook(self.receipt(delivery_id))))
        sheet = book["Summary"]
        labels = {cell.value: cell.column for cell in sheet[8]}
        for (rule, column), text in filled.items():
            (row,) = (row for row in range(9, sheet.max_row + 1) if sheet.cell(row, 1).value == rule)
            sheet.cell(row, labels[column], text)
        change(book)
        path = self.folder / "answered.xlsx"
        book.save(path)
        return path

    def told(self, document: Any) -> Path:
        path = self.folder / "answered.json"
        path.write_text(json.dumps(document))
        return path

    def command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        self.capsys.readouterr()
        code = main([*arguments, "--json"])
        return code, json.loads(self.capsys.readouterr().out)

    def answer(self, path: Path, agency: str = SCHOOLS) -> tuple[int, dict[str, Any]]:
        return self.command("answer", str(path), "--agency", agency)


@pytest.fixture(scope="module")
def ready(database: Database) -> Database:
    prepare(database.settings)
    return database


@pytest.fixture
def here(ready: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> Here:
    made = Here(ready, monkeypatch, capsys, tmp_path)
    made.all("delete from quality.disputes")
    return made


def test_answered_workbook_is_taken_with_clock_and_owner_and_changes_nothing(here: Here) -> None:
    delivery_id = here.land()
    delivery.build(here.settings)
    before = here.all(UNTOUCHED)
    assert {kind for kind, _ in before} >= {"finding", "check", "delivery", "message", "triage", "indicator"}
    path = here.answered(delivery_id, {("REF-003", DISPUTE): "The name is\n  not known to us either."})
    assert here.answer(path) == (0, {"delivery_id": delivery_id, "answers_taken": 1, "answers_known": 0})
    ((rule, record, answer, reason, by, owner, working_days),) = here.all(
        "select rule_id, record_no, answer, reason, by_role, owner_role,"
        " reference.working_days_between(answered_at::date, due_at::date) from quality.disputes"
    )
    assert (rule, record, answer, by, owner) == ("REF-003", None, "dispute", "wearside_schools_liaison", "team_manager")
    assert reason == "The name is not known to us either." and working_days == 5
    listed = here.all("select delivery_id, rule_id, hours_left > 0, owner_role from worklists.disputes")
    assert listed == [(delivery_id, "REF-003", True, "team_manager")]
    assert here.answer(path)[1]["answers_known"] == 1, "the same answer again is no other"
    delivery.build(here.settings, even_if_nothing=True)
    assert here.all(UNTOUCHED) == before


def test_no_action_is_noted_and_waits_for_nobody(here: Here) -> None:
    delivery_id = here.land()
    path = here.answered(delivery_id, {("REF-003", NO_ACTION): "The child has been met by now."})
    assert here.answer(path)[0] == 0
    assert here.all("select answer, due_at, owner_role from quality.disputes") == [("no_action", None, None)]
    assert here.all("select * from worklists.disputes") == []
    assert [each["state"] for each in here.receipt(delivery_id)["answers"]] == ["noted"]
    # A second thought takes the place of the first.
    assert here.answer(here.answered(delivery_id, {("REF-003", DISPUTE): "It is wrong."}))[1]["answers_taken"] == 1
    assert here.all("select answer, due_at is null from quality.disputes") == [("dispute", False)]


def test_answers_to_single_rows_come_as_json(here: Here) -> None:
    delivery_id = here.land()
    (finding,) = here.receipt(delivery_id)["findings"]
    given = {"rule_id": "REF-003", "answer": "dispute", "reason": "A name it is.", "row": finding["row"]}
    assert here.answer(here.told({"delivery_id": delivery_id, "answers": [given]}))[0] == 0
    assert here.all("select record_no from quality.disputes") == [(finding["record_no"],)]


@pytest.mark.parametrize(
    ("outcome", "step", "follows"),
    [
        ("upheld", "waiver", "frontdoor waiver grant --agency wearside_schools --feed referral --rule REF-003"),
        ("upheld", "rule_withdrawal", "frontdoor contract trial"),
        ("upheld", "label_mapping", "frontdoor label map"),
        ("rejected", None, "Nothing follows"),
    ],
)
def test_settled_dispute_says_what_follows_and_stands_in_the_next_receipt(
    here: Here, outcome: str, step: str | None, follows: str
) -> None:
    delivery_id = here.land()
    assert here.answer(here.answered(delivery_id, {("REF-003", DISPUTE): CANARY}))[0] == 0
    next_one = here.land()
    assert [each["state"] for each in here.receipt(next_one)["answers"]] == ["open"]
    before = here.all("select t::text from quality.findings as t order by 1")
    _, listed = here.command("dispute", "list")
    (dispute,) = listed["disputes"]
    more = ["--next", step] if step else []
    code, settled = here.command(
        "dispute", "settle", str(dispute["dispute_id"]), "--outcome", outcome, *more, "--reason", "We looked again.",
        "--by", "head_of_service",
    )  # fmt: skip
    assert (code, settled["state"], settled["next_step"]) == (0, outcome, step)
    assert follows in settled["what_follows"]
    assert here.command("dispute", "list")[1] == {"disputes": []}
    last = here.land(rule=None)
    document = here.receipt(last)
    (told,) = document["answers"]
    assert (told["state"], told["delivery_id"], told["settlement"]) == (outcome, delivery_id, "We looked again.")
    assert "We looked again." in receipts.page(document)
    assert here.receipt(here.land(rule=None))["answers"] == [], "told once"
    now = set(here.all("select t::text from quality.findings as t order by 1"))
    assert set(before) <= now, "settling changed a finding"
    # The same workbook once more opens nothing again.
    assert here.answer(here.answered(delivery_id, {("REF-003", DISPUTE): CANARY}))[1]["answers_known"] == 1
    assert (
        main(
            [
                "dispute",
                "settle",
                str(dispute["dispute_id"]),
                "--outcome",
                "rejected",
                "--reason",
                "x",
                "--by",
                "team_manager",
            ]
        )
        == 2
    )


def test_no_word_of_an_answer_reaches_a_log_a_letter_a_receipt_or_the_screen(
    here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    delivery_id = here.land()
    for text, code in ((f"{CANARY} is the name.", 0), (f"={CANARY}(1)", 2), (f"{CANARY} " * 40, 2)):
        assert (
            main(["answer", str(here.answered(delivery_id, {("REF-003", DISPUTE): text})), "--agency", SCHOOLS]) == code
        )
    assert main(["dispute", "list"]) == 0
    said = here.capsys.readouterr()
    next_one = here.land()
    document = here.receipt(next_one)
    mails = b"".join(path.read_bytes() for path in here.settings.mail_dir.rglob("*") if path.is_file())
    assert "Canary" not in f"{caplog.text} {said} {document} {receipts.page(document)}"
    assert b"Canary" not in mails + receipts.workbook(document)
    assert main(["dispute", "list", "--with-reasons"]) == 0
    assert CANARY in here.capsys.readouterr().out


def _formula(book: Any) -> None:
    book["Summary"].cell(9, 9, '=HYPERLINK("http://x.example","y")')


def _both(book: Any) -> None:
    book["Summary"].cell(9, 9, "wrong")
    book["Summary"].cell(9, 10, "right")


def _other_rule(book: Any) -> None:
    book["Summary"].cell(30, 1, "REF-010")
    book["Summary"].cell(30, 9, "wrong")


def _council_rule(book: Any) -> None:
    book["Summary"].cell(30, 1, "REF-025")
    book["Summary"].cell(30, 9, "wrong")


def _nameless(book: Any) -> None:
    book["Summary"].cell(30, 9, "wrong")


def _twice(book: Any) -> None:
    for row in (30, 31):
        book["Summary"].cell(row, 1, "REF-003")
        book["Summary"].cell(row, 9, "wrong")


def _no_sheet(book: Any) -> None:
    book["Summary"].title = "Other"


def _no_delivery(book: Any) -> None:
    book["Summary"].cell(2, 1, "Check before sending, x")


def _no_column(book: Any) -> None:
    book["Summary"].cell(8, 9, "What I think")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_formula, "holds a formula"),
        (_both, "answered both ways"),
        (_other_rule, "to REF-010: the receipt has no such finding"),
        (_council_rule, "to REF-025: the receipt has no such finding"),
        (_nameless, "names no rule"),
        (_twice, "answers one question twice"),
        (_no_sheet, "not the workbook that was sent"),
        (_no_delivery, "the delivery or the columns to fill are missing"),
        (_no_column, "the delivery or the columns to fill are missing"),
    ],
)
def test_workbook_that_is_not_the_receipt_answered_is_refused_whole(
    here: Here, change: Callable[[Any], None], said: str
) -> None:
    delivery_id = here.land()
    code, document = here.answer(here.answered(delivery_id, {}, change))
    assert code == 2 and said in document["error"]
    assert here.all("select * from quality.disputes") == []


def _bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("xl/workbook.xml", b"<workbook>" + b" " * (200 * 2**20) + b"</workbook>")
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0\xff" * 900, b"PK\x03\x04 cut off", b"{", b"[]", b"{}", b"[" * 100_000, _bomb(),
        b'{"delivery_id": true, "answers": []}', b'{"delivery_id": 1e3, "answers": []}',
        b'{"delivery_id": 1, "answers": [1]}', b'{"delivery_id": 1, "answers": [{"rule_id": "REF-003"}]}',
        b'{"delivery_id": 1, "answers": [{"rule_id": "x", "answer": "dispute", "reason": "y"}]}',
        b'{"delivery_id": 1, "answers": [{"rule_id": "REF-003", "answer": "maybe", "reason": "y"}]}',
        b'{"delivery_id": 1, "answers": [{"rule_id": "REF-003", "answer": "dispute", "reason": "\\u0000"}]}',
        b'{"delivery_id": 1, "answers": [{"rule_id": "REF-003", "answer": "dispute", "reason": "\\ud800"}]}',
        b'{"delivery_id": 1, "answers": [{"rule_id": "REF-003", "answer": "dispute", "reason": "y", "row": -1}]}',
        b'{"delivery_id": 999999999999, "answers": [{"rule_id": "REF-003", "answer": "dispute", "reason": "y"}]}',
        b" " * (6 * 2**20),
    ],
    ids=range(19),
)  # fmt: skip
def test_hostile_file_is_refused_with_a_sentence(here: Here, content: bytes) -> None:
    here.land()
    path = here.folder / "answered"
    path.write_bytes(content)
    began = time.monotonic()
    code, document = here.answer(path)
    assert code == 2 and document["error"].startswith("nothing was taken: ")
    assert time.monotonic() - began < 5
    assert here.all("select * from quality.disputes") == []


def test_nobody_answers_for_another_and_a_missing_file_is_said(here: Here) -> None:
    delivery_id = here.land()
    path = here.answered(delivery_id, {("REF-003", DISPUTE): "It is wrong."})
    assert "sent no delivery of the number" in here.answer(path, "wearside_police")[1]["error"]
    assert here.answer(here.folder / "none")[0] == 2
    assert here.answer(path, "nobody")[0] == 2


def test_clock_of_a_dispute_is_a_dated_row(here: Here) -> None:
    rows = here.all("select limit_value, limit_unit from reference.clocks where clock_id = 'dispute_settled'")
    assert [(int(value), unit) for value, unit in rows] == [(5, "working_days")]
