"""Defects of the simulator cover what agencies really send, and changing a record or file leaves the given one alone."""

from __future__ import annotations

import io
from copy import deepcopy
from datetime import date, datetime, timedelta
from functools import cache
from random import Random

import pytest

from frontdoor.contract import AgencyFeed, House, load_house
from frontdoor.simulator.defects import DELIVERY, FILE, NOT_COVERED, RECORD
from frontdoor.simulator.defects.deliveries import Sent, rules_of_late
from frontdoor.simulator.good import GOOD, N, Record
from frontdoor.simulator.words import pack, words_of

# "Defects that agencies really send", as practitioners list them; what they join with "or" and commas stands alone.
SENT = (
    "no consent status",
    '"not sought" without a reason',
    "default dates",
    'unborn as "Baby X"',
    '"no details"',
    "siblings merged in one record",
    "incident address given as home",
    "no or stale postcode",
    "narrative copied from the crime log",
    "narrative under 50 characters",
    "voice of the child absent",
    'voice of the child "too young"',
    "grade missing",
    "grade standard beside high-harm words",
    "perpetrator not identified",
    "one notification per attending officer",
    "a late batch after the weekend",
    "wrong authority",
    "adult notice with children only in the text",
    "text in a code field",
    "reference reused",
    "day and month swapped",
    "Excel serial dates",
    "mixed labels in one column",
    "mojibake",
    "BOM",
    "UTF-16",
    "Windows-1252",
    "header renamed",
    "header reordered",
    "header dropped",
    "formula strings",
    "header-only file",
    "empty file",
    "truncated file",
    "the same file again under a new name",
    "the same name with new content",
    "technical ids reissued overnight",
    "a signed nil return",
    "silence",
)
ON = date(2026, 3, 12)
EVERY = (*RECORD.values(), *FILE.values(), *DELIVERY.values())
SENDERS = (
    ("wearside_police", "police"),
    ("wearside_partnership", "police"),
    ("wearside_health", "referral"),
    ("wearside_housing", "referral"),
    ("wearside_council", "visit"),
)


class OfRandomAlone(Random):
    """The chance of the town: only `random()`, `choice` and `randrange` may be asked."""

    def getrandbits(self, k: int, /) -> int:
        raise AssertionError("bits differ between Pythons: ask random(), choice or randrange")

    def choice(self, seq):  # type: ignore[no-untyped-def]
        return seq[int(self.random() * len(seq))]

    def randrange(self, start, stop=None, step=1):  # type: ignore[no-untyped-def]
        low, high = (0, start) if stop is None else (start, stop)
        return low + int(self.random() * (high - low))


@cache
def the_house() -> House:
    return load_house()


def good(feed: str, number: int) -> Record:
    record = GOOD[feed](Random(f"{feed}:{number}"), ON)
    return record | {name: value.replace(N, str(number)) for name, value in record.items() if isinstance(value, str)}


def written(agency: str, feed: str, records: list[Record]) -> tuple[bytes, AgencyFeed]:
    agreed = the_house().agency_feed(agency, feed, feed, ON)
    assert agreed is not None
    words = words_of(the_house().feeds[feed], agreed, list(records[0]), ON)
    lines = ["".join([words.between(n), *words.line(each, n)]).encode() for n, each in enumerate(records)]
    content = io.BytesIO()
    pack(content, the_house().feeds[feed], agreed, [words.header(), *lines, words.footer()])
    return content.getvalue(), agreed


def test_every_defect_that_agencies_send_is_made_or_said_not_to_be() -> None:
    made = {each.title for each in EVERY}
    assert made <= set(SENT)
    assert {title.replace(" ", "_") for title in set(SENT) - made} == set(NOT_COVERED)


def test_names_are_unique_and_each_stands_under_its_own() -> None:
    names = [each.name for each in EVERY]
    assert len(names) == len(set(names))
    assert all(name == defect.name for kind in (RECORD, FILE, DELIVERY) for name, defect in kind.items())


