"""Defects in what is told of the child: account, voice, grade, suspect, agreement, and codes.

Each function takes a record, its feed and chance, and gives the records that stand in its place, or None where the
defect cannot sit in it. The record itself is left as it is.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from frontdoor.simulator.broken import BREAKS, SERIOUS, SHORT, Sent
from frontdoor.simulator.defects.looking import birth, said, sent_on, words
from frontdoor.simulator.good import Record

LAID_DOWN = timedelta(hours=2)
SAYS_WHERE = ("custody", "bail_conditions", "released")
NO_MARKER = {"neglect", "domestic_abuse", "emotional_abuse", "physical_abuse", "attendance", "behaviour", "young_carer"}
AGREEMENT = ("agreement_to_service", "agreement_asked_of", "agreement_asked_at", "reason_not_sought")
IN_OTHER_LETTERS = (
    "sex",
    "name_status",
    "seen",
    "spoken_to",
    "child_risk_grade",
    "record_role",
    "injury",
    "level_requested",
    "plan_type",
    "status",
    "child_seen",
)


def no_consent(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """Nothing is said of agreement."""
    return [_blank(record, *AGREEMENT)] if said(record, "agreement_to_service") else None


def not_sought(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """Agreement was not sought, and it does not say why."""
    return [_blank(record, *AGREEMENT) | {"agreement_to_service": "not_sought"}]


def no_details(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """The account is "No details"."""
    return [record | {"narrative": "No details"}]


def crime_log(record: Record, _feed: str, chance: Random) -> list[Record] | None:
    """The account is the crime log, in which no child stands."""
    log = (
        f"CRIME REPORT {chance.randrange(10, 99)}/{chance.randrange(1000, 9999)} recorded as section 39 assault. IP "
        "states that suspect entered by rear door and left on foot. Officers attended, property left secure."
    )
    return [record | {"narrative": log}]


def short_account(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """An account of fewer than 50 characters, with the child's name, so that no two children's are alike (REF-011)."""
    return [record | {"narrative": f"{str(record.get('forename') or 'Child')[:15]}: {SHORT}"}]


def no_voice(record: Record, feed: str, _chance: Random) -> list[Record] | None:
    """Neither words nor looks of the child."""
    if record.get("name_status") == "unborn":
        return None
    return [_blank(record, *(("voice_words", "demeanour") if feed == "police" else ("child_voice",)))]


def too_young(record: Record, feed: str, _chance: Random) -> list[Record] | None:
    """The child is said to be too young, and that is all."""
    if record.get("name_status") == "unborn":
        return None
    if feed == "referral":
        return [BREAKS["REF-018"](record, date.min)]
    if record.get("spoken_to") != "yes":
        return None
    return [record | {"voice_words": "Too young to speak.", "demeanour": ""}]


def grade_missing(record: Record, feed: str, _chance: Random) -> list[Record] | None:
    """No grade. A notice without one counts as most urgent, and must have all that is asked of such (POL-013, 025)."""
    if feed == "referral":
        return [_blank(record, "level_requested")] if said(record, "level_requested") else None
    written, sent = record.get("created_at"), record.get("sent_at")
    if not (isinstance(written, datetime) and isinstance(sent, datetime) and sent - written <= LAID_DOWN):
        return None
    is_told = record.get("suspect_status") in SAYS_WHERE and record.get("suspect_lives_with_child") in ("yes", "no")
    if said(record, "suspect_known") and not is_told:
        return None
    return [BREAKS["POL-020"](record, date.min)] if said(record, "child_risk_grade") else None


def lowest_grade(record: Record, feed: str, _chance: Random) -> list[Record] | None:
    """The lowest grade, no serious fact ticked, and an account that tells of one."""
    account = f"{record.get('narrative') or ''} {SERIOUS}".strip()
    if feed == "referral":
        is_ticked = "yes" in (record.get("injury"), record.get("immediate_danger"))
        concerns = record.get("concern_type")
        if is_ticked or not isinstance(concerns, list) or not NO_MARKER.issuperset(concerns):
            return None
        return [record | {"level_requested": "early_help", "narrative": account}]
    dob, day = birth(record), sent_on(record)
    if dob is None or day is None or (day - dob).days < 366 or record.get("name_status") == "unborn":
        return None
    # Police powers, or a grade without its reason, break rules of their own beside it (POL-022, POL-021).
    if record.get("powers_used") != "none" or not said(record, "grade_rationale"):
        return None
    return [BREAKS["POL-023"](record, date.min) | {"narrative": account}]


def nobody_identified(record: Record, feed: str, chance: Random) -> list[Record] | None:
    """Who did it is blank or "unknown"."""
    if feed == "referral":
        fields = ["person_of_concern", "person_access_now"]
    else:
        fields = ["suspect_known", "suspect_status", "suspect_lives_with_child"]
    if not said(record, fields[0]):
        return None
    return [_blank(record, *fields) | {fields[0]: chance.choice(("", "unknown"))}]


def adult_notice_ticked(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """An adult notice: children live there, says its tick, and none is named. Only once in a notice (POL-001)."""
    return [_nobodys(record)] if record.get("name_status") != "unborn" else None


def adult_notice_told(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """An adult notice whose answers know of no child, but its account does. Only once in a notice (POL-001)."""
    if record.get("name_status") == "unborn" or not said(record, "narrative"):
        return None
    account = f"{record['narrative']} Two children were asleep upstairs and were not woken."
    answers = {"children_at_address": "no", "present": "no", "other_children": [], "narrative": account}
    return [_nobodys(record) | answers]


def text_for_a_code(record: Record, feed: str, _chance: Random) -> list[Record] | None:
    """A sentence where a code should be: kind of harm, type of concern, or the visiting standard."""
    if feed == "visit":
        return [record | {"standard_id": Sent("Every ten days or so")}] if said(record, "plan_type") else None
    if feed == "police":
        # Harm that cannot be read may be serious, and then it must say who has the child (POL-018).
        is_held = words(record.get("child_left_with")) not in ("", "not known", "unknown")
        return [BREAKS["POL-019"](record, date.min)] if is_held else None
    is_placed = said(record, "child_location_now", "child_with_now") and record["child_with_now"] != "not_known"
    is_low = record.get("level_requested") not in ("section_17", "section_47", "", None)
    return [BREAKS["REF-014"](record, date.min)] if is_placed and not is_low else None


def other_letters(record: Record, _feed: str, chance: Random) -> list[Record] | None:
    """Codes that others of the column write as agreed, in capitals, with a capital or between spaces."""
    forms = (str.upper, str.capitalize, " {} ".format)
    return [
        record
        | {
            name: Sent(chance.choice(forms)(record[name]))
            for name in IN_OTHER_LETTERS
            if isinstance(record.get(name), str) and record[name]
        }
    ]


def _blank(record: Record, *names: str) -> Record:
    return record | {name: "" for name in names if name in record}


def _nobodys(record: Record) -> Record:
    return _blank(BREAKS["POL-015"](record, date.min), "age_stated", "due_date", "la_child_id")
