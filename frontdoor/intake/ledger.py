"""What intake writes down: files, members, deliveries and their changes of state, dead letters.

Every function works in the caller's transaction, so that a state is committed together with what it is the state of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json, execute_values

from frontdoor import clock
from frontdoor.intake.reasons import SENTENCES

UNKNOWN = "unknown"
# The clock of reference.clocks that dead letters run on, and what holds while no such row is loaded.
DEAD_LETTER_CLOCK = "dead_letter"
DEAD_LETTER_HOURS = 1
# Who telephones the sender; who finds out what an unknown folder means.
OWNER_ROLE = "team_manager"
ENGINEER_ROLE = "data_engineer"


@dataclass(frozen=True)
class File:
    """A file to be written down; `stored_name`, `key_id`: its name in the archive, and the key that sealed it.

    sha256_stored: of what the archive holds, where that is not what was received. file_id: the one it had before.
    """

    agency: str
    source: str
    name: str
    token: str
    sha256: str
    size_bytes: int
    received_at: datetime
    status: str
    duplicate_of: int | None = None
    reason_code: str | None = None
    stored_name: str | None = None
    key_id: str | None = None
    sha256_stored: str | None = None
    file_id: int | None = None


@dataclass(frozen=True)
class Part:
    """A member of a file, where it stands there, and the feed that reads it under these versions (or none).

    member_name: our own word for it; what the sender calls it may name a child. refusal: why nothing of it can be read.
    size_bytes: its own length, where it is not the file's. records: how many it holds, where no feed reads it.
    """

    member_no: int
    member_name: str
    place: Mapping[str, int]
    feed: str | None
    contract_version: str | None
    agency_version: str | None
    delivery_mode: str | None
    refusal: str | None = None
    size_bytes: int | None = None
    records: int | None = None


@dataclass(frozen=True)
class DeadLetter:
    """A line (or, without one, a whole file) that could not be read."""

    reason_code: str
    line_no: int | None = None


def add_file(cursor: Cursor, file: File) -> int:
    """Write a file down and return its id."""
    cursor.execute(
        """
        insert into intake.files (
            agency_code, source, file_name, taken_token, sha256_received, sha256_stored, size_bytes, received_at,
            status, duplicate_of, reason_code, reason, stored_name, key_id, file_id
        ) overriding system value values (
            %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
            coalesce(%s, nextval(pg_get_serial_sequence('intake.files', 'file_id')))
        )
        returning file_id
        """,
        (
            file.agency,
            file.source,
            file.name,
            file.token,
            file.sha256,
            file.sha256_stored or file.sha256,
            file.size_bytes,
            file.received_at,
            file.status,
            file.duplicate_of,
            file.reason_code,
            SENTENCES[file.reason_code] if file.reason_code else None,
            file.stored_name,
            file.key_id,
            file.file_id,
        ),
    )
    return int(_one(cursor))


def rename_stored(cursor: Cursor, names: Sequence[str], name: str, key_id: str | None) -> list[str]:
    """Say of every file that the archive kept under these names that the same bytes are now kept under this one.

    Return the tokens of those files: their notes in the archive say it too.
    """
    cursor.execute(
        "update intake.files set stored_name = %s, key_id = %s where stored_name = any(%s) returning taken_token",
        (name, key_id, list(names)),
    )
    return [token for (token,) in cursor]


def add_members(cursor: Cursor, file_id: int, parts: Sequence[Part]) -> None:
    """Write down the parts of a file: what each is called by us, and which feed reads it."""
    execute_values(
        cursor,
        "insert into intake.members (file_id, member_no, member_name, feed, place, record_count) values %s",
        [
            (file_id, part.member_no, part.member_name, part.feed, Json(dict(part.place)), part.records)
            for part in parts
        ],
    )


def add_delivery(cursor: Cursor, file_id: int, file: File, part: Part, delivery_id: int | None = None) -> int:
    """Write down what a file's part supplies to its feed, to be loaded, or dead as the part is; return its id.

    `delivery_id`: the one it had before, in a ledger that is lost.
    """
    is_dead = part.refusal is not None
    status = "dead_letter" if is_dead else "received"
    cursor.execute(
        """
        insert into intake.deliveries (
            file_id, member_no, agency_code, source, feed, contract_version, agency_version, delivery_mode, status,
            verdict, size_bytes, records_in, records_loaded, records_dead, received_at, delivery_id
        ) overriding system value values (
            %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
            coalesce(%s, nextval(pg_get_serial_sequence('intake.deliveries', 'delivery_id')))
        )
        returning delivery_id
        """,
        (
            file_id,
            part.member_no,
            file.agency,
            file.source,
            part.feed,
            part.contract_version,
            part.agency_version,
            part.delivery_mode,
            status,
            "unreadable" if is_dead else None,
            file.size_bytes if part.size_bytes is None else part.size_bytes,
            *((0, 0, 0) if is_dead else (None, None, None)),
            file.received_at,
            delivery_id,
        ),
    )
    delivery_id = int(_one(cursor))
    add_event(cursor, delivery_id, None, status)
    return delivery_id


def add_event(cursor: Cursor, delivery_id: int, status_from: str | None, status_to: str) -> None:
    """Write down a change of state."""
    cursor.execute(
        "insert into intake.delivery_events (delivery_id, status_from, status_to, at) values (%s, %s, %s, %s)",
        (delivery_id, status_from, status_to, clock.now()),
    )


def add_dead_letters(
    cursor: Cursor,
    file_id: int,
    delivery_id: int | None,
    letters: Iterable[DeadLetter],
    *,
    owner_role: str = OWNER_ROLE,
) -> None:
    """Put what could not be read on the list of dead letters, each with the time by which somebody must act."""
    found_at = clock.now()
    due_at = found_at + _time_to_act(cursor, found_at)
    execute_values(
        cursor,
        "insert into quality.dead_letters"
        " (file_id, delivery_id, line_no, reason_code, reason, found_at, due_at, owner_role) values %s",
        (
            (
                file_id,
                delivery_id,
                letter.line_no,
                letter.reason_code,
                SENTENCES[letter.reason_code],
                found_at,
                due_at,
                owner_role,
            )
            for letter in letters
        ),
        page_size=1000,
    )


def mark_loaded(cursor: Cursor, delivery_id: int, loaded: int, dead: int, nil_signed_by: str | None = None) -> None:
    """Say of a delivery that its records are in the landing table, or which role signed for there being none."""
    cursor.execute(
        """
        update intake.deliveries
        set
            status = 'loaded', loaded_at = %s, records_in = %s, records_loaded = %s, records_dead = %s,
            nil_signed_by = %s
        where delivery_id = %s
        """,
        (clock.now(), loaded + dead, loaded, dead, nil_signed_by, delivery_id),
    )
    add_event(cursor, delivery_id, "received", "loaded")


def note_removed(cursor: Cursor, delivery_id: int, removed: int) -> None:
    """Write down how many of a delivery's loaded records are no longer kept."""
    cursor.execute(
        "update intake.deliveries set records_removed = %s where delivery_id = %s and records_removed <> %s",
        (removed, delivery_id, removed),
    )


