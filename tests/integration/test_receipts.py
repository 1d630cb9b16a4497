"""What a sender is answered: one receipt per delivery, in the run that published it. Mend: frontdoor/receipts/.

The golden receipts in tests/integration/receipts/ are of one small file of the schools: written anew by
`FRONTDOOR_WRITE_GOLDEN=1 make test TESTS=tests/integration/test_receipts.py`, and looked at before they are committed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from lxml import etree

from frontdoor import clock, delivery, receipts, reference
from frontdoor.cli import main
from frontdoor.contract import expectations_folder, load_house
from frontdoor.prepare import prepare
from frontdoor.receipts import issuing
from frontdoor.receipts.page import ranges
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database

CHROMIUM = shutil.which("chromium")
GOLDEN = Path(__file__).parent / "receipts"
HOUSE = load_house()


@pytest.fixture(scope="module")
def platform(database: Database) -> Database:
    prepare(database.settings)
    return database


@pytest.fixture
def connection(platform: Database) -> Iterator[Any]:
    opened = platform.connect()
    yield opened
    opened.close()


def land(platform: Database, agency: str, feed: str, content: bytes) -> None:
    folder = platform.settings.landing / agency / feed
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".incoming").write_bytes(content)
    time.sleep(0.02)
    os.rename(folder / ".incoming", folder / f"{time.time_ns()}.csv")


def answered(platform: Database, agency: str, feed: str, content: bytes) -> dict[str, Any]:
    """The receipt of a file, as it lies in the agency's folder after the drain that published it."""
    land(platform, agency, feed, content)
    delivery.drain(platform.settings)
    newest = max((platform.settings.receipts / agency).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_bytes())


def poor(feed: str, agency: str, rule_id: str, records: int = 10, seed: int = 1) -> bytes:
    return sample_records(HOUSE, agency, feed, records, seed=seed, break_rule=rule_id)


def test_file_with_a_defect_is_answered_with_its_row_and_what_to_do(platform: Database) -> None:
    receipt = answered(
        platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-003", seed=41)
    )
    assert receipt["sentence"] == "10 received, 10 on the front door's list, 1 needs an answer."
    assert receipt["verdict"] == "accepted_with_findings"
    (rule,) = (each for each in receipt["rules"] if each["failed"])
    assert (rule["rule_id"], rule["new"], rule["status"]) == ("REF-003", 1, "fail")
    # In the sender's own words, not the contract's.
    assert "Pupil last name" in rule["columns"] and "surname" in rule["properties"]
    assert rule["what_to_do"] == HOUSE.feeds["referral"].rule("REF-003").what_to_do
    (finding,) = receipt["findings"]
    assert finding["row"] == finding["record_no"] + 1, "a spreadsheet counts the header as row 1"
    assert (finding["rule_id"], finding["state"]) == ("REF-003", "new")


def test_clean_file_is_answered_with_nothing_to_do_and_no_workbook(platform: Database) -> None:
    receipt = answered(
        platform, "wearside_police", "police", sample_records(HOUSE, "wearside_police", "police", 7, seed=42)
    )
    assert receipt["sentence"] == "7 received, 7 on the front door's list, none needs an answer."
    assert (receipt["verdict"], receipt["findings"]) == ("accepted", [])
    files = (platform.settings.receipts / "wearside_police").glob(f"delivery-{receipt['receipt']['delivery_id']}.*")
    assert {path.suffix for path in files} == {".json", ".html"}


@pytest.mark.parametrize(
    ("content", "verdict", "sentence"),
    [
        (b"", "unreadable", "Nothing of it is on the front door's list."),
        (b"\x00\xff\x00" * 500, "unreadable", "Nothing of it is on the front door's list."),
        (b"Log number,Pupil last name\n", "accepted_with_findings", "0 received, 0 on the front door's list, the file needs an answer."),
        (b'Log number,Pupil last name\nA1,Ash\nA2,"Birch\nA3,"C"edar\n', "partly_read", "could not be read"),
    ],
)  # fmt: skip
def test_file_that_cannot_be_read_whole_is_answered_too(
    platform: Database, content: bytes, verdict: str, sentence: str
) -> None:
    receipt = answered(platform, "wearside_schools", "referral", content)
    counts = receipt["counts"]
    assert receipt["verdict"] == verdict
    assert receipt["sentence"].endswith(sentence) or sentence in receipt["sentence"]
    assert counts["records_in"] == counts["records_listed"] + counts["records_unread"]
    page = platform.settings.receipts / "wearside_schools" / f"delivery-{receipt['receipt']['delivery_id']}.html"
    assert "<p>Nothing.</p>" not in page.read_text(encoding="utf-8"), (
        "nothing to mend, of a file that nobody could read"
    )


