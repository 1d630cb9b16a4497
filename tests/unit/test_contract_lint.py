"""What a declaration can get wrong although it loads is found before a sender's file meets it."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from frontdoor.contract import expectations_folder
from frontdoor.contract.__main__ import main
from frontdoor.contract.lint import problems

ON = date(2026, 3, 12)


def after_change(tmp_path: Path, name: str, before: str, after: str) -> list[str]:
    root = tmp_path / "expectations"
    shutil.copytree(expectations_folder(), root)
    text = (root / name).read_text(encoding="utf-8")
    assert before in text, f"{name} no longer says {before!r}: write the test anew"
    (root / name).write_text(text.replace(before, after, 1), encoding="utf-8")
    # Holding a contract against the standard takes a while: leave out the feeds that the change is not about.
    about = "police" if name.startswith("police/") else "referral"
    for feed in {"police", "referral", "visit"} - {about}:
        shutil.rmtree(root / feed)
    if about == "police":
        shutil.rmtree(root / "layouts")
    return problems(root, ON)


def test_our_own_declarations_are_right() -> None:
    assert problems(None, ON) == []


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (
            "police/agencies/wearside_police.yaml",
            "days: every_day",
            "days: wednesday",
            "expected.days: expected one of every_day, working_days, mondays",
        ),
        (
            "police/agencies/wearside_police.yaml",
            'by: "09:00"',
            'by: "25:00"',
            'a time of day in quotes, such as "09:00"',
        ),
        (
            "police/agencies/wearside_police.yaml",
            'by: "09:00"',
            "by: 10:00",
            'a time of day in quotes, such as "09:00"',
        ),
        (
            "police/agencies/wearside_police.yaml",
            'by: "09:00"',
            'by: "09:00", or: never',
            "expected one of days, by, found 'or'",
        ),
        (
            "police/contract.odcs.yaml",
            "version: 1.1.0",
            "version: 1.1.0\nowner: us",
            "not as the standard (ODCS 3.1) wants it",
        ),
        (
            "police/contract.odcs.yaml",
            "        severity: critical",
            "        rank: 1\n        severity: critical",
            "ODCS 3.1",
        ),
        (
            "police/contract.odcs.yaml",
            "grade_rationale_state <> 'ok'\"",
            "grade_reason_state <> 'ok'\"",
            "no column of the reading",
        ),
        (
            "police/contract.odcs.yaml",
            "{property: scope, value: history}",
            "{property: scope, value: delivery}",
            "looks at earlier deliveries: give the rule scope: history",
        ),
        (
            "police/contract.odcs.yaml",
            "{limit:police_known_to_sent}",
            "{limit:police_patience}",
            "has a row police_patience",
        ),
        (
            "police/contract.odcs.yaml",
            "{codes:risk_grade.is_lowest}",
            "{codes:risk_grade.is_low}",
            "has the attribute is_low",
        ),
        (
            "police/contract.odcs.yaml",
            "codeList, value: carer_state}",
            "codeList, value: carer_mood}",
            "no row of code list carer_mood",
        ),
        (
            "police/contract.odcs.yaml",
            "harm_type_state <> 'ok'",
            "harm_type_state <> <>",
            "not SQL that Postgres can read",
        ),
        (
            "police/contract.odcs.yaml",
            "harm_type_state <> 'ok'",
            "harm_type_state like '%x'",
            "drivers read it as a parameter",
        ),
        ("police/contract.odcs.yaml", "harm_type_state <> 'ok'", "harm_type_state <> '{x}'", "nothing writes out"),
        (
            "police/contract.odcs.yaml",
            'fails_when: "harm_type',
            'fail_when: "harm_type',
            "POL-019: expect_records_to_keep_rule wants",
        ),
        ("police/contract.odcs.yaml", "id: POL-005", "id: POL-006", "POL-006: used by 2 rules"),
        ("police/contract.odcs.yaml", "id: POL-005", "id: FIL-905", "FIL belongs to"),
        (
            "police/contract.odcs.yaml",
            "- name: gp",
            "- name: dob_state",
            "dob_state: the reading makes a column of that name",
        ),
        ("referral/contract.odcs.yaml", "value: [cin_census]", "value: [census]", "appliesTo census"),
        ("police/agencies/wearside_police.yaml", "High: red", "High: scarlet", "'High' is mapped to scarlet"),
        ("police/agencies/wearside_police.yaml", "HIGH RISK: red", "high: amber", "mean two codes"),
        ("layouts/annex_a.yaml", "Source: source_code", "Source: source", "source: expected a property of referral"),
        (
            "layouts/annex_a.yaml",
            "list: list_2",
            "list: list_1",
            "list_1: used by 2 lists: give each a code of its own",
        ),
        ("layouts/cin_census.yaml", "      upn: ", "      upm: ", "upm: expected a property of referral"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    tmp_path: Path, name: str, before: str, after: str, said: str
) -> None:
    found = after_change(tmp_path, name, before, after)
    assert [line for line in found if said in line], found


def test_the_command_says_each_problem_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint"]) == 0
    root = tmp_path / "expectations"
    shutil.copytree(expectations_folder(), root)
    (root / "file_rules.yaml").write_text("quality: [{id: FIL-001}]\n", encoding="utf-8")
    assert main(["lint", str(root)]) == 1
    assert "file_rules.yaml: quality[FIL-001]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("first: 2017", "first: soon", "years.first: expected a year"),
        ("- year: 2022", "- year: 2019", "expected a year after 2021"),
        ("last: 2026", "last: 2024", "not after the last, 2024"),
        ("sex: ../ChildIdentifiers/Sex", "sexx: ../ChildIdentifiers/Sex", "sexx: expected a property of referral"),
        ("sex: ../ChildIdentifiers/Sex", "nobody: null", "nobody: expected an element that the year before has"),
        ("sex: {}", 'sex: {"1": F}', "expected one meaning of '1' in all years"),
        ("beside: [CINPlanDates", "besides: [CINPlanDates", "besides: expected fields, beside or codes"),
    ],
)
def test_a_year_of_a_layout_that_is_wrong_is_named(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    found = after_change(tmp_path, "layouts/cin_census.yaml", wrong, right)
    assert [line for line in found if said in line], found


def test_working_days_of_a_calendar_that_nobody_knows_are_no_expectation(tmp_path: Path) -> None:
    root = tmp_path / "expectations"
    shutil.copytree(expectations_folder(), root)
    for name, before, after in (
        ("agencies/wearside_police.yaml", "calendar: england", "calendar: scotland"),
        ("police/agencies/wearside_police.yaml", "days: every_day", "days: working_days"),
    ):
        text = (root / name).read_text(encoding="utf-8")
        assert before in text
        (root / name).write_text(text.replace(before, after, 1), encoding="utf-8")
    assert [line for line in problems(root, ON) if "no working days are known of the calendar scotland" in line]
