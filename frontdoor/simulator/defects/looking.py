"""Questions about a record that decide whether a defect can sit in it without another rule failing, too."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from frontdoor.simulator.good import Record

YEAR = 365.25
# Between a record's sending and its receipt; an age is judged on the day of receipt.
SLACK_DAYS = 60
SCHOOL_AGE_YEARS = 4


def said(record: Record, *names: str) -> bool:
    """Whether each of the fields holds something."""
    return all(record.get(name) not in (None, "", []) for name in names)


def is_first_of_its_number(record: Record) -> bool:
    """Whether nothing came under its number before, where the child must stay the same (POL-002, REF-002)."""
    return record.get("record_action", "new") in ("new", "")


def is_named(record: Record) -> bool:
    """Whether it has both names of a child who is born."""
    return said(record, "forename", "surname") and record.get("name_status") == "given"


def is_housed(record: Record) -> bool:
    """Whether it has a home address that needs no keeping."""
    return said(record, "address") and record.get("address_protected") == "no"


def sent_on(record: Record) -> date | None:
    """The day of sending, or None where it is not said."""
    at = record.get("sent_at")
    return at.date() if isinstance(at, datetime) else None


def birth(record: Record) -> date | None:
    """The date of birth, or None where it is not one."""
    dob = record.get("dob")
    return dob if isinstance(dob, date) else None


def may_be_born_on(record: Record, other: date) -> bool:
    """Whether `other` as date of birth changes no answer to what rules ask: over one, and of school age as before."""
    dob, day = birth(record), sent_on(record)
    if dob is None or day is None:
        return False
    ages = [(day - each).days for each in (dob, other)]
    if min(ages) < YEAR + 1 or max(ages) > 18 * YEAR - SLACK_DAYS:
        return False
    school = SCHOOL_AGE_YEARS * YEAR
    is_same = min(ages) > school + 1 or max(ages) < school - SLACK_DAYS
    is_school_told = said(record, "school_told_at") or said(record, "school_not_told_reason")
    return is_same or is_school_told or "notice_type" not in record


def words(value: Any) -> str:
    """A field's value in small letters, without what is around it."""
    return str(value or "").strip().lower()
