"""Labels as the reading compares them. Open frontdoor/quality/reading/labels.py."""

from __future__ import annotations

import json

from frontdoor.quality.reading.labels import code_map, identifier, label, literal


def test_a_label_keeps_letters_and_digits_and_single_blanks() -> None:
    assert label("\u00a0Q) 6: POLICE\u2019s  Unit\t") == "q 6 polices unit"


def test_a_label_without_letters_is_nothing() -> None:
    assert label(" -- ?? ") == ""


def test_a_code_is_found_by_itself_its_label_and_the_agencys_words() -> None:
    codes = json.loads(code_map({"2A": "School", "6": "Police"}, {"02) Police - 78": "6"}))
    assert {
        words: codes.get(words) for words in ("2A", "2a", "School", "school", "02) Police - 78", "02 police 78")
    } == {
        "2A": "2A",
        "2a": "2A",
        "School": "2A",
        "school": "2A",
        "02) Police - 78": "6",
        "02 police 78": "6",
    }


def test_what_an_agency_agreed_wins_over_our_label() -> None:
    assert json.loads(code_map({"a": "Other", "b": "B"}, {"Other": "b"}))["Other"] == "b"
    assert json.loads(code_map({"a": "Other", "b": "B"}, {"Other": "b"}))["other"] == "b"


def test_a_form_that_means_two_codes_means_none() -> None:
    codes = json.loads(code_map({"1": "Not known", "2": "not-known"}, {}))
    assert "not known" not in codes
    assert (codes["Not known"], codes["not-known"]) == ("1", "2")


def test_truth_values_are_yes_and_no_unless_the_agency_agreed_otherwise() -> None:
    yes_no = {"yes": "Yes", "no": "No", "not_known": "Not known"}
    assert {label: json.loads(code_map(yes_no, {}))[label] for label in ("true", "false")} == {
        "true": "yes",
        "false": "no",
    }
    assert json.loads(code_map(yes_no, {"TRUE": "no"}))["true"] == "no"
    assert "true" not in json.loads(code_map({"yes": "Yes", "unsafe": "Unsafe"}, {}))


def test_quotes_are_doubled() -> None:
    assert literal("it's") == "'it''s'"
    assert identifier('a"b') == '"a""b"'
