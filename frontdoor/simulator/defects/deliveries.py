"""Defects in what is sent when: files that come twice, late, under another's name, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

from frontdoor.simulator.good import Record

LONDON = ZoneInfo("Europe/London")
SATURDAY, SUNDAY = 6, 7
DAYS_OF_SILENCE = 3
# As clocks.csv has them: police_known_to_sent, and police_red_written_to_sent.
KNOWN_TO_SENT, WRITTEN_TO_SENT = timedelta(hours=24), timedelta(hours=2)


@dataclass(frozen=True)
class Sent:
    """A file that one agency sends by one feed on a day."""

    day: date
    name: str
    content: bytes


OfFiles = Callable[[list[Sent], Random], list[Sent] | None]
OfRecords = Callable[[list[Record], str, Random], list[Record] | None]


@dataclass(frozen=True)
class DeliveryDefect:
    """A defect in what is sent when. `title`: the domain's own words.

    `rules`: those that can fail for its records, as `of_record` says of each once it is changed; none where no rule
    sees it, for the `reason` given. `kind` says what is changed: `files`, the agency's files by day, or `records`,
    those of one file. The function of that kind gives all as they are sent then, or None if nothing can be changed.
    """

    name: str
    title: str
    rules: tuple[str, ...]
    reason: str
    kind: Literal["files", "records"]
    files: OfFiles = lambda _sent, _chance: None
    records: OfRecords = lambda _records, _feed, _chance: None
    of_record: Callable[[Record], tuple[str, ...]] = lambda _record: ()


def same_file_again(sent: list[Sent], chance: Random) -> list[Sent] | None:
    """One of the files comes again on the next day, under a new name."""
    whole = [each for each in sent if each.content]
    if not whole:
        return None
    first = chance.choice(whole)
    return _by_day([*sent, replace(first, day=first.day + timedelta(days=1), name=f"resent_{first.name}")])


def same_name_again(sent: list[Sent], chance: Random) -> list[Sent] | None:
    """One of the files comes under the name of the one before it."""
    places = [
        place
        for place, (first, second) in enumerate(pairwise(sent), start=1)
        if first.name != second.name and first.content != second.content
    ]
    if not places:
        return None
    place = chance.choice(places)
    return [*sent[:place], replace(sent[place], name=sent[place - 1].name), *sent[place + 1 :]]


def silence(sent: list[Sent], chance: Random) -> list[Sent] | None:
    """From the day of one of the files on nothing comes for three days."""
    if not sent:
        return None
    begins = chance.choice(sent).day
    ends = begins + timedelta(days=DAYS_OF_SILENCE)
    return [each for each in sent if not begins <= each.day < ends]


def ids_reissued(records: list[Record], feed: str, chance: Random) -> list[Record] | None:
    """The records of the day before with new technical ids: the council's numbers for the children, nothing else."""
    if feed not in ("police", "referral") or not records:
        return None
    return [record | {"la_child_id": f"L{chance.randrange(10**7, 10**8)}"} for record in records]


def late_batch(records: list[Record], feed: str, chance: Random) -> list[Record] | None:
    """What was to be sent on a Saturday or Sunday leaves on Monday after eight, the rest when it would."""
    made = [_on_monday(record, chance) for record in records] if feed == "police" else records
    return made if made != records else None


def rules_of_late(record: Record) -> tuple[str, ...]:
    """The rules that a notice of a late batch breaks: sent too long after the police knew, or red and laid down.

    record: as it is sent, with a date of each of knowing, writing and sending.
    """
    known, written, sent = (_instant(record[name]) for name in ("known_at", "created_at", "sent_at"))
    is_urgent = record.get("child_risk_grade") in ("red", "", None) and bool(record.get("child_ref"))
    found = ["POL-012"] if sent > known + KNOWN_TO_SENT else []
    return (*found, "POL-013") if is_urgent and sent > written + WRITTEN_TO_SENT else tuple(found)


def _on_monday(record: Record, chance: Random) -> Record:
    at = record.get("sent_at")
    if not isinstance(at, datetime) or at.isoweekday() not in (SATURDAY, SUNDAY):
        return record
    monday = at.date() + timedelta(days=8 - at.isoweekday())
    return record | {"sent_at": datetime.combine(monday, time(8, chance.randrange(60)))}


def _instant(at: datetime) -> datetime:
    # Between two of these a night is as long as it was, also when the clocks change.
    return at.replace(tzinfo=LONDON).astimezone(UTC)


def _by_day(sent: list[Sent]) -> list[Sent]:
    return sorted(sent, key=lambda each: each.day)


DEFECTS = (
    DeliveryDefect(
        "same_file_new_name",
        "the same file again under a new name",
        (),
        "It is counted as a repeat and brings no record, so there is nothing to mend.",
        "files",
        files=same_file_again,
    ),
    DeliveryDefect(
        "same_name_new_content",
        "the same name with new content",
        (),
        "A name says nothing: other bytes are another delivery.",
        "files",
        files=same_name_again,
    ),
    DeliveryDefect(
        "technical_ids_reissued",
        "technical ids reissued overnight",
        (),
        "A technical id is no part of a record's content, so the record is the one that came before.",
        "records",
        records=ids_reissued,
    ),
    DeliveryDefect(
        "late_batch",
        "a late batch after the weekend",
        ("POL-012", "POL-013"),
        "",
        "records",
        records=late_batch,
        of_record=rules_of_late,
    ),
    DeliveryDefect("silence", "silence", (), "No rule asks for a file that did not come.", "files", files=silence),
)
DELIVERY: Mapping[str, DeliveryDefect] = {each.name: each for each in DEFECTS}
