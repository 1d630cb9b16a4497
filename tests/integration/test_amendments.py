"""A correction under a new reference: it replaces what it names, closes what it mends, and takes no other child away."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from frontdoor import delivery
from tests.integration.test_waivers import FEED, SCHOOLS, Here, here, poor, prepared

__all__ = ["here", "prepared"]

REFERENCE, AMENDS, ACTION = "Log number", "Corrects log number", "New or correction"
SURNAME, BORN, ACCOUNT = "Pupil last name", "Date of birth", "What happened and what worries you"


def contact(seed: int) -> dict[str, str]:
    """One contact whose child has no surname: REF-003 asks for it."""
    (row,) = csv.DictReader(io.StringIO(poor(seed, records=1).decode()))
    return row


def landed(here: Here, *rows: dict[str, str]) -> int:
    """Send these contacts in one file; its delivery."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return here.land(out.getvalue().encode())


def on_the_list(here: Here, *deliveries: int) -> list[tuple[int, str]]:
    delivery.ingest(here.settings)
    return here.all(
        "select delivery_id, sender_reference from worklists.triage where delivery_id = any(%s) order by 1, 2",
        list(deliveries),
    )


def questions(here: Here, delivery_id: int, rule_id: str = "REF-003") -> list[Any]:
    return here.all(
        "select state, resolved_by, resolved_by_delivery_id from quality.findings"
        " where delivery_id = %s and rule_id = %s",
        delivery_id,
        rule_id,
    )


def right_first_time(here: Here, delivery_id: int) -> list[Any]:
    return here.all(
        "select records_count, wrong_count from quality.first_publications where delivery_id = %s", delivery_id
    )


def test_correction_under_a_new_reference_replaces_what_it_names_and_closes_what_it_mends(here: Here) -> None:
    wrong = contact(951)
    told = landed(here, wrong)
    assert questions(here, told) == [("new", None, None)]
    once = right_first_time(here, told)
    assert once == [(1, 1)]

    renamed = {REFERENCE: wrong[REFERENCE] + "-b", AMENDS: wrong[REFERENCE]}
    corrected = wrong | renamed | {ACTION: "", SURNAME: "Quarrelmoor"}
    mended = landed(here, corrected)
    assert questions(here, told) == [("resolved", "sender", mended)]
    assert on_the_list(here, told, mended) == [(mended, corrected[REFERENCE])]
    assert right_first_time(here, told) == once, "it was not right the first time, and stays so"
    assert right_first_time(here, mended) == [(0, 0)], "it told nothing for the first time"

    # A correction of the correction is about the first, too; what comes under the first's own number is as well.
    again = landed(here, corrected | {REFERENCE: wrong[REFERENCE] + "-c", AMENDS: corrected[REFERENCE], SURNAME: ""})
    assert {state for state, _, _ in questions(here, again)} <= {"new", "persisting"}
    keys = here.all(
        "select distinct record_key from raw.referral_read where _delivery_id = any(%s)", [told, mended, again]
    )
    assert len(keys) == 1, "one matter, three tellings"


def test_correction_that_names_another_childs_contact_takes_nobody_away(here: Here) -> None:
    first, other = contact(952), contact(953)
    told = landed(here, first)
    mistaken = other | {AMENDS: first[REFERENCE], ACTION: ""}
    came = landed(here, mistaken)
    assert len(on_the_list(here, told, came)) == 2, "another child: both stay"
    assert questions(here, told) == [("new", None, None)], "and nothing is mended"


def test_correction_with_another_date_of_birth_leaves_both_on_the_list(here: Here) -> None:
    wrong = contact(954)
    told = landed(here, wrong)
    came = landed(
        here, wrong | {REFERENCE: wrong[REFERENCE] + "-b", AMENDS: wrong[REFERENCE], ACTION: "", BORN: "01/02/2011"}
    )
    assert len(on_the_list(here, told, came)) == 2


@pytest.mark.parametrize("change", [{ACTION: "N"}, {AMENDS: "WS-0-00000-9"}], ids=["new", "unknown"])
def test_in_doubt_a_record_keeps_its_own_key(here: Here, change: dict[str, str]) -> None:
    wrong = contact(955 + len(change.get(AMENDS, "")))
    told = landed(here, wrong)
    came = landed(here, wrong | {REFERENCE: wrong[REFERENCE] + "-b", AMENDS: wrong[REFERENCE], ACTION: ""} | change)
    assert len(on_the_list(here, told, came)) == 2


def test_correction_beside_what_it_corrects_leaves_both(here: Here) -> None:
    wrong = contact(971)
    both = landed(here, wrong, wrong | {REFERENCE: wrong[REFERENCE] + "-b", AMENDS: wrong[REFERENCE], ACTION: ""})
    assert len(on_the_list(here, both)) == 2


def test_two_corrections_of_one_contact_in_one_file_leave_all_three(here: Here) -> None:
    wrong = contact(972)
    told = landed(here, wrong)
    two = [wrong | {REFERENCE: f"{wrong[REFERENCE]}-{each}", AMENDS: wrong[REFERENCE], ACTION: ""} for each in "bc"]
    came = landed(here, *two)
    assert len(on_the_list(here, told, came)) == 3


def test_same_record_sent_again_mends_by_its_own_key(here: Here) -> None:
    wrong = contact(973)
    told = landed(here, wrong)
    mended = landed(here, wrong | {SURNAME: "Quarrelmoor"})
    assert questions(here, told) == [("resolved", "sender", mended)]
    assert on_the_list(here, told, mended) == [(mended, wrong[REFERENCE])]
    hours = here.all(
        "select mended_count, mended_by_us_count from quality.time_to_mend"
        " where agency_code = %s and feed = %s and rule_id = 'REF-003'",
        SCHOOLS,
        FEED,
    )
    assert hours and hours[0][0] >= 1 and hours[0][1] == 0


def test_correction_of_one_question_leaves_the_others_open(here: Here) -> None:
    wrong = contact(974) | {ACCOUNT: "n/a"}
    told = landed(here, wrong)
    before = {rule for _, rule, _ in here.states(told)}
    assert len(before) > 1
    landed(
        here, wrong | {REFERENCE: wrong[REFERENCE] + "-b", AMENDS: wrong[REFERENCE], ACTION: "", SURNAME: "Quarrelmoor"}
    )
    states = {rule: state for _, rule, state in here.states(told)}
    assert states.pop("REF-003") == "resolved"
    assert set(states.values()) <= {"new", "persisting"}
