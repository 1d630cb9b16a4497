"""Words that may leave the house. Mend: a title or whatToDo in expectations/, or frontdoor/alerts/wording.py."""

from __future__ import annotations

import pytest

from frontdoor.alerts import wording
from frontdoor.contract import load_house

HOUSE = load_house()
RULES = [rule for rule in (*HOUSE.file_rules, *(r for feed in HOUSE.feeds.values() for r in feed.rules))]


@pytest.mark.parametrize(
    "text",
    [
        "Lowest grade beside a red-line fact.",
        "The record says amber.",
        "Serious harm, and not who has the child now.",
        "Concern of neglect without an account.",
        "This child cannot be found.",
        "A child under 1.",
        "Police powers were used.",
        "Agreement was refused.",
        "The father has no name.",
    ],
)
def test_words_that_tell_of_one_child_do_not_leave(text: str) -> None:
    assert wording.title(text, "sufficiency") == "What was given is not enough for the front door to decide on."
    assert text not in wording.to_do(text, "critical", for_council=False)


@pytest.mark.parametrize(
    "text", ["The date of birth cannot be right.", "A name is missing.", "Sent after the agreed limit."]
)
def test_words_that_name_a_field_leave_as_they_are(text: str) -> None:
    assert wording.title(text, "").rstrip(".") == text.rstrip(".")
    assert wording.to_do(text, "warning", for_council=False) == text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_every_rule_of_the_contracts_is_put_in_its_own_words(rule) -> None:  # type: ignore[no-untyped-def]
    assert rule.title, f"{rule.rule_id}: give it a neutral name in its contract"
    for said in (rule.title, rule.what_to_do) if rule.recipient_role == "liaison" else ():
        told = wording.DISCLOSING.search(said)
        assert told is None, f"{rule.rule_id}: its name or whatToDo says {told and told[0]!r}, which no mail may say"


def test_unknown_dimension_still_has_words() -> None:
    assert wording.title(None, "") and wording.to_do("", "info", for_council=False)
