"""Defects of one record: what agencies send instead of a good one, and the rules that then fail in it, by feed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from frontdoor.simulator.defects import what, who
from frontdoor.simulator.good import Record

Change = Callable[[Record, str, Random], list[Record] | None]
CHILD = {"police": "child_ref", "referral": "child_ref", "visit": "child_id_council"}


@dataclass(frozen=True)
class RecordDefect:
    """A defect that sits in one record. `title`: the domain's own words.

    `rules`: feed -> the rules that fail for each record that comes of it (with `only_last` only for the last one), and
    no other fails that did not fail before; none where no rule sees it, for the `reason` given. It sits in these feeds
    alone. With `is_apart` the last record belongs into a later file than the first.
    """

    name: str
    title: str
    rules: Mapping[str, tuple[str, ...]]
    make: Change
    reason: str = ""
    only_last: bool = False
    is_apart: bool = False

    def change(self, record: Record, feed: str, chance: Random) -> list[Record] | None:
        """The records that stand in its place, or None where the defect cannot sit in it; `record` stays as it is.

        It cannot in a record that names no child, is withdrawn, is the council's own of a contact, or has it already.
        """
        if feed not in self.rules or not record.get(CHILD[feed]):
            return None
        if record.get("record_action") == "withdraw" or record.get("record_role") == "council_record":
            return None
        made = self.make(record, feed, chance)
        return None if made == [record] else made


def _both(police: str, referral: str) -> Mapping[str, tuple[str, ...]]:
    return {"police": (police,), "referral": (referral,)}


UNSEEN: Mapping[str, tuple[str, ...]] = {"police": (), "referral": ()}
NEVER_ASKED = "Agreement is recorded and never asked for, so no rule may be about it."

DEFECTS = (
    RecordDefect("no_consent_status", "no consent status", UNSEEN, what.no_consent, NEVER_ASKED),
    RecordDefect("not_sought_without_reason", '"not sought" without a reason', UNSEEN, what.not_sought, NEVER_ASKED),
    RecordDefect("default_date", "default dates", _both("POL-005", "REF-005"), who.default_date),
    RecordDefect(
        "first_of_january",
        "default dates",
        UNSEEN,
        who.first_of_january,
        "A child may be born on a first of January; only a share of them that is too high would tell.",
    ),
    RecordDefect("unborn_as_baby_x", 'unborn as "Baby X"', _both("POL-005", "REF-003"), who.unborn),
    RecordDefect("no_details_in_the_account", '"no details"', _both("POL-007", "REF-010"), what.no_details),
    RecordDefect(
        "no_details_of_the_household", '"no details"', _both("POL-009", "REF-008"), who.no_details_of_the_household
    ),
    RecordDefect(
        "siblings_merged",
        "siblings merged in one record",
        UNSEEN,
        who.siblings_merged,
        "Two forenames may be one child's: no rule reads a name for a second child.",
    ),
    RecordDefect(
        "incident_address_as_home", "incident address given as home", {"police": ("POL-008",)}, who.incident_as_home
    ),
    RecordDefect(
        "no_or_stale_postcode",
        "no or stale postcode",
        UNSEEN,
        who.postcode,
        "No rule asks for a postcode where there is an address, and none knows where a family lived before.",
    ),
    RecordDefect("crime_log", "narrative copied from the crime log", {"police": ("POL-007",)}, what.crime_log),
    RecordDefect("short_account", "narrative under 50 characters", _both("POL-007", "REF-010"), what.short_account),
    RecordDefect("no_voice", "voice of the child absent", _both("POL-016", "REF-018"), what.no_voice),
    RecordDefect(
        "too_young",
        'voice of the child "too young"',
        {"police": (), "referral": ("REF-018",)},
        what.too_young,
        "The rule on police notices asks whether words stand there, not what they say.",
    ),
    RecordDefect(
        "grade_missing",
        "grade missing",
        {"police": ("POL-020",), "referral": ()},
        what.grade_missing,
        "A level may be left to the council: its absence lowers sufficiency, and no rule is about it.",
    ),
    RecordDefect(
        "lowest_grade_beside_harm",
        "grade standard beside high-harm words",
        {"police": ("POL-023",), "referral": ()},
        what.lowest_grade,
        "In a referral the facts that are ticked are held against the level, and no word of the account.",
    ),
    RecordDefect(
        "perpetrator_not_identified",
        "perpetrator not identified",
        UNSEEN,
        what.nobody_identified,
        "It lowers sufficiency; the rule is about a suspect who is named.",
    ),
    RecordDefect(
        "one_per_officer", "one notification per attending officer", {"police": ("POL-003",)}, who.one_per_officer
    ),
    RecordDefect("wrong_authority", "wrong authority", {"police": ("POL-004",)}, who.wrong_authority),
    RecordDefect(
        "adult_notice_with_children",
        "adult notice with children only in the text",
        {"police": ("POL-015",)},
        what.adult_notice_ticked,
    ),
    RecordDefect(
        "adult_notice_children_in_account",
        "adult notice with children only in the text",
        {"police": ()},
        what.adult_notice_told,
        "Every answer says that there is no child, and no rule reads an account for one.",
    ),
    RecordDefect(
        "text_in_a_code_field",
        "text in a code field",
        {"police": ("POL-019",), "referral": ("REF-014",), "visit": ("VIS-003",)},
        what.text_for_a_code,
    ),
    RecordDefect(
        "two_children_under_one_reference",
        "reference reused",
        {"police": ("POL-001",), "referral": ("REF-002",), "visit": ("VIS-001",)},
        who.two_children_under_one,
    ),
    RecordDefect(
        "reference_used_again",
        "reference reused",
        _both("POL-002", "REF-002"),
        who.number_used_again,
        only_last=True,
        is_apart=True,
    ),
    RecordDefect(
        "day_and_month_swapped",
        "day and month swapped",
        UNSEEN,
        who.day_and_month,
        "What comes of it is a likely date of birth.",
    ),
    RecordDefect(
        "day_and_month_unreadable",
        "day and month swapped",
        _both("POL-005", "REF-005"),
        who.day_and_month_unreadable,
    ),
    RecordDefect(
        "mixed_labels",
        "mixed labels in one column",
        {**UNSEEN, "visit": ()},
        what.other_letters,
        "Capitals and spaces are read as the same label.",
    ),
)
RECORD: Mapping[str, RecordDefect] = {each.name: each for each in DEFECTS}
