"""A month in the life of one liaison: poor notices, a letter, a correction, a dispute, a waiver, silence, a nil return.

It is read from top to bottom; `desk` is the liaison's desk and the office that answers it (liaison_desk.py). Whatever
happens to files, findings and waivers, every child told of is on the front door's list from the first build on.

Mend: the room that the day is about, frontdoor/receipts, alerts, quality/waivers.py, quality/silence.py; their own tests
stand beside this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.integration.liaison_desk import AGENCY, FEED, Desk, Notice, words

NO_REASON, NOBODY_SAYS_WHO_HAS_THE_CHILD = "POL-021", "POL-018"
THEIR_WORDS = "The control room sets the grade, and its reason does not travel until the new system comes."
OUR_WORDS = "True of the old system. Please say why again once the new one is in."
WHY_WAIVED = "The old system cannot carry the reason."


def without_a_reason(notice: Notice) -> Notice:
    return notice | {"grade_rationale": ""}


def strangled_and_nobody_says_who_has_the_child(notice: Notice) -> Notice:
    return notice | {"red_line_facts": "NFS", "child_risk_grade": "High", "child_left_with": ""}


@pytest.fixture
def desk(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> Desk:
    return Desk(database, monkeypatch, capsys, tmp_path)


@pytest.mark.timeout(900)  # half a minute where nothing runs beside it
def test_a_month_in_the_life_of_one_liaison(desk: Desk) -> None:
    told: set[str] = set()

    def nothing_to_answer(day: str, count: int = 2) -> int:
        """A morning like most: some notices as they should be, before breakfast, and nobody writes."""
        desk.it_is(day, "06:00")
        notices = desk.writes_notices(count)
        told.update(each["notification_ref"] for each in notices)
        delivery = desk.sends(notices)
        assert (
            desk.opens_the_receipt(delivery)["sentence"]
            == f"{count} received, {count} on the front door's list, none needs an answer."
        )
        assert not desk.got_a_workbook(delivery) and desk.finds_in_the_mail() == [], day
        return delivery

    # Monday 1. The platform starts after nine, so nothing was due before it knew of the agreement.
    desk.it_is("Mon 1", "10:00")
    assert desk.days_due("Mon 1", "Mon 1") == [] and desk.finds_in_the_mail() == []
    nothing_to_answer("Tue 2", count=5)

    # Wednesday 3. Six notices. One does not say why it was graded so; one tells of strangulation, and not who has the child.
    desk.it_is("Wed 3", "06:00")
    notices = desk.writes_notices(6)
    notices[1] = without_a_reason(notices[1])
    notices[3] = strangled_and_nobody_says_who_has_the_child(notices[3])
    unreasoned, in_danger = notices[1]["notification_ref"], notices[3]["notification_ref"]
    poor = desk.sends(notices)
    told.update(each["notification_ref"] for each in notices)

    (letter,) = desk.finds_in_the_mail()
    assert letter["Subject"] == f"Front door: delivery {poor}: 6 records received, 2 need an answer"
    assert "6 records received, 6 on the front door's list, 2 need an answer. No defect holds a record back." in words(
        letter
    )
    assert words(letter).index("1. POL-018, critical") < words(letter).index("2. POL-021, warning")
    assert "Rows of your file: 5. What to do: Ring the front door now and say who has the child." in words(letter)
    assert "By: Wednesday 3 February 2027, 10:00" in words(letter), "four hours, for it cannot wait"
    assert "call 999" in words(letter)
    names = {each[field] for each in notices for field in ("forename", "surname", "address", "notification_ref")}
    assert not [name for name in names if name in words(letter)], "rows and rules, and no child"

    receipt = desk.opens_the_receipt(poor)
    assert receipt["sentence"] == "6 received, 6 on the front door's list, 2 need an answer."
    assert receipt["verdict"] == "accepted_with_findings"
    book = desk.opens_the_workbook(poor)
    assert [row[:3:2] for row in book["Critical first"]] == [("Row", "Severity"), (5, "critical")]
    assert [row[:2] for row in book["All"][1:]] == [(3, NO_REASON), (5, NOBODY_SAYS_WHO_HAS_THE_CHILD)]
    (line,) = (row for row in book["Your rows"] if row[0] == 3)
    assert dict(zip(book["Your rows"][0], line, strict=True))["grade_rationale"] == NO_REASON

    # No gate: both are on the list at once, with what is missing beside them.
    assert desk.right_the_first_time(poor) == (6, 2)
    triage = desk.triage()
    assert set(triage) == told
    assert triage[unreasoned] == {NO_REASON} and triage[in_danger] == {NOBODY_SAYS_WHO_HAS_THE_CHILD}

    # Thursday 4. The child is with an aunt. The other notice is sent again as it was: the reason cannot be had.
    desk.it_is("Thu 4", "06:00")
    fresh = desk.writes_notices(2)
    told.update(each["notification_ref"] for each in fresh)
    mended = desk.sends([*fresh, notices[1], notices[3] | {"child_left_with": "Ilsa, aunt"}])
    assert desk.finds_in_the_mail() == [], "what persists is not told daily"
    receipt = desk.opens_the_receipt(mended)
    assert receipt["sentence"] == "4 received, 4 on the front door's list, 1 needs an answer, none of them new."
    assert receipt["mended"] == [
        {"delivery_id": poor, "record_no": 4, "rule_id": NOBODY_SAYS_WHO_HAS_THE_CHILD},
    ]
    assert desk.states_of(poor) == {(NO_REASON, 3): "new", (NOBODY_SAYS_WHO_HAS_THE_CHILD, 5): "resolved"}
    assert desk.states_of(mended) == {(NO_REASON, 4): "persisting"}
    assert desk.hours_to_mend(NOBODY_SAYS_WHO_HAS_THE_CHILD) == 24.0
    assert desk.right_the_first_time(poor) == (6, 2), "what was wrong at first stays so"
    triage = desk.triage()
    assert set(triage) == told, "the correction took no child off the list, and put none on it twice"
    assert triage[in_danger] == set() and triage[unreasoned] == {NO_REASON}

    # Friday 5. The liaison answers in the workbook: this one is not ours to mend.
    nothing_to_answer("Fri 5")
    assert desk.disputes_in_the_workbook(poor, NO_REASON, THEIR_WORDS)["answers_taken"] == 1
    (dispute,) = desk.office("dispute", "list", "--with-reasons")["disputes"]
    assert (dispute["rule_id"], dispute["reason"], dispute["state"]) == (NO_REASON, THEIR_WORDS, "open")
    assert dispute["due_at"] == "2027-02-12T06:00:00Z", "five working days"
    assert desk.states_of(poor)[NO_REASON, 3] == "new", "to dispute is not to mend"
    nothing_to_answer("Sat 6")
    nothing_to_answer("Sun 7")

    # Monday 8. The office finds the liaison right, waives the rule for ten days, and says so in the next receipt.
    before = nothing_to_answer("Mon 8")
    assert [each["state"] for each in desk.opens_the_receipt(before)["answers"]] == ["open"]
    desk.it_is("Mon 8", "11:00")
    desk.office(
        "dispute", "settle", str(dispute["dispute_id"]), "--outcome", "upheld", "--next", "waiver",
        "--reason", OUR_WORDS, "--by", "team_manager",
    )  # fmt: skip
    waiver = desk.office(
        "waiver", "grant", "--agency", AGENCY, "--feed", FEED, "--rule", NO_REASON, "--reason", WHY_WAIVED,
        "--approved-by", "head_of_service", "--until", "2027-02-18",
    )  # fmt: skip
    assert desk.states_of(poor)[NO_REASON, 3] == desk.states_of(mended)[NO_REASON, 4] == "waived"
    assert desk.finds_in_the_mail() == []

    # Tuesday 9. Another without a reason: nobody writes, the receipt says why, the list says what is missing.
    desk.it_is("Tue 9", "06:00")
    late_ones = desk.writes_notices(3)
    late_ones[0] = without_a_reason(late_ones[0])
    told.update(each["notification_ref"] for each in late_ones)
    silenced = desk.sends(late_ones)
    assert desk.finds_in_the_mail() == [], "silent while the waiver lives"
    receipt = desk.opens_the_receipt(silenced)
    assert receipt["sentence"] == "3 received, 3 on the front door's list, none needs an answer."
    assert receipt["verdict"] == "accepted_with_findings", "a waiver makes nothing better than it is"
    (rule,) = (each for each in receipt["rules"] if each["failed"])
    assert [(each["reason"], each["until"]) for each in rule["waivers"]] == [(WHY_WAIVED, "2027-02-19T00:00:00Z")]
    (answer,) = receipt["answers"]
    assert (answer["state"], answer["settlement"], answer["next_step"]) == ("upheld", OUR_WORDS, "waiver")
    triage = desk.triage()
    assert set(triage) == told
    assert triage[unreasoned] == triage[late_ones[0]["notification_ref"]] == {NO_REASON}
    after = nothing_to_answer("Wed 10")
    assert desk.opens_the_receipt(after)["answers"] == [], "a settlement is told once"
    for day in ("Thu 11", "Fri 12", "Sat 13", "Sun 14", "Mon 15", "Tue 16", "Wed 17", "Thu 18"):
        nothing_to_answer(day)

    # Friday 19. It is midnight, and the waiver is over: what it kept quiet is back, with one letter for all of it.
    desk.it_is("Thu 18", "23:59")
    assert desk.finds_in_the_mail() == []
    desk.it_is("Fri 19", "00:01")
    (letter,) = desk.finds_in_the_mail()
    assert letter["Subject"] == f"Front door: waiver {waiver['waiver_id']} is over: 3 findings to answer"
    for place in (f"Delivery {poor}, rows of your file: 3.", f"Delivery {mended}, rows of your file: 4."):
        assert place in words(letter)
    assert f"Delivery {silenced}, rows of your file: 2." in words(letter) and WHY_WAIVED not in words(letter)
    assert {desk.states_of(each)[NO_REASON, row] for each, row in ((poor, 3), (mended, 4), (silenced, 2))} == {
        "persisting"
    }
    nothing_to_answer("Fri 19")
    triage = desk.triage()
    assert set(triage) == told and triage[unreasoned] == {NO_REASON}
    nothing_to_answer("Sat 20")
    nothing_to_answer("Sun 21")

    # Monday 22. The new system is in, and both notices come again with their reasons.
    desk.it_is("Mon 22", "06:00")
    reason = {"grade_rationale": "A second incident within a week, and the child was in the room."}
    last = desk.sends([notices[1] | reason, late_ones[0] | reason])
    receipt = desk.opens_the_receipt(last)
    assert receipt["sentence"] == "2 received, 2 on the front door's list, none needs an answer."
    assert [(each["delivery_id"], each["record_no"]) for each in receipt["mended"]] == [
        (poor, 2), (mended, 3), (silenced, 1),
    ]  # fmt: skip
    assert set(desk.states_of(poor).values()) == set(desk.states_of(mended).values()) == {"resolved"}
    assert desk.right_the_first_time(poor) == (6, 2) and desk.right_the_first_time(silenced) == (3, 1)
    assert desk.right_the_first_time(last) == (0, 0), "it told nothing for the first time"
    assert desk.hours_to_mend(NO_REASON) == 13 * 24.0, "from Tuesday 9; the other took nineteen days"
    triage = desk.triage()
    assert set(triage) == told and triage[unreasoned] == set()
    assert desk.finds_in_the_mail() == []

    # Tuesday 23. Nothing comes. At nine it is not late yet; a minute later the liaison is told, once.
    desk.it_is("Tue 23", "08:59")
    assert desk.finds_in_the_mail() == []
    desk.it_is("Tue 23", "09:01")
    (letter,) = desk.finds_in_the_mail()
    assert letter["Subject"] == (
        "Front door: Police notification of Wearside Police: 1 delivery that was due has not come"
    )
    assert "A file that could be used last came on Monday 22 February 2027, 06:00." in words(letter)
    assert "nil_signed_by:" in words(letter)
    for day in ("Wed 24", "Thu 25"):
        desk.it_is(day, "09:01")
        assert desk.finds_in_the_mail() == [], "not repeated daily"
    (silence,) = {each["feed"] for each in desk.office("silence", "--agency", AGENCY)["days"]}
    assert silence == FEED

    # Friday 26. Three working days: one reminder, and no more after it. Nobody falls off the list because a sender is silent.
    desk.it_is("Fri 26", "09:01")
    (letter,) = desk.finds_in_the_mail()
    assert "4 deliveries that were due have still not come" in letter["Subject"]
    assert "This is the last letter about it." in words(letter)
    desk.it_is("Fri 26", "18:00")
    assert desk.finds_in_the_mail() == []
    assert set(desk.triage()) == told
    assert desk.days_due("Mon 22", "Fri 26") == [
        "Mon 22 received", "Tue 23 missing", "Wed 24 missing", "Thu 25 missing", "Fri 26 missing",
    ]  # fmt: skip

    # Saturday 27. There was nothing to send, and somebody says so.
    desk.it_is("Sat 27", "07:30")
    nil = desk.signs_a_nil_return("duty sergeant")
    receipt = desk.opens_the_receipt(nil)
    assert receipt["sentence"] == "0 received: a nil return, signed by duty sergeant. Nothing needs an answer."
    assert receipt["verdict"] == "accepted" and not desk.got_a_workbook(nil)
    assert desk.days_due("Tue 23", "Sat 27") == [
        "Tue 23 signed_nil", "Wed 24 signed_nil", "Thu 25 signed_nil", "Fri 26 signed_nil", "Sat 27 signed_nil",
    ]  # fmt: skip
    assert desk.finds_in_the_mail() == []

    # Sunday 28. The month is over: nothing is open, nothing was forgotten, and there were four letters in all.
    nothing_to_answer("Sun 28")
    assert set(desk.triage()) == told and len(told) == 5 + 6 + 2 + 3 + 2 * 17
    assert desk.office("silence", "--agency", AGENCY)["days"] == []
    assert desk.office("dispute", "list")["disputes"] == [] and desk.office("waiver", "list")["waivers"] == []
    assert len(desk.read_mails) == 4