def test_correction_says_what_it_mended_and_what_persists(platform: Database) -> None:
    first = answered(
        platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-003", 3, seed=43)
    )
    again = answered(
        platform, "wearside_schools", "referral",
        poor("referral", "wearside_schools", "REF-003", 3, seed=43).replace(b"\r\n", b"\n") + b"\n",
    )  # fmt: skip
    assert again["sentence"].endswith("1 needs an answer, none of them new.")
    assert again["findings"][0]["state"] == "persisting"
    mended = answered(
        platform, "wearside_schools", "referral", sample_records(HOUSE, "wearside_schools", "referral", 3, seed=43)
    )
    assert {(each["delivery_id"], each["rule_id"]) for each in mended["mended"]} == {
        (first["receipt"]["delivery_id"], "REF-003"),
        (again["receipt"]["delivery_id"], "REF-003"),
    }


def test_replayed_delivery_gets_another_edition_beside_the_first(platform: Database) -> None:
    receipt = answered(
        platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-010", 2, seed=44)
    )
    delivery_id = receipt["receipt"]["delivery_id"]
    folder = platform.settings.receipts / "wearside_schools"
    before = (folder / f"delivery-{delivery_id}.json").read_bytes()
    delivery.replay(platform.settings, [delivery_id])
    assert (folder / f"delivery-{delivery_id}.json").read_bytes() == before
    assert json.loads((folder / f"delivery-{delivery_id}.2.json").read_bytes())["receipt"]["edition"] == 2