@pytest.mark.parametrize("name", [each.name for each in EVERY])
def test_a_defect_that_no_rule_sees_says_why_and_rules_exist(name: str) -> None:
    (defect,) = (each for each in EVERY if each.name == name)
    by_feed = list(defect.rules.values()) if isinstance(defect.rules, dict) else [defect.rules]
    assert bool(defect.reason) == (() in by_feed)
    house = the_house()
    known = {rule.rule_id for feed in house.feeds.values() for rule in feed.rules}
    known |= {rule.rule_id for rule in house.file_rules}
    assert {rule for rules in by_feed for rule in rules} <= known


@pytest.mark.parametrize("name", RECORD)
def test_a_record_is_changed_in_a_copy_and_the_same_chance_gives_the_same(name: str) -> None:
    defect = RECORD[name]
    for feed in defect.rules:
        changed = 0
        for number in range(40):
            record = good(feed, number)
            kept = deepcopy(record)
            made = defect.change(record, feed, OfRandomAlone(f"{number}"))
            assert record == kept
            assert made == defect.change(record, feed, OfRandomAlone(f"{number}"))
            if made is not None:
                assert made[-1] != record
                assert made[-1] is not record
                changed += 1
        assert changed, f"{name} sits in no record of {feed}"


@pytest.mark.parametrize("name", RECORD)
def test_a_defect_sits_in_no_other_feed_nor_in_what_is_withdrawn_or_names_no_child(name: str) -> None:
    defect = RECORD[name]
    for feed in ("police", "referral", "visit"):
        record, chance = good(feed, 1), Random(1)
        assert feed in defect.rules or defect.change(record, feed, chance) is None
        nobody = {"child_ref": "", "child_id_council": ""}
        for other in ({"record_action": "withdraw"}, nobody, {"record_role": "council_record"}):
            assert defect.change(record | other, feed, chance) is None


@pytest.mark.parametrize("name", RECORD)
def test_a_record_that_says_little_is_left_alone_or_changed_but_never_an_error(name: str) -> None:
    defect = RECORD[name]
    for feed in defect.rules:
        little = {"child_ref": "C1", "child_id_council": "K1"}
        for record in (little, dict.fromkeys(good(feed, 1), "") | little):
            made = defect.change(record, feed, Random(1))
            assert made is None or all(isinstance(each, dict) for each in made)


@pytest.mark.parametrize("name", FILE)
def test_a_file_is_changed_the_same_way_by_the_same_chance(name: str) -> None:
    defect, changed = FILE[name], 0
    for agency, feed in SENDERS:
        content, agreed = written(agency, feed, [good(feed, number) for number in range(6)])
        made = defect.change(content, agreed, OfRandomAlone(name))
        assert made == defect.change(content, agreed, OfRandomAlone(name))
        assert made != content
        changed += made is not None
    assert changed


def test_files_by_day_come_again_under_other_names_or_not_at_all() -> None:
    days = [Sent(ON + timedelta(days=each), f"day{each}.csv", b"%d" % each) for each in range(9)]
    kept = list(days)
    again = DELIVERY["same_file_new_name"].files(days, Random(1))
    named = DELIVERY["same_name_new_content"].files(days, Random(1))
    silent = DELIVERY["silence"].files(days, Random(1))
    assert again and named and silent
    assert days == kept
    assert [each.day for each in again] == sorted(each.day for each in again)
    assert len(again) == 10 and len({each.content for each in again}) == 9 and len({each.name for each in again}) == 10
    assert len(named) == 9 and len({each.content for each in named}) == 9 and len({each.name for each in named}) == 8
    assert len(silent) in (6, 7, 8)


def test_what_is_due_at_the_weekend_leaves_on_monday_morning() -> None:
    known = datetime(2026, 3, 7, 7, 30)  # noqa: DTZ001 a Saturday, by the clock on the wall
    record = good("police", 1) | {"known_at": known, "created_at": known, "sent_at": known, "child_risk_grade": "red"}
    made = DELIVERY["late_batch"].records([record, good("police", 2)], "police", Random(1))
    assert made is not None
    assert made[0]["sent_at"].isoweekday() == 1 and made[0]["sent_at"].hour == 8
    assert rules_of_late(made[0]) == ("POL-012", "POL-013")
    assert rules_of_late(made[0] | {"child_risk_grade": "green"}) == ("POL-012",)
    sunday = made[0] | {"known_at": known + timedelta(days=1, hours=3), "child_risk_grade": "amber"}
    assert rules_of_late(sunday) == ()
