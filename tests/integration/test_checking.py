"""The verdict before sending is the pipeline's, and nothing is left behind. Mend: frontdoor/delivery/checking.py,
frontdoor/platform/throwaway.py, frontdoor/cli/checking.py.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import openpyxl
import psutil
import psycopg2
import pytest

from frontdoor import cli, clock, database, delivery
from frontdoor.contract import load_house
from frontdoor.delivery.checking import Checker, checker
from frontdoor.platform import postgres
from frontdoor.platform.throwaway import PREFIX, throwaway
from frontdoor.prepare import prepare
from frontdoor.settings import Settings
from frontdoor.simulator.bad import breakable
from frontdoor.simulator.sample import sample_records
from tests.corpora.fuzzed import FILES, SENDERS, Fuzzed, fuzzed

NOW = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
HOUSE = load_house()
POLICE = ("wearside_police", "police")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    with pinned(), throwaway(NOW) as here, checker(here) as made:
        yield made


@contextmanager
def pinned() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRONTDOOR_NOW", NOW.isoformat())
        yield


def written(folder: Path, content: bytes) -> Path:
    (folder / "Jane Canary.csv").write_bytes(content)
    return folder / "Jane Canary.csv"


def broken(rule: str | None, records: int = 6, sender: tuple[str, str] = POLICE) -> bytes:
    return sample_records(HOUSE, *sender, records, seed=3, break_rule=rule, on=NOW.date())


# The pipeline and the check, file by file.

HISTORY = [rule.rule_id for feed in HOUSE.feeds.values() for rule in feed.rules if rule.scope == "history"]
# Where a history is fresh, what a rule of scope history finds is in the file itself; where it finds nothing, it is not run.
WHAT_CAME = """
    select
        files.agency_code, files.source, files.status, deliveries.member_no, deliveries.feed, deliveries.verdict,
        deliveries.records_in, deliveries.records_loaded, deliveries.records_dead,
        array(
            select (record_no, rule_id, contract_version)::text from quality.findings
            where findings.delivery_id = deliveries.delivery_id order by record_no, rule_id
        ),
        array(
            select (rule_id, status, checked_count, failed_count)::text from quality.check_results
            where
                check_results.delivery_id = deliveries.delivery_id
                and (check_results.failed_count > 0 or check_results.rule_id <> all(%s))
            order by rule_id
        ),
        array(
            select (coalesce(line_no, 0), reason_code)::text from quality.dead_letters
            where dead_letters.delivery_id = deliveries.delivery_id order by line_no, reason_code
        )
    from intake.files
    left join intake.deliveries using (file_id)
    order by files.agency_code, files.source, deliveries.member_no, deliveries.feed
