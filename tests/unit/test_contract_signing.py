"""A version holds when both parties have signed it; until then the one before does. Mend: frontdoor/contract/signing.py."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli, clock
from frontdoor.cli import doctor
from frontdoor.contract import ContractError, expectations_folder, load_house

FILE = "police/agencies/wearside_police.yaml"
WHOM = ("wearside_police", "police", "police")
TODAY = clock.now().date()
SECOND = TODAY - timedelta(days=30)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "expectations"
    shutil.copytree(expectations_folder(), root)
    monkeypatch.setenv("FRONTDOOR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("frontdoor.contract.expectations_folder", lambda: root)
    return root


def with_second(root: Path, *signed: tuple[str, date], valid_to: date | None = None, gap: int = 1) -> None:
    """A second version, for 30 days now, with these signatures."""
    text = (root / FILE).read_text(encoding="utf-8")
    end = SECOND - timedelta(days=gap)
    text = text.replace("valid_from: 2016-04-01", f"valid_from: 2016-04-01\n    valid_to: {end}")
    until = f"\n    valid_to: {valid_to}" if valid_to else ""
    added = f'  - version: "2"\n    valid_from: {SECOND}{until}\n    format: xlsx\nsignatures:'
    text = text.replace("signatures:", added)
    for party, on in signed:
        text += f'  - {{version: "2", party: {party}, signed: {on}, role: somebody}}\n'
    (root / FILE).write_text(text, encoding="utf-8")


def on_days(*days: date) -> list[str | None]:
    house = load_house()
    return [agreed.version if (agreed := house.agency_feed(*WHOM, day)) else None for day in days]


BEFORE, LATER = SECOND - timedelta(days=1), SECOND + timedelta(days=400)


def test_all_that_we_declare_is_signed_by_both_parties() -> None:
    house = load_house()
    assert len(house.declared) == len(house.agency_feeds)
    assert {frozenset(each.signed) for each in house.declared} == {frozenset({"sender", "council"})}
    assert doctor._signatures().ok


def test_signed_in_time_each_day_has_its_version(root: Path) -> None:
    with_second(root, ("sender", BEFORE), ("council", BEFORE - timedelta(days=9)))
    assert on_days(BEFORE, SECOND, LATER) == ["1", "2", "2"]
    assert doctor._signatures().ok


@pytest.mark.parametrize("signed", [[], [("sender", BEFORE)], [("council", BEFORE)]])
def test_a_version_without_both_signatures_leaves_its_days_to_the_one_before(
    root: Path, signed: list[tuple[str, date]]
) -> None:
    with_second(root, *signed)
    assert on_days(BEFORE, SECOND, LATER) == ["1", "1", "1"]
    told = doctor._signatures()
    assert not told.ok
    assert "version 2 of wearside_police and police (police) by" in told.sentence
    assert load_house().accepts("wearside_police", "police")


def test_signed_late_it_holds_from_the_day_after_and_not_for_days_that_were_judged(root: Path) -> None:
    late = SECOND + timedelta(days=10)
    with_second(root, ("sender", SECOND), ("council", late))
    assert on_days(SECOND, late, late + timedelta(days=1)) == ["1", "1", "2"]


def test_signed_after_its_last_day_it_never_held(root: Path) -> None:
    with_second(root, ("sender", LATER), ("council", LATER), valid_to=SECOND + timedelta(days=5))
    assert on_days(SECOND, SECOND + timedelta(days=5)) == ["1", "1"]
    assert on_days(SECOND + timedelta(days=6)) == [None]


def test_an_agreement_that_had_ended_does_not_rise_again(root: Path) -> None:
    with_second(root, gap=10)
    assert on_days(SECOND - timedelta(days=10), SECOND - timedelta(days=5), SECOND) == ["1", None, None]


def test_the_first_version_turns_no_file_away_for_want_of_a_signature(root: Path) -> None:
    text = (root / FILE).read_text(encoding="utf-8")
    (root / FILE).write_text(text[: text.index("signatures:")], encoding="utf-8")
    assert on_days(date(2016, 4, 1), TODAY) == ["1", "1"]
    assert "version 1 of wearside_police and police (police) by sender and council" in doctor._signatures().sentence


def test_the_command_writes_a_line_each_and_the_version_holds_from_tomorrow(root: Path, capsys: Any) -> None:
    with_second(root)
    before = (root / FILE).read_text(encoding="utf-8")
    sign = ["contract", "sign", "--agency", "wearside_police", "--feed", "police", "--version", "2", "--role"]
    assert cli.main([*sign, "wearside_police_liaison", "--for", "sender", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["party"] == "sender"
    assert on_days(TODAY, LATER) == ["1", "1"]
    assert cli.main([*sign, "head_of_service", "--for", "council"]) == 0
    assert on_days(TODAY, TODAY + timedelta(days=1)) == ["1", "2"]
    after = (root / FILE).read_text(encoding="utf-8")
    assert after.startswith(before)
    assert len(after.splitlines()) == len(before.splitlines()) + 2
    assert cli.main([*sign, "head_of_service", "--for", "council"]) == 2
    assert f"council signed it on {TODAY}" in capsys.readouterr().err
    assert cli.main(["contract", "show", "--agency", "wearside_police", "--feed", "police"]) == 0
    assert f"signed by sender {TODAY}, council {TODAY}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('version: "1", party: sender', 'version: "7", party: sender', "a version of this file"),
        ("party: sender", "party: anybody", "expected one of sender, council"),
        ("party: sender", "party: council", "found two of council"),
        ("signed: 2016-03-01", "signed: in March", "a date written YYYY-MM-DD"),
        ("role: head_of_service", "role: ''", "role: expected a text"),
    ],
)
def test_a_wrong_signature_says_where(root: Path, before: str, after: str, said: str) -> None:
    text = (root / FILE).read_text(encoding="utf-8")
    assert before in text
    (root / FILE).write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ContractError, match=said):
        load_house()
