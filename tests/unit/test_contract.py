"""Contracts load whole, and a wrong declaration says file, key and what to write instead."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from frontdoor.contract import ContractError, House, expectations_folder, load_house, normalised

ON = date(2026, 3, 12)


@pytest.fixture(scope="module")
def house() -> House:
    return load_house()


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of expectations/ in which one text of one file is another."""

    def change(name: str, before: str, after: str) -> Path:
        root = tmp_path / "expectations"
        shutil.copytree(expectations_folder(), root)
        text = (root / name).read_text(encoding="utf-8")
        assert before in text, f"{name} no longer says {before!r}: write the test anew"
        (root / name).write_text(text.replace(before, after, 1), encoding="utf-8")
        return root

    return change


def test_every_folder_with_a_contract_is_a_feed(house: House) -> None:
    assert set(house.feeds) == {path.parent.name for path in expectations_folder().glob("*/contract.odcs.yaml")}
    assert house.sources() == ("police", "referral", "visit", "annex_a", "cin_census")
    assert house.file_rules


def test_an_agency_sends_only_what_is_agreed(house: House) -> None:
    assert house.accepts("wearside_council", "cin_census")
    assert not house.accepts("wearside_council", "referral")
    assert not house.accepts("nobody", "police")
    agreed = house.agency_feed("wearside_council", "cin_census", "referral", ON)
    assert agreed is not None
    assert agreed.codes["sex"]["1"] == "M", "the layout's own codes are part of the agreement"
    assert agreed.timestamp_formats[0] == "YYYY-MM-DD"


def test_nothing_is_agreed_before_the_first_day(house: House) -> None:
    assert house.agency_feed("wearside_police", "police", "police", date(2016, 3, 31)) is None
    assert house.agency_feed("wearside_police", "police", "police", date(2016, 4, 1)) is not None


def test_rules_of_a_sender_are_not_put_to_the_yearly_return(house: House) -> None:
    council, schools = house.agencies["wearside_council"], house.agencies["wearside_schools"]
    rules = house.feeds["referral"].rules
    assert [rule.rule_id for rule in rules if rule.applies(council, "cin_census")] == [
        "REF-101",
        "REF-102",
        "REF-103",
        "REF-104",
        "REF-105",
    ]
    assert not [rule for rule in rules if rule.applies(schools, "referral") and rule.rule_id >= "REF-101"]


def test_a_rule_about_our_own_decision_never_goes_to_the_sender(house: House) -> None:
    feeds = house.feeds
    assert feeds["referral"].rule("REF-024").recipient_role == "head_of_service"
    assert feeds["visit"].rule("VIS-004").recipient_role == "team_manager"
    for rule_id in ("VIS-002", "VIS-006", "VIS-009", "VIS-017", "VIS-018"):
        assert feeds["visit"].rule(rule_id).recipient_role == "team_manager"
    ours = [rule for rule in feeds["referral"].rules if "council" in rule.applies_to]
    assert {rule.rule_id for rule in ours} == {"REF-023", "REF-025"}
    assert not [rule.rule_id for rule in ours if rule.recipient_role == "liaison"]


def test_definitions_are_written_out(house: House) -> None:
    for feed in house.feeds.values():
        for rule in feed.rules:
            assert "{def:" not in str(dict(rule.expectation))
        assert not [element for element in feed.elements if "{def:" in repr(element)]


def test_agreement_of_the_family_is_recorded_and_never_asked_for(house: House) -> None:
    asked = {"agreement_to_service", "parents_told", "parents_informed", "reason_not_sought", "agreement_asked_of"}
    for feed in house.feeds.values():
        rules = [rule for rule in feed.rules if rule.rule_id != "REF-022"]
        said = [text for rule in rules for text in map(str, rule.expectation.values())]
        said += [text for each in feed.elements for text in (each.applies_when, each.present_when, each.unknown_when)]
        assert not [name for name in asked for text in said if name in text]
    # Two answers that exclude each other may be told of, as information; a blank is none of them.
    two_answers = house.feeds["referral"].rule("REF-022")
    assert two_answers.severity == "info"
    assert "missing" not in two_answers.expectation["fails_when"]
    assert "injury is distinct from 'no'" in two_answers.expectation["applies_when"], "never where a marker may stand"