"""


def what_came(connection: Any) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    with connection, connection.cursor() as cursor:
        cursor.execute(WHAT_CAME, (HISTORY,))
        for agency, source, *rest in cursor:
            found.setdefault((agency, source), []).append(rest)
    return found


def in_rounds(files: list[Fuzzed]) -> Iterator[list[tuple[int, Fuzzed]]]:
    """Files with their numbers, one of each sender at a time, so that none of them has a history."""
    by_sender: dict[tuple[str, str], list[tuple[int, Fuzzed]]] = {}
    for number, file in enumerate(files):
        by_sender.setdefault((file.agency, file.source), []).append((number, file))
    for together in zip_longest(*by_sender.values()):
        yield [each for each in together if each is not None]


def through_the_pipeline(settings: Settings, files: list[Fuzzed]) -> dict[int, list[Any]]:
    connection, found = database.connect(settings), {}
    forgetting = Checker(connection, settings, HOUSE)
    for together in in_rounds(files):
        forgetting._forget()
        for _, file in together:
            folder = settings.landing / file.agency / file.source
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".file").write_bytes(file.content)
            os.rename(folder / ".file", folder / "file")
        assert delivery.drain(settings).taken == len(together)
        came = what_came(connection)
        for number, file in together:
            found[number] = came[file.agency, file.source]
    connection.close()
    return found


def test_five_hundred_files_get_the_verdict_counts_and_findings_of_the_pipeline(ready: Checker, tmp_path: Path) -> None:
    files = list(fuzzed(HOUSE, NOW.date()))
    assert len(files) == FILES
    began = time.monotonic()
    with throwaway() as pipeline:
        connection = database.connect(pipeline)
        with connection, connection.cursor() as cursor:
            cursor.execute("insert into warehouse.simulation (marked_at) values (%s)", (clock.now(),))
        connection.close()
        with pinned():
            prepare(replace(pipeline, now=NOW), with_marts=False)
            sent = through_the_pipeline(replace(pipeline, now=NOW), files)
    between = time.monotonic()
    same, other = 0, []
    with pinned():
        for number, file in enumerate(files):
            checked = ready.check(written(tmp_path, file.content), file.agency, file.source)
            came = what_came(ready.connection)[file.agency, file.source]
            told = [
                (each["receipt"]["feed"], each["verdict"], each["counts"]["records_in"]) for each in checked.receipts
            ]
            assert told == [(each[2], each[3] or "unreadable", each[4] or 0) for each in came], file.what
            same += came == sent[number]
            other += [(file.what, file.agency, came, sent[number])] if came != sent[number] else []
    print(
        f"{same} of {FILES} alike; {between - began:.0f} s through the pipeline, {time.monotonic() - between:.0f} s checked"
    )
    verdicts = {each[3] for came in sent.values() for each in came}
    assert verdicts >= {"accepted", "accepted_with_findings", "partly_read", "unreadable"}
    assert len({finding for came in sent.values() for each in came for finding in each[7]}) > 300
    assert same == FILES, other[:3]


# What is said.


def test_rules_of_history_are_not_run_with_a_reason_and_the_verdict_is_no_worse(ready: Checker, tmp_path: Path) -> None:
    checked = ready.check(written(tmp_path, broken(None)), *POLICE)
    (document,) = checked.receipts
    assert (checked.verdict, checked.must_be_mended) == ("accepted", False)
    assert document["check"]["not_asked"] == ["POL-002", "POL-031", "POL-032"]
    for rule in (each for each in document["rules"] if each["rule_id"] in document["check"]["not_asked"]):
        assert rule["status"] == "not_run" and "sent before" in rule["reason"], rule["rule_id"]
    assert {each["status"] for each in document["rules"]} == {"pass", "not_applicable", "not_run"}
    assert (
        document["sentence"] == "If it is sent as it is: 6 received, 6 on the front door's list, none needs an answer."
    )
    visits = ready.check(
        written(tmp_path, broken(None, sender=("wearside_council", "visit"))), "wearside_council", "visit"
    )
    assert visits.receipts[0]["check"]["not_asked"] == ["VIS-014"], "VIS-017 is the council's own to answer"


def test_same_file_checked_again_is_no_repeat_and_says_that_this_was_not_asked(ready: Checker, tmp_path: Path) -> None:
    file = written(tmp_path, broken("POL-020"))
    first, again = (ready.check(file, *POLICE) for _ in range(2))
    assert [each["state"] for each in again.receipts[0]["findings"]] == ["new"]
    assert first.receipts[0]["findings"] == again.receipts[0]["findings"]
    assert first.must_be_mended
    assert "same file before is not asked" in again.receipts[0]["check"]["why_not_asked"]


def test_every_member_of_an_archive_and_every_list_of_a_layout_is_checked(ready: Checker, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in (
            ("Jane Canary.csv", broken("POL-020")),
            ("two.csv", broken(None, 3)),
            ("three", b"\0" * 99),
        ):
            archive.writestr(name, content)
    checked = ready.check(written(tmp_path, packed.getvalue()), *POLICE)
    assert [(each["verdict"], each["counts"]["records_in"]) for each in checked.receipts] == [
        ("accepted_with_findings", 6),
        ("accepted", 3),
        ("unreadable", 0),
    ]
    assert checked.verdict == "unreadable" and checked.must_be_mended
    census = ("wearside_council", "cin_census")
    assert (
        ready.check(written(tmp_path, broken("REF-101", sender=census)), *census).receipts[0]["receipt"]["feed"]
        == "referral"
    )
    lists = Path(__file__).parents[3] / "shared" / "data" / "Annex_A_2024_Jan.xlsx"
    inspected = ready.check(lists, "wearside_council", "annex_a")
    assert [each["receipt"]["feed"] for each in inspected.receipts] == [
        "referral",
        "referral",
        "visit",
        "visit",
        "visit",
    ]
    assert inspected.parts_ignored == 6


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 900, b"\x89PNG\r\n\x1a\n"])
def test_file_that_cannot_be_read_is_said_to_be_so(ready: Checker, tmp_path: Path, content: bytes) -> None:
    checked = ready.check(written(tmp_path, content), *POLICE)
    (document,) = checked.receipts
    assert (checked.verdict, checked.must_be_mended) == ("unreadable", True)
    assert document["unread"][0]["due_at"] is None, "nobody rings about what was not sent"


# Nothing is left behind.


def left() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).iterdir() if path.name.startswith(PREFIX)}


def servers() -> set[int]:
    return {each.pid for each in psutil.process_iter(["name"]) if (each.info["name"] or "").startswith("postgres")}


def settles(before: tuple[set[str], set[int]]) -> bool:
    """Whether folders and servers are those of before, soon; servers of other tests come and go."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if left() <= before[0] and not [pid for pid in servers() - before[1] if throws_away(pid)]:
            return True
        time.sleep(0.1)
    return False


