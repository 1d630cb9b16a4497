"""The command line without a database: usage, exit codes, what is printed. Mend: frontdoor/cli/."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli
from frontdoor.cli import delivering, output
from frontdoor.contract import load_house
from frontdoor.settings import Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("FRONTDOOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRONTDOOR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "notices.csv"
    path.write_bytes(b"notification_ref\n1\n")
    return path


# The last of an option that stands twice holds.
SIMULATE = ["simulate", "--from", "2018-04-01", "--to", "2018-04-02", "--children", "20", "--out", "/none/town"]


def deliver(file: Path, *more: str) -> int:
    return cli.main(["deliver", str(file), "--agency", "wearside_police", "--feed", "police", *more])


@pytest.mark.parametrize("command", ["simulate", "check", "", "delivr"])
def test_command_that_does_not_exist_is_wrong_usage(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main([command] if command else [])
    assert exit_.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["deliver", "FILE", "--agency", "nobody", "--feed", "police"],
        ["deliver", "FILE", "--agency", "wearside_police", "--feed", "nothing"],
        ["deliver", "FILE", "--agency", "wearside_police", "--feed", "referral"],
        ["feed", "show", "nothing"],
        ["feed", "sample", "police", "--agency", "wearside_police", "--break", "REF-001", "--out", "x"],
        ["feed", "sample", "police", "--agency", "wearside_police", "--records", "-1", "--out", "x"],
        ["feed", "sample", "police", "--agency", "wearside_police", "--out", "/none/x"],
        ["replay"],
        ["replay", "--agency", "wearside_police"],
        ["replay", "--delivery", "1", "--agency", "wearside_police", "--feed", "police"],
        ["status", "--last", "-1"],
        [*SIMULATE, "--pace", "inf"],
        [*SIMULATE, "--pace", "nan"],
        [*SIMULATE, "--pace", "-1"],
        [*SIMULATE, "--to", "2018-03-01"],
        [*SIMULATE, "--to", "9999-12-31"],
        [*SIMULATE, "--from", "1900-01-01"],
        [*SIMULATE, "--children", "0"],
        [*SIMULATE, "--scenario", "nowhere"],
        [*SIMULATE, "--defect", "nowhere=0.1"],
        [*SIMULATE, "--defect", "silence=nan"],
        [*SIMULATE, "--defect", "silence"],
        [*SIMULATE, "--out", "FILE"],
        [*SIMULATE, "--out", "FILE/town"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_exits_2_and_says_what_could(arguments: list[str], file: Path, capsys: Any) -> None:
    arguments = [word.replace("FILE", str(file)) for word in arguments]
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("frontdoor: ")


def test_unknown_agency_is_answered_with_the_known_ones_and_not_repeated(file: Path, capsys: Any) -> None:
    assert cli.main(["deliver", str(file), "--agency", "Jane Canary", "--feed", "police", "--json"]) == 2
    said = capsys.readouterr()
    assert "wearside_police" in json.loads(said.out)["error"]
    assert "Canary" not in said.out + said.err


def test_file_that_is_not_there_is_wrong_usage_and_leaves_nothing(home: Path, capsys: Any) -> None:
    assert deliver(home / "none.csv") == 2
    assert [path for path in (home / "landing").rglob("*") if path.is_file()] == []


def test_delivered_file_lies_whole_under_its_name(home: Path, file: Path, capsys: Any) -> None:
    assert deliver(file, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "landed"
    folder = home / "landing" / "wearside_police" / "police"
    assert [path.name for path in folder.iterdir()] == ["notices.csv"]
    assert (folder / "notices.csv").read_bytes() == file.read_bytes()
    status = (folder / "notices.csv").stat()
    # Renamed after the last write: how the landing zone tells that a file is whole.
    assert status.st_ctime_ns > status.st_mtime_ns


def test_file_that_waits_under_the_same_name_is_not_overwritten(home: Path, file: Path, capsys: Any) -> None:
    assert deliver(file) == 0
    file.write_bytes(b"notification_ref\n2\n")
    assert deliver(file) == 0
    folder = home / "landing" / "wearside_police" / "police"
    assert {path.name: path.read_bytes()[-2:-1] for path in folder.iterdir()} == {
        "notices.csv": b"1",
        "notices (2).csv": b"2",
    }


def test_files_delivered_at_once_under_one_name_all_arrive(settings: Settings, tmp_path: Path) -> None:
    def put(number: int) -> None:
        file = tmp_path / str(number) / "same.csv"
        file.parent.mkdir()
        file.write_text(str(number))
        delivering.put(settings, file, "wearside_police", "police", ledger_mark=None)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [path.read_text() for path in (settings.landing / "wearside_police" / "police").iterdir()]
    assert sorted(found, key=int) == [str(number) for number in range(20)]


@pytest.mark.parametrize("name", [".hidden.csv", "unfinished.part", "x.tmp", "n" * 255, "..."])
def test_name_that_the_landing_zone_would_leave_alone_is_changed(settings: Settings, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("x")
    delivering.put(settings, file, "wearside_police", "police", ledger_mark=None)
    (landed,) = (settings.landing / "wearside_police" / "police").iterdir()
    assert not landed.name.startswith(".")
    assert not landed.name.endswith((".part", ".tmp"))


def test_platform_that_never_ran_exits_1_with_what_to_do(capsys: Any) -> None:
    assert cli.main(["status", "--json"]) == 1
    assert "frontdoor up" in json.loads(capsys.readouterr().out)["error"]


def test_waiting_without_a_ledger_still_delivers_and_says_so(home: Path, file: Path, capsys: Any) -> None:
    assert deliver(file, "--wait", "1") == 1
    assert (home / "landing" / "wearside_police" / "police" / "notices.csv").exists()
    assert "in the landing zone" in capsys.readouterr().err


def test_error_that_quotes_a_record_is_told_by_its_class_alone(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("Jane Canary, born 2015-03-02")

    monkeypatch.setattr("frontdoor.status.report", fail)
    assert cli.main(["status"]) == 1
    said = capsys.readouterr()
    assert "ValueError" in said.err
    assert "Canary" not in said.out + said.err


def test_settings_that_cannot_be_read_are_wrong_usage(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("FRONTDOOR_SETTLE_SECONDS", "soon")
    assert cli.main(["status"]) == 2
    assert "FRONTDOOR_SETTLE_SECONDS" in capsys.readouterr().err


def test_times_are_printed_in_utc() -> None:
    at = datetime(2026, 7, 1, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    assert output.iso(at) == "2026-07-01T09:00:00Z"


def test_feeds_are_listed_as_one_document(capsys: Any) -> None:
    assert cli.main(["feed", "list", "--json"]) == 0
    listed = {feed["code"]: feed for feed in json.loads(capsys.readouterr().out)["feeds"]}
    assert listed["police"]["agencies"] == ["wearside_partnership", "wearside_police"]
    assert listed["cin_census"]["feeds"] == ["referral"]


def test_feed_is_shown_with_every_rule(capsys: Any) -> None:
    assert cli.main(["feed", "show", "police"]) == 0
    assert "POL-020" in capsys.readouterr().out


def test_sample_is_the_same_for_the_same_seed(tmp_path: Path, capsys: Any) -> None:
    def sample(name: str, *more: str) -> bytes:
        out = tmp_path / name
        arguments = ["feed", "sample", "police", "--agency", "wearside_police", "--records", "3", "--out", str(out)]
        assert cli.main([*arguments, *more]) == 0
        return out.read_bytes()

    assert sample("a") == sample("b") != sample("c", "--seed", "2")
    assert len(sample("a").splitlines()) >= 4


def test_doctor_of_a_home_where_nothing_runs_is_not_well(capsys: Any) -> None:
    assert cli.main(["doctor", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert all(set(check) == {"id", "ok", "sentence"} for check in document["checks"])
    assert {"database", "contracts", "routing", "passfile"} <= {check["id"] for check in document["checks"]}


def test_doctor_names_every_role_that_nobody_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    contacts = tmp_path / "contacts.yaml"
    agencies = load_house().agencies.values()
    contacts.write_text("".join(f"{each.liaison_role}: someone@agency.example\n" for each in agencies))
    monkeypatch.setenv("FRONTDOOR_CONTACTS", str(contacts))
    monkeypatch.setenv("FRONTDOOR_SMTP_URL", "smtp://127.0.0.1:25")
    cli.main(["doctor", "--json"])
    (routing,) = (each for each in json.loads(capsys.readouterr().out)["checks"] if each["id"] == "routing")
    assert not routing["ok"]
    for role in ("head_of_service", "team_manager", "data_engineer"):
        assert role in routing["sentence"]
    assert "liaison" not in routing["sentence"]
