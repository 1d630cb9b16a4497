"""Write a file that is in the archive down in the ledger: what it is, what is in it, and which feeds it supplies.

Whether it was taken from the landing zone a moment ago, or is taken in again from the archive alone (a rebuild), it
goes this way. The note in the archive's journal is written before the commit.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import database
from frontdoor.contract import House
from frontdoor.intake import archive, contents, duplicate, journal, landing, ledger, members, remainder
from frontdoor.intake.content import Place
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# The reason when our own look at a file fails, whatever is in it.
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Arrival:
    """A file that came: the folders in which it lay, its name there (may name a child), when it was taken.

    sha256_received, file_id, delivery_ids, parts, is_repeat: where it is written down a second time, those of the first
    (parts as in its note). The archive may hold other bytes than were received by then.
    """

    agency: str
    source: str
    name: str = field(repr=False)
    token: str
    received_at: datetime
    sha256_received: str | None = None
    file_id: int | None = None
    delivery_ids: tuple[int, ...] = ()
    parts: tuple[dict[str, Any], ...] = ()
    is_repeat: bool = False

    @property
    def is_again(self) -> bool:
        """Whether it was written down before, in a ledger that is lost."""
        return self.sha256_received is not None


def knows(house: House, agency: str, source: str) -> bool:
    """Tell whether an agency of that name sends a feed or layout of that name."""
    return agency in house.agencies and agency != ledger.UNKNOWN and house.accepts(agency, source)


def enter(
    connection: Connection, settings: Settings, house: House, arrival: Arrival, stored: archive.Stored
) -> ledger.File:
    """Commit what the ledger says of a file whose bytes the archive holds; return that."""
    agency, source = arrival.agency, arrival.source
    is_known = knows(house, agency, source)
    found: Sequence[contents.Member] = ()
    parts: Sequence[ledger.Part] = ()
    if is_known:
        with archive.opened(settings, stored.name) as kept:
            if remainder.is_one(kept):
                parts = members.parts_told(house, agency, source, arrival.received_at, arrival.parts)
            else:
                found = _look_into(house, arrival, kept)
                parts = members.parts_of(house, agency, source, arrival.received_at, found)
    refusal = _refusal_of_all(found) if is_known else _stranger(house, arrival)
    sha256 = arrival.sha256_received or stored.sha256
    with connection, connection.cursor() as cursor:
        original = (
            None
            if refusal
            else duplicate.original_of(cursor, agency, source, sha256, is_known_to_be_one=arrival.is_repeat)
        )
        written = ledger.File(
            agency=agency if is_known else ledger.UNKNOWN,
            source=source if is_known else ledger.UNKNOWN,
            name=name_as_sent(agency, source, arrival.name, is_known=is_known),
            token=arrival.token,
            sha256=sha256,
            size_bytes=stored.size_bytes,
            received_at=arrival.received_at,
            status="dead_letter" if refusal else "duplicate" if original else "received",
            duplicate_of=original,
            reason_code=refusal,
            stored_name=stored.name,
            key_id=stored.key_id,
            sha256_stored=stored.sha256,
            file_id=arrival.file_id,
        )
        file_id = ledger.add_file(cursor, written)
        renamed = ledger.rename_stored(cursor, stored.replaces, stored.name, stored.key_id) if stored.replaces else []
        if parts:
            ledger.add_members(cursor, file_id, parts)
        if not is_known:
            _add_letter(cursor, file_id, None, refusal or UNREADABLE, ledger.ENGINEER_ROLE)
        delivery_ids = _add_deliveries(cursor, file_id, written, () if original else parts, arrival.delivery_ids)
        # Taken in again, the note that it came from stands, unless others have its numbers by now.
        has_other_numbers = file_id != arrival.file_id or (delivery_ids and delivery_ids != arrival.delivery_ids)
        if not arrival.is_again or has_other_numbers:
            said = _note(arrival, stored.name, sha256, file_id, delivery_ids)
            journal.note(settings, replace(said, parts=_told(parts)))
        journal.follow(settings, renamed, stored.name)
    return written


def _add_deliveries(
    cursor: Cursor, file_id: int, written: ledger.File, parts: Sequence[ledger.Part], ids: tuple[int, ...]
) -> tuple[int, ...]:
    told: list[Place] = []
    delivery_ids: list[int] = []
    for part in parts:
        if part.feed is None:
            continue
        number = len(delivery_ids)
        wanted = ids[number] if number < len(ids) else None
        delivery_ids.append(ledger.add_delivery(cursor, file_id, written, part, wanted))
        # One letter for a member, however many feeds would have read it.
        if part.refusal and part.place not in told:
            told.append(part.place)
            owner = ledger.ENGINEER_ROLE if part.refusal == UNREADABLE else ledger.OWNER_ROLE
            _add_letter(cursor, file_id, delivery_ids[-1], part.refusal, owner)
    return tuple(delivery_ids)


def _note(arrival: Arrival, stored_name: str, sha256: str, file_id: int, delivery_ids: tuple[int, ...]) -> journal.Note:
    return journal.Note(
        token=arrival.token,
        stored_name=stored_name,
        agency=printable(arrival.agency),
        source=printable(arrival.source),
        name=printable(arrival.name),
        received_at=arrival.received_at,
        sha256=sha256,
        file_id=file_id,
        delivery_ids=delivery_ids,
    )


def _told(parts: Sequence[ledger.Part]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"member_no": each.member_no, "member_name": each.member_name, "place": dict(each.place), "feed": each.feed}
        for each in parts
    )


def _add_letter(cursor: Cursor, file_id: int, delivery_id: int | None, reason: str, owner: str) -> None:
    ledger.add_dead_letters(cursor, file_id, delivery_id, [ledger.DeadLetter(reason)], owner_role=owner)


def _refusal_of_all(found: Sequence[contents.Member]) -> str | None:
    """The reason why nothing of a file can be read: the first member's, when no member can be."""
    return found[0].refusal if found and all(each.refusal for each in found) else None


def _look_into(house: House, arrival: Arrival, kept: archive.Archived) -> list[contents.Member]:
    form = house.layouts[arrival.source].format if arrival.source in house.layouts else None
    try:
        return contents.look_into(kept, form)
    except (OSError, MemoryError):
        raise  # passes by itself: the file waits
    except Exception as error:
        # The bytes will not change: the file would wait for ever, and nobody would know that it came.
        log.error("file %s cannot be looked at: %s", arrival.token, database.safe_error(error))
        return [contents.Member({}, UNREADABLE)]


def _stranger(house: House, arrival: Arrival) -> str:
    if landing.NO_FOLDER in (arrival.agency, arrival.source):
        return "misplaced"
    return "unknown_feed" if arrival.agency in house.agencies else "unknown_agency"


def name_as_sent(agency: str, source: str, name: str, *, is_known: bool) -> str:
    """Return what the ledger calls a file: its name, with the folders where no agency of ours has them."""
    folders = [] if is_known else [each for each in (agency, source) if each != landing.NO_FOLDER]
    return printable("/".join([*folders, name]))


def printable(name: str) -> str:
    """A file system's name need not be text; ours must be."""
    return os.fsencode(name).decode("utf-8", "replace")