def test_protected_facts_are_restricted(house: House) -> None:
    wanted = {"address_status", "address_protected", "safe_contact", "handling_condition", "sender_anonymous"}
    for feed in house.feeds.values():
        for prop in feed.properties:
            assert (prop.classification == "restricted") == (prop.name in wanted | {"share_with_family"})


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (
            "police/contract.odcs.yaml",
            "severity: critical",
            "severity: urgent",
            "police/contract.odcs.yaml: schema[notification].quality[POL-001].severity: "
            "expected one of critical, warning, info, found 'urgent'",
        ),
        ("police/contract.odcs.yaml", "id: POL-001", "id: POL-1", "three capital letters, a hyphen and three digits"),
        ("police/contract.odcs.yaml", "{def:a_child}", "{def:the_child}", "expected a name under definitions"),
        (
            "police/contract.odcs.yaml",
            "codeList, value: dob_status}",
            "list, value: dob_status}",
            "a code list for kind code",
        ),
        (
            "police/contract.odcs.yaml",
            "- name: surname",
            "- name: forename",
            "expected each property once, found forename",
        ),
        (
            "police/contract.odcs.yaml",
            "keyProperties, value: [notification_ref",
            "keyProperties, value: [ref",
            "keyProperties",
        ),
        ("police/contract.odcs.yaml", "feedCode, value: police", "feedCode, value: polis", "feedCode: expected police"),
        ("police/contract.odcs.yaml", "Europe/London}", "Europe/Sunderland}", "the name of a time zone"),
        ("police/contract.odcs.yaml", "value: [name]", "value: [nom]", "sufficiencyElement: expected an element"),
        ("police/contract.odcs.yaml", "required: true", "required: false", "true, because need is required"),
        ("police/contract.odcs.yaml", "id: frontdoor-police", "id: [", "police/contract.odcs.yaml: line"),
        (
            "agencies/wearside_police.yaml",
            "kind: police",
            "kind: force",
            "agencies/wearside_police.yaml: kind: expected one of",
        ),
        (
            "police/agencies/wearside_police.yaml",
            "agency: wearside_police",
            "agency: wearside",
            "agencies/wearside.yaml",
        ),
        ("police/agencies/wearside_police.yaml", "sex: {Male", "gender: {Male", "expected a code list used by police"),
        ("police/agencies/wearside_police.yaml", 'Y: "yes"', "Y: yes", "in quotes where YAML reads a number"),
        (
            "police/agencies/wearside_police.yaml",
            "2016-04-01",
            "April",
            "valid_from: expected a date written YYYY-MM-DD",
        ),
        ("referral/agencies/wearside_schools.yaml", "Doctor: gp", "Doctor: medic", "expected a property of referral"),
        ("referral/agencies/wearside_schools.yaml", "Doctor: gp", "Doctor: gp\n      doctor_: upn", "one property for"),
        (
            "referral/agencies/wearside_council.yaml",
            "source: cin_census",
            "source: annex",
            "a layout that supplies referral",
        ),
        (
            "visit/agencies/wearside_council.yaml",
            "    format: csv",
            "    format: spreadsheet",
            "format: expected one of csv, json, jsonl, xml, xlsx",
        ),
        (
            "police/agencies/wearside_partnership.yaml",
            "archive: zip",
            "archive: rar",
            "archive: expected one of none, gz, zip",
        ),
        (
            "visit/agencies/wearside_council.yaml",
            "    format: csv",
            "    waived_rules: [VIS-900]\n    format: csv",
            "VIS-900",
        ),
        (
            "visit/agencies/wearside_council.yaml",
            "    format: csv",
            "    tightened: {VIS-001: loud}\n    format: csv",
            "VIS-001",
        ),
        (
            "visit/agencies/wearside_council.yaml",
            "    format: csv",
            "    tighten: {VIS-003: critical}\n    format: csv",
            "tighten: expected one of version, source",
        ),
        (
            "police/agencies/wearside_police.yaml",
            "expected: {days",
            "expcted: {days",
            "found 'expcted'; expected may be meant",
        ),
        ("police/agencies/wearside_police.yaml", "Male: M", "Male: F, Male: M", "found the key 'Male' a second time"),
        ("police/contract.odcs.yaml", "status: active", "status: active\nstatus: draft", "found the key 'status'"),
        ("police/agencies/wearside_police.yaml", "signatures:", "signed:", "signed: expected one of agency, versions"),
        ("agencies/wearside_police.yaml", "kind: police", "kind: police\nlaison_role: x", "liaison_role may be meant"),
        ("layouts/cin_census.yaml", "record: Message", "records: Message", "feeds.referral.record: expected a text"),
        ("layouts/annex_a.yaml", "feed: visit", "feed: visits", "lists[list_6].feed: expected one of referral, visit"),
        ("layouts/annex_a.yaml", "names: [List 2, Early help]", "names: []", "lists[list_2].names: expected what the"),
        ("layouts/annex_a.yaml", "contact {Date of", "contact {Day of", "expected a header of the list in braces"),
    ],
)
def test_a_wrong_declaration_says_where_and_what_was_expected(
    changed: Callable[[str, str, str], Path], name: str, before: str, after: str, said: str
) -> None:
    with pytest.raises(ContractError) as caught:
        load_house(changed(name, before, after))
    assert said in str(caught.value)


def test_a_declaration_that_is_not_utf_8_is_said_to_be_so(changed: Callable[[str, str, str], Path]) -> None:
    root = changed("police/agencies/wearside_police.yaml", "agency", "agency")
    path = root / "police/agencies/wearside_police.yaml"
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    with pytest.raises(ContractError, match=r"^police/agencies/wearside_police.yaml: expected text in UTF-8"):
        load_house(root)


def test_two_versions_of_one_agreement_on_one_day_are_refused(changed: Callable[[str, str, str], Path]) -> None:
    second = 'versions:\n  - {version: "0", valid_from: 2015-01-01, format: csv}\n'
    root = changed("visit/agencies/wearside_council.yaml", "versions:\n", second)
    with pytest.raises(ContractError, match="expected one version per day"):
        load_house(root)


def test_versions_follow_one_another(changed: Callable[[str, str, str], Path]) -> None:
    second = 'versions:\n  - {version: "0", valid_from: 2015-01-01, valid_to: 2016-03-31, format: csv}\n'
    house = load_house(changed("visit/agencies/wearside_council.yaml", "versions:\n", second))
    days = [
        house.agency_feed("wearside_council", "visit", "visit", day) for day in (date(2016, 3, 31), date(2016, 4, 1))
    ]
    assert [each.version for each in days if each] == ["0", "1"]


@pytest.mark.parametrize(
    "text", ["\ufeffPupil first name", "PUPIL_FIRST_NAME", " Pupil\u00a0first  name: ", "Pupil's-first name*"]
)
def test_headers_are_compared_without_what_people_put_around_them(text: str) -> None:
    assert normalised(text).replace("pupils", "pupil") == "pupil first name"
