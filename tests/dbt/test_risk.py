"""A child is never further down the list, or off it, because of what a record left out, mistyped or took back."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.dbt import records
from tests.dbt.conftest import Marts

TODAY = records.START.date()
PLAIN = {"child_ref": "1", "forename": "Ann", "dob": date(2015, 2, 1)}
UNMAPPED = "unmapped"

# What each record says besides the plain child, and whether a protection marker is stated or cannot be excluded.
MARKED: dict[str, dict[str, tuple[dict[str, Any], bool]]] = {
    "police": {
        "nothing": ({}, False),
        "lower harm": (
            {"harm_type": ["neglect"], "red_line_facts": ["none"], "powers_used": "none", "seen": "yes"},
            False,
        ),
        "weapon": ({"red_line_facts": ["weapon"]}, True),
        "sexual abuse": ({"harm_type": ["neglect", "sexual_abuse"]}, True),
        "powers": ({"powers_used": "police_protection"}, True),
        "access": ({"suspect_lives_with_child": "yes"}, True),
        "at large": ({"suspect_status": "at_large"}, True),
        "missing notice": ({"notice_type": "missing"}, True),
        "exploitation notice": ({"notice_type": "exploitation"}, True),
        "domestic notice": ({"notice_type": "domestic"}, False),
        "missing child": ({"child_role": "missing"}, True),
        "missing grade": ({"missing_grade": "no_apparent_risk"}, True),
        "not seen": ({"seen": "no"}, True),
        "adult's grade": ({"da_grade": "high"}, False),
        **{
            f"unread {field}": ({f"{field}_state": UNMAPPED}, True)
            for field in (
                *("red_line_facts", "harm_type", "powers_used", "suspect_lives_with_child", "suspect_status"),
                *("notice_type", "child_role", "missing_grade", "seen"),
            )
        },
        "unread grade": ({"child_risk_grade_state": UNMAPPED}, False),
        "infant": ({"dob": TODAY - timedelta(days=200)}, True),
        "turned one": ({"dob": TODAY - timedelta(days=400)}, False),
        "born tomorrow": ({"dob": TODAY + timedelta(days=1)}, True),
        "infant by default date": ({"dob": date(1900, 1, 1), "age_stated": 0}, True),
        "unborn": ({"dob": None, "name_status": "unborn"}, True),
    },
    "referral": {
        "nothing": ({}, False),
        "lower concern": ({"concern_type": ["neglect"], "injury": "no", "immediate_danger": "no"}, False),
        "injury": ({"injury": "yes"}, True),
        "danger": ({"immediate_danger": "yes"}, True),
        "access": ({"person_access_now": "yes"}, True),
        "disclosure": ({"concern_type": ["disclosure"]}, True),
        **{
            f"unread {field}": ({f"{field}_state": UNMAPPED}, True)
            for field in ("concern_type", "injury", "immediate_danger", "person_access_now")
        },
        "high level": ({"level_requested": "section_47"}, False),
    },
}


@pytest.mark.parametrize("feed", list(MARKED))
def test_a_marker_is_seen_stated_or_unread(marts: Marts, feed: str) -> None:
    reference = marts.house.feeds[feed].reference_property
    cases = MARKED[feed]
    records.deliver(
        marts.connection,
        marts.house,
        feed,
        [{**PLAIN, **said, reference: f"marked {name}"} for name, (said, _) in cases.items()],
    )
    records.build(marts.settings)
    listed = dict(
        records.rows(
            marts.connection,
            "select replace(sender_reference, 'marked ', ''), has_protection_marker from worklists.triage"
            " where feed = %s and sender_reference like 'marked %%'",
            feed,
        )
    )
    assert listed == {name: is_marked for name, (_, is_marked) in cases.items()}


# What is known of the age, and the day from which it is reckoned; None is read before all others.
AGES: dict[str, tuple[dict[str, Any], date | None]] = {
    "born": ({"dob": date(2015, 2, 1), "age_stated": 3}, date(2015, 2, 1)),
    "default date": ({"dob": date(1900, 1, 1)}, None),
    "default date, age stated": ({"dob": date(1970, 1, 1), "age_stated": 2}, date(2024, 3, 3)),
    "over age": ({"dob": date(1950, 5, 5)}, None),
    "over age stated": ({"dob": None, "age_stated": 44}, None),
    "below nothing": ({"dob": None, "age_stated": -1}, None),
    "due": ({"dob": None, "due_date": date(2026, 6, 1)}, date(2026, 6, 1)),
    "beyond all years": ({"dob": date(9999, 12, 31)}, None),
}


def test_a_date_that_no_child_has_makes_nobody_old(marts: Marts) -> None:
    records.deliver(
        marts.connection,
        marts.house,
        "police",
        [{**PLAIN, **said, "notification_ref": f"aged {name}"} for name, (said, _) in AGES.items()],
    )
    records.build(marts.settings)
    listed = records.rows(
        marts.connection,
        "select replace(sender_reference, 'aged ', ''), age_reckoned_from from worklists.triage"
        " where sender_reference like 'aged %%'",
    )
    assert dict(listed) == {name: reckoned for name, (_, reckoned) in AGES.items()}


# What was told first, what was told later, and whether the later telling takes a risk away, so that both are shown.
RETOLD: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any], bool]]] = {
    "police": {
        "said again": ({"harm_type": ["neglect"]}, {"harm_type": ["neglect"], "narrative": "More of it."}, False),
        "other harm dropped": ({"harm_type": ["neglect", "physical_abuse"]}, {"harm_type": ["neglect"]}, True),
        "harm added": ({"harm_type": ["neglect"]}, {"harm_type": ["neglect", "missing"]}, False),
        "harm read now": ({"harm_type_state": UNMAPPED}, {"harm_type": ["neglect"]}, False),
        "harm read no more": ({"harm_type": ["neglect"]}, {"harm_type_state": UNMAPPED}, True),
        "unread fact denied": ({"red_line_facts_state": UNMAPPED}, {"red_line_facts": ["none"]}, True),
        "unread fact silent": ({"red_line_facts_state": UNMAPPED}, {}, True),
        "unread access denied": (
            {"suspect_lives_with_child_state": UNMAPPED},
            {"suspect_lives_with_child": "no"},
            True,
        ),
        "grade raised": ({"child_risk_grade": "green"}, {"child_risk_grade": "red"}, False),
        "grade lowered": ({"child_risk_grade": "red"}, {"child_risk_grade": "amber"}, True),
        "grade read now": ({"child_risk_grade_state": UNMAPPED}, {"child_risk_grade": "green"}, False),
        "unread grade silent": ({"child_risk_grade_state": UNMAPPED}, {}, True),
        "graded at last": ({}, {"child_risk_grade": "green"}, False),
        "missing grade lowered": ({"missing_grade": "high"}, {"missing_grade": "low"}, True),
        "missing grade raised": ({"missing_grade": "low"}, {"missing_grade": "high"}, False),
        "adult's grade lowered": ({"da_grade": "high"}, {"da_grade": "standard"}, True),
        "seen after all": ({"seen": "no"}, {"seen": "yes"}, True),
        "infant by default": ({"dob": None, "age_stated": 0}, {"dob": None, "age_stated": 9}, True),
    },
    "referral": {
        "concern dropped": ({"concern_type": ["neglect", "disclosure"]}, {"concern_type": ["neglect"]}, True),
        "injury denied": ({"injury": "yes"}, {"injury": "no"}, True),
        "level lowered": ({"level_requested": "section_47"}, {"level_requested": "early_help"}, True),
        "level not sure": ({"level_requested": "section_47"}, {"level_requested": "not_known"}, True),
        "level raised": ({"level_requested": "early_help"}, {"level_requested": "section_47"}, False),
    },
}


@pytest.mark.parametrize("feed", list(RETOLD))
def test_what_takes_a_risk_away_shows_both(marts: Marts, feed: str) -> None:
    reference = marts.house.feeds[feed].reference_property
    cases = RETOLD[feed]
    for later, place in ((False, 0), (True, 1)):
        rows = [
            {**PLAIN, "narrative": f"Told {place}.", **case[place], reference: f"retold {name}"}
            for name, case in cases.items()
        ]
        records.deliver(marts.connection, marts.house, feed, rows, at=records.START + timedelta(days=later))
        records.build(marts.settings)
    listed = records.rows(
        marts.connection,
        "select replace(sender_reference, 'retold ', ''), count(*) = 2 from worklists.triage"
        " where feed = %s and sender_reference like 'retold %%' group by 1",
        feed,
    )
    assert dict(listed) == {name: takes_away for name, (_, _, takes_away) in cases.items()}