def throws_away(pid: int) -> bool:
    try:
        return PREFIX in psutil.Process(pid).cwd()
    except (psutil.Error, OSError):
        return False


@pytest.mark.parametrize("end", [None, KeyboardInterrupt(), RuntimeError(), psycopg2.OperationalError()])
def test_home_and_server_go_however_the_block_ends(end: BaseException | None) -> None:
    before = left(), servers()
    try:
        with throwaway() as here:
            assert left() - before[0] == {here.home.name} and postgres.running_pid(here)
            if end is not None:
                raise end
    except BaseException as error:
        assert error is end
    assert settles(before) and not here.home.exists()


def test_server_that_was_killed_leaves_no_home() -> None:
    before = left(), servers()
    with throwaway() as here:
        psutil.Process(postgres.running_pid(here)).kill()
    assert settles(before)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("after", ["home", "server"])
def test_command_that_is_ended_leaves_nothing(tmp_path: Path, sign: signal.Signals, after: str) -> None:
    before = left(), servers()
    running = start(tmp_path, "check", str(written(tmp_path, broken(None))), "--agency", POLICE[0], "--feed", POLICE[1])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (after == "home" and left() - before[0]) or any(throws_away(pid) for pid in servers() - before[1]):
            break
        time.sleep(0.01)
    running.send_signal(sign)
    running.communicate(timeout=30)
    assert running.returncode in {signal.SIGINT: (130,), signal.SIGTERM: (130,), signal.SIGKILL: (-9,)}[sign]
    assert settles(before)


# The command.


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command in a folder and a home where nothing is, with no server anywhere and mail going nowhere."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDOOR_")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "frontdoor", *arguments],
        env={
            **given,
            "FRONTDOOR_HOME": str(home / "no home"),
            "FRONTDOOR_SMTP_URL": "smtp://127.0.0.1:9",
            "FRONTDOOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
            "FRONTDOOR_NOW": NOW.isoformat(),
        },
        cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_command_needs_no_platform_and_leaves_nothing_of_the_file(tmp_path: Path) -> None:
    before = left(), servers()
    file = written(tmp_path, broken("POL-020", 40))
    began = time.monotonic()
    running = start(tmp_path, "check", str(file), "--agency", POLICE[0], "--feed", POLICE[1], "--json")
    out, err = running.communicate(timeout=120)
    print(f"a file of 40 records was checked in {time.monotonic() - began:.1f} s")
    assert running.returncode == 0, err
    said = json.loads(out)
    assert (said["sent"], said["verdict"]) == (False, "accepted_with_findings")
    assert [rule["rule_id"] for rule in said["receipts"][0]["rules"] if rule["failed"]] == ["POL-020"]
    assert "Canary" not in out + err
    assert [path.name for path in tmp_path.iterdir()] == [file.name], "a home was made"
    assert settles(before)