def test_kill_between_the_files_and_the_ledger_writes_the_same_files_again(
    platform: Database, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(issuing, "_note", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
        receipt = answered(
            platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-003", 4, seed=45)
        )
    folder, name = platform.settings.receipts / "wearside_schools", f"delivery-{receipt['receipt']['delivery_id']}"
    before = {path.name: path.read_bytes() for path in folder.glob(f"{name}.*")}
    assert receipts.issue(connection, platform.settings, HOUSE) == 1
    assert receipts.issue(connection, platform.settings, HOUSE) == 0
    assert {path.name: path.read_bytes() for path in folder.glob(f"{name}.*")} == before
    assert not [*folder.glob(".*")], "a temporary file stayed"


def test_folder_that_cannot_be_written_holds_no_delivery(platform: Database, connection: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    (tmp_path / "receipts").write_text("a file, where a folder should be")
    here = replace(platform.settings, receipts=tmp_path / "receipts")
    land(platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-003", 4, seed=46))
    assert delivery.drain(here).published == 1
    assert receipts.issue(connection, platform.settings, HOUSE) == 1


def test_no_value_of_a_record_is_in_a_receipt(platform: Database) -> None:
    content = poor("referral", "wearside_schools", "REF-010", 30, seed=47)
    receipt = answered(platform, "wearside_schools", "referral", content)
    delivery_id = receipt["receipt"]["delivery_id"]
    (agreed,) = (each for each in HOUSE.agency_feeds if each.agency == "wearside_schools")
    kinds = {header: HOUSE.feeds["referral"].property(name).kind for header, name in agreed.headers.items()}
    told = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    values = {cell for row in told for header, cell in row.items() if kinds[header] != "code" and len(cell) > 4}
    folder = platform.settings.receipts / "wearside_schools"
    book = openpyxl.load_workbook(folder / f"delivery-{delivery_id}.xlsx")
    said = "\n".join(
        [(folder / f"delivery-{delivery_id}.json").read_text(), (folder / f"delivery-{delivery_id}.html").read_text()]
        + [str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if cell]
    )
    ours = [*(expectations_folder() / "referral").rglob("*.yaml"), reference.SEEDS / "codes.csv"]
    asked = "\n".join(path.read_text() for path in ours)
    values = {value for value in values if value not in asked}  # "at home" is also a label of ours
    assert len(values) > 200
    assert not [value for value in values if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", said)]


def test_references_are_shown_only_where_they_are_asked_for_and_look_like_one(
    platform: Database, connection: Any
) -> None:
    content = b"Log number,Pupil number in log,Pupil first name\nSCH-77,P1,\nLittle Tommy,P2,\n"
    receipt = answered(platform, "wearside_schools", "referral", content)
    delivery_id = receipt["receipt"]["delivery_id"]
    assert "SCH-77" not in json.dumps(receipt)
    (asked,) = receipts.documents(connection, HOUSE, [delivery_id], with_references=True)
    told = {each["row"]: each["reference"] for each in asked["findings"] if each["row"]}
    assert told == {2: "SCH-77", 3: None}


def test_council_s_own_questions_are_a_number_to_the_sender(platform: Database) -> None:
    ours = {rule.rule_id for rule in HOUSE.feeds["referral"].rules if rule.recipient_role != "liaison"}
    broken = next(iter(sorted(ours & {"REF-020", "REF-024"})))
    receipt = answered(
        platform, "wearside_schools", "referral", poor("referral", "wearside_schools", broken, 5, seed=48)
    )
    assert not ours & {each["rule_id"] for each in receipt["rules"] + receipt["findings"]}
    assert receipt["counts"]["findings_for_the_council"] == 1


def test_workbook_has_the_sender_s_columns_and_rows(platform: Database) -> None:
    receipt = answered(
        platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-003", 6, seed=49)
    )
    assert receipt["told"]["letters"]
    delivery_id = receipt["receipt"]["delivery_id"]
    book = openpyxl.load_workbook(platform.settings.receipts / "wearside_schools" / f"delivery-{delivery_id}.xlsx")
    assert book.sheetnames == ["Summary", "Critical first", "All", "Your rows", "Rules", "Columns", "Who was told"]
    header, *lines = book["Your rows"].iter_rows(values_only=True)
    row = next(each["row"] for each in receipt["findings"])
    ((said),) = [dict(zip(header, line, strict=True)) for line in lines]
    assert said["Row"] == row and said["Pupil last name"] == "REF-003" and said["Log number"] is None
    filled = [cell for sheet in book for cells in sheet.iter_rows() for cell in cells if cell.data_type == "f"]
    assert not filled, "a formula"


def test_receipt_says_who_was_told_and_what_still_waits(platform: Database, connection: Any) -> None:
    receipt = answered(
        platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-003", 6, seed=52)
    )
    (letter,) = receipt["told"]["letters"]
    assert (letter["to_role"], letter["state"]) == ("wearside_schools_liaison", "sent")
    assert letter["sent_at"] >= letter["written_at"] and receipt["told"]["letters_waiting"] == 0
    assert f"delivery {receipt['receipt']['delivery_id']}" in letter["subject"]

    content = poor("referral", "wearside_schools", "REF-024", 6, seed=53) + b'"never closed\n'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery.alerts, "send", lambda *_: 0)
        receipt = answered(platform, "wearside_schools", "referral", content)
    told, number = receipt["told"], receipt["receipt"]["delivery_id"]
    assert {each["state"] for each in told["letters"]} == {"waits"} and len(told["letters"]) == 2
    assert told["letters_waiting"] == 2, "the liaison of the sender, and the role of ours that must decide"
    (call,) = told["calls"]
    assert (call["state"], call["lines"], call["closed_at"], told["calls_waiting"]) == ("waits", 1, None, 1)
    page = (platform.settings.receipts / "wearside_schools" / f"delivery-{number}.html").read_text()
    assert "2 letters are still to go out." in page and "a call to you about what could not be read (1)" in page

    delivery.send(platform.settings)
    (later,) = receipts.documents(connection, HOUSE, [number])
    assert later["told"]["letters_waiting"] == 0 and all(each["sent_at"] for each in later["told"]["letters"])
    connection.rollback()
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from alerts.messages where delivery_id = %s", (number,))
    (later,) = receipts.documents(connection, HOUSE, [number])
    assert (later["told"]["letters"], later["told"]["letters_waiting"]) == ([], 1), "a letter that nobody wrote"
    connection.rollback()


def test_file_that_nobody_could_read_says_that_its_liaison_was_told(platform: Database) -> None:
    receipt = answered(platform, "wearside_schools", "referral", b"\x00\xfe\x00" * 500)
    (letter,), (call,) = receipt["told"]["letters"], receipt["told"]["calls"]
    assert (letter["state"], call["state"], receipt["told"]["letters_waiting"]) == ("sent", "waits", 0)


def test_clean_file_says_that_nobody_was_told(platform: Database) -> None:
    receipt = answered(
        platform, "wearside_police", "police", sample_records(HOUSE, "wearside_police", "police", 7, seed=54)
    )
    assert receipt["told"] == {"letters": [], "calls": [], "letters_waiting": 0, "calls_waiting": 0}


def test_large_delivery_is_answered_within_two_seconds(platform: Database, connection: Any, tmp_path: Path) -> None:
    header, *lines = sample_records(HOUSE, "wearside_schools", "referral", 10_000, seed=50).splitlines(keepends=True)
    # Every tenth record without its last cells, and so with several findings.
    cut = [line if number % 10 else b",".join(line.split(b",")[:6]) + b"\n" for number, line in enumerate(lines)]
    land(platform, "wearside_schools", "referral", header + b"".join(cut))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receipts, "issue", lambda *_: 0)
        delivery.drain(platform.settings)
    began = time.perf_counter()
    assert receipts.issue(connection, platform.settings, HOUSE) == 1
    took = time.perf_counter() - began
    newest = max((platform.settings.receipts / "wearside_schools").glob("*.json"), key=os.path.getmtime)
    document = json.loads(newest.read_bytes())
    print(f"receipt of 10,000 records with {len(document['findings'])} findings: {took:.2f} s")
    assert document["counts"]["records_in"] == 10_000 and len(document["findings"]) > 5_000
    assert took < 2


def test_command_prints_and_writes_every_format(
    platform: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = answered(
        platform, "wearside_schools", "referral", poor("referral", "wearside_schools", "REF-003", 6, seed=51)
    )
    for name, value in as_environment(platform.settings).items():
        monkeypatch.setenv(name, value)
    number = str(receipt["receipt"]["delivery_id"])
    assert main(["receipt", "--delivery", number]) == 0
    assert "REF-003 warning, 1 new" in capsys.readouterr().out
    for ending in ("html", "xlsx", "json"):
        assert main(["receipt", "--delivery", number, "--out", str(tmp_path / f"r.{ending}")]) == 0
        assert (tmp_path / f"r.{ending}").stat().st_size > 1_000
    assert main(["receipt", "--delivery", "999999"]) == 2
    assert main(["receipt", "--delivery", number, "--out", str(tmp_path / "r.pdf")]) == 2


def test_ranges_are_short_and_lose_nothing() -> None:
    assert ranges([3, 1, 2, 7, 9, 10]) == "1-3, 7, 9-10"
    assert ranges(range(1, 200, 2)).endswith(" and 60 more")


def _golden(platform: Database) -> dict[str, bytes]:
    content = poor("referral", "wearside_schools", "REF-003", 5, seed=2)
    receipt = answered(platform, "wearside_schools", "referral", content)
    return _without_times(receipt)


def _without_times(receipt: Mapping[str, Any]) -> dict[str, bytes]:
    fixed = {**receipt, "receipt": {**receipt["receipt"], "delivery_id": 17}}
    at = datetime.fromisoformat("2026-03-02T09:00:00+00:00")
    for name in ("received_at", "checked_at", "published_at"):
        fixed["receipt"][name] = at
    (letter,) = receipt["told"]["letters"]
    subject = re.sub(r"delivery [0-9]+", "delivery 17", letter["subject"])
    fixed["told"] = {**receipt["told"], "letters": [{**letter, "subject": subject, "written_at": at, "sent_at": at}]}
    return {
        "json": receipts.as_json(fixed),
        "html": receipts.page(fixed).encode(),
        "xlsx": receipts.workbook(fixed),
    }


@pytest.mark.skipif(CHROMIUM is None, reason="no browser here: apt-get install chromium")
def test_golden_page_opens_in_a_browser_with_every_section_and_nothing_fetched(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes((GOLDEN / "golden.html").read_bytes())
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr", "--dump-dom", (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    page = etree.fromstring(done.stdout, etree.HTMLParser())
    assert page.findtext(".//h1") == "5 received, 5 on the front door's list, 1 needs an answer."
    assert [each.text for each in page.iter("h2")] == ["What to mend", "Who was told", "Row by row", "What was checked"]
    assert "CONSOLE" not in done.stderr, "the page asked for something that its policy refuses"
    assert not [each for each in page.iter("script", "img", "link", "iframe")]


def test_receipt_is_the_golden_one_in_every_format(platform: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # A sample is of the day on which it is written, and how many records a rule applies to with it.
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 24, 9, tzinfo=UTC))
    for ending, content in _golden(platform).items():
        kept = GOLDEN / f"golden.{ending}"
        if os.environ.get("FRONTDOOR_WRITE_GOLDEN"):
            GOLDEN.mkdir(exist_ok=True)
            kept.write_bytes(content)
        assert content == kept.read_bytes(), f"the {ending} receipt differs from {kept.name}: look at both"
