"""`frontdoor contract`: what was agreed, and how two agreements differ, in words. Mend: frontdoor/contract/."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli
from frontdoor.contract import expectations_folder, load_house
from frontdoor.contract.agreement import agreements
from frontdoor.contract.difference import differences

ON = date(2026, 3, 12)
POLICE = ("--agency", "wearside_police", "--feed", "police")
FILE = expectations_folder() / "police" / "agencies" / "wearside_police.yaml"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDOOR_HOME", str(tmp_path / "home"))


def said(capsys: Any, *arguments: str) -> Any:
    assert cli.main(["contract", *arguments]) == 0
    return json.loads(capsys.readouterr().out) if "--json" in arguments else capsys.readouterr().out


def proposed(tmp_path: Path, *changes: tuple[str, str], of: Path = FILE) -> str:
    text = of.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text, f"{of.name} no longer says {before!r}: write the test anew"
        text = text.replace(before, after, 1)
    path = tmp_path / f"proposed-{len(list(tmp_path.glob('proposed-*')))}.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def sentences(capsys: Any, *arguments: str) -> list[str]:
    (compared,) = said(capsys, "diff", *POLICE, *arguments, "--json")["compared"]
    return [each["sentence"] for each in compared["differences"]]


def test_every_agreement_can_be_shown_whole() -> None:
    house = load_house()
    for agreed in house.agency_feeds:
        found = agreements(house, agreed.agency, agreed.source, agreed.valid_from)
        (document,) = (each for each in found if each["feed"] == agreed.feed)
        assert document["agency_version"] == agreed.version
        assert {each["property"] for each in document["fields"]} >= set(agreed.headers.values())
        spelled = {
            label: code
            for codes in document["codes"].values()
            for code, each in codes.items()
            for label in each["spellings"]
        }
        assert {label for labels in agreed.codes.values() for label in labels} == set(spelled)


def test_show_says_fields_by_the_senders_headers_and_codes_by_its_labels(capsys: Any) -> None:
    told = said(capsys, "show", "--agency", "wearside_schools", "--feed", "referral")
    assert "Pupil first name: forename, string" in told
    assert "contact as liaison: wearside_schools_liaison" in told
    (document,) = said(capsys, "show", *POLICE, "--json")["agreements"]
    assert document["codes"]["risk_grade"]["red"]["spellings"] == ["High", "HIGH RISK", "R"]
    assert document["terms"]["format"] == "csv"
    assert {rule["standing"] for rule in document["rules"]} == {"as_contract"}


def test_show_of_a_former_day_is_the_version_of_that_day(capsys: Any) -> None:
    council = ("--agency", "wearside_council", "--feed", "visit", "--json")
    (then,) = said(capsys, "show", *council, "--on", "2019-12-31")["agreements"]
    (since,) = said(capsys, "show", *council, "--on", "2020-01-01")["agreements"]
    assert [each["agency_version"] for each in (then, since)] == ["1", "2"]
    assert [each["terms"]["delivery_mode"] for each in (then, since)] == ["increment", "snapshot"]


def test_diff_without_days_compares_with_the_version_before(capsys: Any) -> None:
    told = said(capsys, "diff", "--agency", "wearside_council", "--feed", "visit")
    assert "Delivery mode: 'increment' becomes 'snapshot'." in told
    assert "New rule VIS-014 (warning)" in told


def test_an_agreement_does_not_differ_from_itself(capsys: Any, tmp_path: Path) -> None:
    house = load_house()
    for agreed in house.agency_feeds:
        for each in agreements(house, agreed.agency, agreed.source, agreed.valid_from):
            assert differences(each, each) == []
    assert sentences(capsys, "--proposed", proposed(tmp_path)) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("    format: csv", "    format: xlsx", "Format: 'csv' becomes 'xlsx'."),
        ("High: red", "High: amber", "risk_grade: 'High' meant red and means amber now."),
        ("High: red, ", "", "risk_grade: 'High' meant red and goes to a person now."),
        ("High: red", "Severe: red, High: red", "risk_grade: 'Severe' now means red."),
        (
            "    format: csv",
            "    headers: {Family name: surname}\n    format: csv",
            "surname: header 'surname' becomes 'Family name'.",
        ),
        (
            "    format: csv",
            "    tightened: {POL-026: critical}\n    format: csv",
            "POL-026: warning becomes critical (tightened; warning in the contract).",
        ),
    ],
)
def test_a_proposed_agreement_is_told_in_one_sentence(
    capsys: Any, tmp_path: Path, before: str, after: str, told: str
) -> None:
    assert sentences(capsys, "--proposed", proposed(tmp_path, (before, after))) == [told]


def test_a_waived_rule_is_marked_and_told(capsys: Any, tmp_path: Path) -> None:
    path = proposed(tmp_path, ("    format: csv", "    waived_rules: [POL-026]\n    format: csv"))
    (told,) = sentences(capsys, "--proposed", path)
    assert told.startswith("POL-026 is waived: ")


def test_a_proposed_contract_is_told_by_field_and_rule(capsys: Any, tmp_path: Path) -> None:
    contract = expectations_folder() / "police" / "contract.odcs.yaml"
    path = proposed(
        tmp_path,
        ("harm_type_state <> 'ok'", "harm_type_state = 'unmapped'"),
        ("need, value: expected", "need, value: optional"),
        of=contract,
    )
    told = sentences(capsys, "--proposed", path)
    assert any(each.endswith(": what it asks changes.") for each in told)
    assert any("need 'expected' becomes 'optional'" in each for each in told)


def test_two_files_and_two_agencies_are_compared(capsys: Any, tmp_path: Path) -> None:
    old = proposed(tmp_path, ("High: red, ", ""))
    assert sentences(capsys, "--proposed", old, "--proposed", str(FILE)) == ["risk_grade: 'High' now means red."]
    told = sentences(capsys, "--with", "wearside_partnership")
    assert "Packing: 'none' becomes 'zip'." in told
    assert "surname: header 'surname' becomes 'Child surname'." in told


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (["show", "--agency", "nobody", "--feed", "police"], "no agency of that name"),
        (["show", *POLICE, "--on", "2010-01-01"], "nothing was agreed with wearside_police about police"),
        (["diff", *POLICE], "this is the first version, and none came before it"),
        (["diff", *POLICE, "--from", "2010-01-01"], "nothing was agreed with wearside_police about police"),
        (["diff", *POLICE, "--with", "wearside_schools"], "wearside_schools does not send police"),
        (["diff", *POLICE, "--with", "wearside_partnership", "--from", "2020-01-01"], "one of --from, --with"),
        (["diff", *POLICE, "--proposed", "none.yaml"], "--proposed cannot be read"),
        (["diff", "--agency", "wearside_partnership", "--feed", "police", "--proposed", str(FILE)], "speaks of"),
    ],
)
def test_wrong_usage_says_what_it_could_mean(capsys: Any, arguments: list[str], because: str) -> None:
    assert cli.main(["contract", *arguments]) == 2
    assert because in capsys.readouterr().err


def test_lint_is_the_one_that_make_check_runs(capsys: Any, tmp_path: Path) -> None:
    root = tmp_path / "expectations"
    shutil.copytree(expectations_folder(), root)
    shutil.rmtree(root / "referral")
    shutil.rmtree(root / "visit")
    shutil.rmtree(root / "layouts")
    assert "1 contracts" in said(capsys, "lint", str(root))
    (root / "file_rules.yaml").write_text("quality: [{id: FIL-001}]\n", encoding="utf-8")
    assert cli.main(["contract", "lint", str(root), "--json"]) == 1
    assert "file_rules.yaml: quality[FIL-001]" in json.loads(capsys.readouterr().out)["problems"][0]