def note_told(
    cursor: Cursor, delivery_id: int, row_count: int | None, extract_as_of: datetime | None, version: str | None
) -> None:
    """Write down what the sender says of a delivery: its own count, as of when, by which version of the contract."""
    cursor.execute(
        "update intake.deliveries set sender_row_count = %s, extract_as_of = %s, sender_contract_version = %s"
        " where delivery_id = %s",
        (row_count, extract_as_of, version, delivery_id),
    )


def mark_dead(
    cursor: Cursor, file_id: int, delivery_id: int, reason_code: str, *, owner_role: str = OWNER_ROLE
) -> None:
    """Say of a delivery that nothing of it can be read, and of its file when no other delivery of it lives."""
    cursor.execute(
        """
        update intake.deliveries
        set status = 'dead_letter', verdict = 'unreadable', records_in = 0, records_loaded = 0, records_dead = 0
        where delivery_id = %s
        """,
        (delivery_id,),
    )
    add_event(cursor, delivery_id, "received", "dead_letter")
    cursor.execute(
        """
        update intake.files
        set status = 'dead_letter', reason_code = %(code)s, reason = %(reason)s
        where
            file_id = %(file)s
            and not exists (select from intake.deliveries where file_id = %(file)s and status <> 'dead_letter')
        """,
        {"code": reason_code, "reason": SENTENCES[reason_code], "file": file_id},
    )
    add_dead_letters(cursor, file_id, delivery_id, [DeadLetter(reason_code)], owner_role=owner_role)


def mark_duplicate(cursor: Cursor, file_id: int, duplicate_of: int) -> None:
    """Say of a file that was taken but not loaded that it brings nothing new; its deliveries never were."""
    cursor.execute(
        "delete from intake.delivery_events where delivery_id in"
        " (select delivery_id from intake.deliveries where file_id = %s)",
        (file_id,),
    )
    cursor.execute("delete from intake.deliveries where file_id = %s", (file_id,))
    cursor.execute(
        "update intake.files set status = 'duplicate', duplicate_of = %s where file_id = %s", (duplicate_of, file_id)
    )


def note_reading(cursor: Cursor, file_id: int, member_no: int, records: int, reading: Mapping[str, Any]) -> None:
    """Write down how a member was read: format, encoding, counts; no header text."""
    cursor.execute("update intake.files set reading = reading || %s where file_id = %s", (Json(dict(reading)), file_id))
    cursor.execute(
        "update intake.members set record_count = %s, reading = %s where file_id = %s and member_no = %s",
        (records, Json(dict(reading)), file_id, member_no),
    )


def _time_to_act(cursor: Cursor, at: datetime) -> timedelta:
    cursor.execute(
        """
        select limit_value, limit_unit from reference.clocks
        where clock_id = %s and valid_from <= %s::date and (valid_to is null or valid_to >= %s::date)
        order by valid_from desc limit 1
        """,
        (DEAD_LETTER_CLOCK, at, at),
    )
    row = cursor.fetchone()
    if row is None or row[0] is None:
        return timedelta(hours=DEAD_LETTER_HOURS)
    unit = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
    return float(row[0]) * unit.get(str(row[1]).removesuffix("s"), timedelta(hours=1))


def _one(cursor: Cursor) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]
