"""Defects in who the child is, where the child lives, and under which number the record comes.

Each function takes a record, its feed and chance, and gives the records that stand in its place, or None where the
defect cannot sit in it. The record itself is left as it is.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from frontdoor.simulator import invented
from frontdoor.simulator.broken import BREAKS, Sent
from frontdoor.simulator.defects.looking import (
    birth,
    is_first_of_its_number,
    is_housed,
    is_named,
    may_be_born_on,
    said,
    sent_on,
)
from frontdoor.simulator.good import Record

NUMBERS = {"police": "notification_ref", "referral": "contact_reference", "visit": "visit_id"}
POSTCODES = ("", "nope", "#N/A")
AUTHORITIES = ("390", "391", "392", "393", "929")
LATER = timedelta(days=2)


def default_date(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """Born on 01/01/1900."""
    if not (is_first_of_its_number(record) and is_named(record) and is_housed(record) and birth(record)):
        return None
    return [record | {"dob": date(1900, 1, 1)}]


def first_of_january(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """Born on 01/01 of the right year."""
    dob = birth(record)
    if not is_first_of_its_number(record) or dob is None or (dob.month, dob.day) == (1, 1):
        return None
    other = date(dob.year, 1, 1)
    return [record | {"dob": other}] if may_be_born_on(record, other) else None


def unborn(record: Record, feed: str, _chance: Random) -> list[Record] | None:
    """Expected in three months, and sent as a child whose name is Baby X."""
    day = sent_on(record)
    if not (is_first_of_its_number(record) and is_housed(record) and day):
        return None
    bump = {
        "forename": "Baby X",
        "name_status": "given",
        "dob": "",
        "dob_status": "unknown",
        "due_date": day + timedelta(days=90),
        "sex": "U",
        "nhs_number": "",
        "upn": "",
        "school_or_setting": "",
        "spoken_alone": "no",
        "not_seen_reason": "too_young",
    }
    shown = "The mother held on to her bump and did not look up."
    if feed == "police":
        return [record | bump | {"spoken_to": "no", "voice_words": "", "demeanour": shown, "child_role": "lives_there"}]
    return [record | bump | {"seen_at": "", "child_voice": shown}]


def siblings_merged(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """The first of the other children stands in the name of this one, and has no record."""
    others = record.get("other_children")
    if not (is_first_of_its_number(record) and is_named(record) and isinstance(others, list) and others):
        return None
    sibling = str(others[0]).split()[0].strip(",")
    if sibling.lower() in ("none", "no", "nil", "0", "not"):
        return None
    return [record | {"forename": f"{record['forename']} and {sibling}", "other_children": others[1:] or ["none"]}]


def incident_as_home(record: Record, _feed: str, chance: Random) -> list[Record] | None:
    """It happened elsewhere, and that address stands where the child's home should."""
    if not is_housed(record):
        return None
    place = record.get("incident_address")
    if not place or place == record["address"] or record.get("incident_is_home") != "no":
        place = invented.address(chance)
    return [record | {"address": place, "incident_address": place, "incident_is_home": "no"}]


def postcode(record: Record, _feed: str, chance: Random) -> list[Record] | None:
    """None, a filler, or the one of an earlier home."""
    if not (is_housed(record) and said(record, "postcode")):
        return None
    return [record | {"postcode": chance.choice((*POSTCODES, invented.postcode(chance)))}]


def no_details_of_the_household(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """The adults at home are "No details"."""
    return [record | {"household_adults": ["No details"]}]


def wrong_authority(record: Record, _feed: str, chance: Random) -> list[Record] | None:
    """Another of the six authorities of the force."""
    return [BREAKS["POL-004"](record, date.min) | {"la_code": chance.choice(AUTHORITIES)}]


def two_children_under_one(record: Record, feed: str, chance: Random) -> list[Record] | None:
    """A second child comes under the numbers of the first, in the same file."""
    if not (is_first_of_its_number(record) and said(record, NUMBERS[feed])):
        return None
    other = _another_visit(record, chance) if feed == "visit" else _another_child(record, chance)
    return [record, other] if other else None


def number_used_again(record: Record, feed: str, chance: Random) -> list[Record] | None:
    """Two days later the number comes again: for another incident (police), or for another child."""
    if not (is_first_of_its_number(record) and said(record, NUMBERS[feed], "child_ref")):
        return None
    if feed == "police":
        other = record | {"incident_ref": f"{record['incident_ref']}-2"} if said(record, "incident_ref") else None
    else:
        other = _another_child(record, chance)
    return [record, _later(other)] if other else None


def day_and_month(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """Day and month of birth change places, and another likely day comes of it."""
    dob = birth(record)
    if not is_first_of_its_number(record) or dob is None or dob.day > 12 or dob.day == dob.month:
        return None
    other = date(dob.year, dob.day, dob.month)
    return [record | {"dob": other}] if may_be_born_on(record, other) else None


def day_and_month_unreadable(record: Record, _feed: str, _chance: Random) -> list[Record] | None:
    """Day and month of birth change places, and there is no such month."""
    dob = birth(record)
    if not (is_named(record) and is_housed(record)) or dob is None or dob.day <= 12:
        return None
    return [record | {"dob": Sent(f"{dob:%m/%d/%Y}")}]


def one_per_officer(record: Record, _feed: str, chance: Random) -> list[Record] | None:
    """Each officer who attended writes a notification with a number of its own: two or three about one child."""
    if not (is_named(record) and birth(record) and said(record, "notification_ref", "incident_ref")):
        return None
    number, officers = record["notification_ref"], chance.randrange(1, 3)
    more = (
        {"notification_ref": f"{number}-{each + 2}", "officer_id": f"PC{chance.randrange(1000, 9999)}"}
        for each in range(officers)
    )
    return [dict(record), *(record | each for each in more)]


def _another_child(record: Record, chance: Random) -> Record | None:
    dob = birth(record)
    if dob is None or not is_named(record):
        return None
    forename = chance.choice([each for each in invented.FORENAMES if each != record["forename"]])
    for days in (500, -500):
        if may_be_born_on(record, dob + timedelta(days=days)):
            own = {"forename": forename, "dob": dob + timedelta(days=days), "sex": chance.choice("MF")}
            return record | own | {"nhs_number": invented.nhs_number(chance), "upn": invented.upn(chance)}
    return None


def _another_visit(record: Record, chance: Random) -> Record:
    other = record | {"child_id_council": f"K{chance.randrange(10**6, 10**7)}"}
    # A visit that was made is another worker's, for one cannot be in two places at one time (VIS-016).
    return other | {"worker_id": f"{record['worker_id']}-2"} if said(record, "actual_at", "worker_id") else other


def _later(record: Record) -> Record:
    return record | {name: value + LATER for name, value in record.items() if isinstance(value, datetime)}