@pytest.fixture
def told(ready: Checker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The command with the checker of this module, which is there already; a folder."""
    monkeypatch.setenv("FRONTDOOR_HOME", str(tmp_path / "no home"))
    monkeypatch.setenv("FRONTDOOR_NOW", NOW.isoformat())
    monkeypatch.setattr(
        "frontdoor.cli.checking.check", lambda file, agency, source, _: ready.check(file, agency, source)
    )
    return tmp_path


def run(told: Path, content: bytes, *more: str) -> int:
    return cli.main(["check", str(written(told, content)), "--agency", POLICE[0], "--feed", POLICE[1], *more])


@pytest.mark.parametrize(
    ("content", "strict"),
    [(broken(None), 0), (broken("POL-009"), 0), (broken("POL-020"), 4), (b"\0" * 9, 4)],
    ids=["good", "with a warning", "with something critical", "unreadable"],
)
def test_exit_code_holds_nobody_back_unless_it_is_asked_to(told: Path, content: bytes, strict: int) -> None:
    assert run(told, content) == 0
    assert run(told, content, "--strict") == strict


def test_wrong_usage_is_2_and_starts_no_server(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(told / "none"), "--agency", POLICE[0], "--feed", POLICE[1]]) == 2
    assert cli.main(["check", str(written(told, b"")), "--agency", "wearside_schools", "--feed", "police"]) == 2
    assert run(told, b"", "--out", str(told / "r.pdf")) == 2
    assert "does not send police" in capsys.readouterr().err


def test_every_format_says_that_nothing_was_sent(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(told, broken("POL-020")) == 0
    said = capsys.readouterr().out
    assert "If it is sent as it is: 6 received" in said and "not asked: POL-002" in said and "Nothing was sent" in said
    for ending in ("html", "xlsx", "json"):
        assert run(told, broken("POL-020"), "--out", str(told / f"r.{ending}")) == 0
    page = (told / "r.html").read_text()
    assert (
        "<title>Check before sending</title>" in page
        and "Nothing was sent" in page
        and "Not asked: POL-002, POL-031, POL-032. Such rules" in page
    )
    assert "is in front of the people" not in page, "what was not sent is in front of nobody"
    assert "Receipt for delivery" not in page and "Quote delivery" not in page and "None" not in page
    book = openpyxl.load_workbook(told / "r.xlsx")
    cells = [str(cell) for row in book["Summary"].iter_rows(values_only=True) for cell in row if cell]
    assert any("Nothing was sent" in cell for cell in cells) and not any("Delivery" in cell for cell in cells)
    assert json.loads((told / "r.json").read_bytes())["sent"] is False


def test_several_parts_are_several_pages(told: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.csv", broken("POL-020"))
        archive.writestr("two.csv", broken(None, 3))
    assert run(told, packed.getvalue(), "--out", str(told / "r.html")) == 0
    assert {path.name for path in told.glob("*.html")} == {"r.html", "r-2.html"}
    assert run(told, packed.getvalue(), "--format", "html", "--out", "-") == 2


# The kit.


@pytest.mark.parametrize(("agency", "source"), SENDERS)
def test_good_sample_of_a_kit_is_accepted_and_its_bad_one_names_every_rule(
    ready: Checker, tmp_path: Path, agency: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDOOR_NOW", NOW.isoformat())
    assert cli.main(["kit", "--agency", agency, "--feed", source, "--out", str(tmp_path / "kit")]) == 0
    kit = {path.stem: path for path in (tmp_path / "kit").iterdir()}
    assert set(kit) == {"README", "dictionary", "good-sample", "bad-sample"}
    good, bad = (ready.check(kit[name], agency, source) for name in ("good-sample", "bad-sample"))
    assert (good.verdict, good.receipts[0]["counts"]["records_in"]) == ("accepted", 10)
    wanted = {rule.rule_id for rule in breakable(HOUSE, agency, source, NOW.date())}
    assert {rule["rule_id"] for rule in bad.receipts[0]["rules"] if rule["failed"]} == wanted
    # All that a rule can be broken by in one file: what else is put to this sender hangs on an earlier one.
    asked = {rule["rule_id"]: rule["scope"] for rule in bad.receipts[0]["rules"] if rule["scope"] != "file"}
    assert {asked[rule] for rule in asked.keys() - wanted if not is_for_another(rule, bad)} <= {"history"}
    said = kit["README"].read_text()
    assert all(rule in said for rule in wanted) and f"--agency {agency} --feed {source}" in said and "999" in said
    book = openpyxl.load_workbook(kit["dictionary"])
    rules = [row[0] for row in book["Rules"].iter_rows(min_row=2, values_only=True)]
    assert len(rules) == len(set(rules)) and wanted <= set(rules)
    columns = [row[0] for row in book["Columns"].iter_rows(min_row=2, values_only=True)]
    assert {each["column"] for each in good.receipts[0]["columns"] if each["column"] != each["property"]} <= set(
        columns
    )


def is_for_another(rule_id: str, checked: Any) -> bool:
    return any(
        rule["rule_id"] == rule_id and rule["status"] == "not_applicable"
        for document in checked.receipts
        for rule in document["rules"]
    )


def test_kit_of_a_layout_without_a_sample_says_so(tmp_path: Path) -> None:
    assert cli.main(["kit", "--agency", "wearside_council", "--feed", "annex_a", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"README.txt", "dictionary.xlsx"}
    assert "no sample of this layout" in (tmp_path / "README.txt").read_text()
    (lists,) = (
        {
            row[0]
            for row in openpyxl.load_workbook(tmp_path / "dictionary.xlsx")["Columns"].iter_rows(
                min_row=2, values_only=True
            )
        },
    )
    assert len(lists) == 5


def test_kit_is_the_same_on_the_same_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDOOR_NOW", NOW.isoformat())
    for folder in ("one", "two"):
        assert (
            cli.main(["kit", "--agency", "wearside_housing", "--feed", "referral", "--out", str(tmp_path / folder)])
            == 0
        )
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / each).iterdir()} for each in ("one", "two"))
    assert one == two
