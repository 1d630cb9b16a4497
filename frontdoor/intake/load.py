"""Load one delivery: from the archived bytes into raw.<feed>, with dead letters and the findings of the reader.

Rows go through one COPY, as text, as sent. The number of rows that Postgres took must be the number that the reader
gave, or nothing of it stays. Should Postgres refuse something, which no text ought to bring about, the same rows go in
small portions, so that only what is refused becomes a dead letter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database
from frontdoor.contract import House
from frontdoor.intake import archive, beside, duplicate, journal, ledger, members, remainder
from frontdoor.intake.content import Content, File, Place
from frontdoor.intake.readers import forms
from frontdoor.intake.readers.delimited import DelimitedReader
from frontdoor.intake.readers.json_records import JsonReader
from frontdoor.intake.readers.rows import Lineage, Reader, Row, Tally
from frontdoor.intake.readers.sender_header import Told
from frontdoor.intake.readers.workbook import WorkbookReader
from frontdoor.intake.readers.xml_layout import XmlReader
from frontdoor.intake.reasons import Unreadable
from frontdoor.intake.remainder import RemainderReader
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

BLOCK_BYTES = 2**20
PORTION_ROWS = 500
NOT_ALL_READ, OTHER_FORMAT = "FIL-010", "FIL-016"
LINEAGE = ("_agency_code", "_delivery_id", "_record_no", "_received_at")


class RowsMissing(RuntimeError):
    """Postgres took another number of rows than it was given."""


@dataclass(frozen=True)
class _Delivery:
    delivery_id: int
    file_id: int
    member_no: int
    member_name: str
    agency: str
    source: str
    feed: str
    contract_version: str
    status: str
    received_at: datetime
    sha256: str
    stored_name: str
    token: str
    place: Place


def load(connection: Connection, settings: Settings, house: House, delivery_id: int) -> str:
    """Load a delivery that is ``received``; return what it is then: loaded, dead_letter, or duplicate (it is gone).

    Works in the caller's transaction and does not commit. A delivery in any other state is left as it is.
    """
    with connection.cursor() as cursor:
        delivery = _find(cursor, delivery_id)
        if delivery is None or delivery.status != "received":
            return delivery.status if delivery else "duplicate"
        if _is_untouched(cursor, delivery) and (
            original := duplicate.original_of(
                cursor, delivery.agency, delivery.source, delivery.sha256, before_file=delivery.file_id
            )
        ):
            ledger.mark_duplicate(cursor, delivery.file_id, original)
            journal.note_repeat(settings, delivery.token)
            return "duplicate"
        cursor.execute("select raw.ensure_partition(%s, %s)", (delivery.feed, delivery.received_at))
        try:
            with archive.opened(settings, delivery.stored_name) as kept:
                try:
                    reader = _copy(cursor, kept, house, delivery)
                except Unreadable as refusal:
                    ledger.mark_dead(cursor, delivery.file_id, delivery_id, refusal.code)
                    if remainder.is_one(kept):
                        return "dead_letter"
                    _note_told(cursor, house, delivery, beside.told_of(Content(kept, delivery.place)))
                    return "dead_letter"
        except (archive.Damaged, archive.KeyMissing) as closed:
            # Waiting would hold the deliveries behind it; a person is told, and the file can be sent again.
            log.error("delivery %s: its archived bytes do not open: %s", delivery_id, closed)
            ledger.mark_dead(cursor, delivery.file_id, delivery_id, "copy_closed", owner_role=ledger.ENGINEER_ROLE)
            return "dead_letter"
        with closing(reader.tally) as tally:
            # What could not be read was sent all the same.
            if not tally.is_remembered:
                for rule_id in tally.told.faults(tally.loaded + tally.dead, delivery.contract_version):
                    tally.file_fault(rule_id)
            _note_told(cursor, house, delivery, tally.told)
            if tally.dead and not tally.is_remembered:
                tally.file_fault(NOT_ALL_READ)
            if tally.dead:
                ledger.add_dead_letters(cursor, delivery.file_id, delivery_id, tally.letters())
            if tally.has_faults:
                _add_findings(cursor, delivery, tally)
            was_loaded = tally.loaded + tally.removed
            records = was_loaded + tally.dead
            ledger.note_reading(cursor, delivery.file_id, delivery.member_no, records, reader.reading)
            ledger.mark_loaded(
                cursor, delivery_id, was_loaded, tally.dead, tally.nil_signed_by if tally.is_nil else None
            )
            ledger.note_removed(cursor, delivery_id, tally.removed)
    return "loaded"


def give_up(connection: Connection, house: House, delivery_id: int) -> None:
    """Make a delivery whose loading fails again and again a dead letter, in the caller's transaction."""
    del house
    with connection.cursor() as cursor:
        delivery = _find(cursor, delivery_id)
        if delivery is not None and delivery.status == "received":
            ledger.mark_dead(cursor, delivery.file_id, delivery_id, "given_up", owner_role=ledger.ENGINEER_ROLE)


def _note_told(cursor: Cursor, house: House, delivery: _Delivery, told: Told) -> None:
    zone = ZoneInfo(house.feeds[delivery.feed].timezone)
    ledger.note_told(cursor, delivery.delivery_id, told.count, told.as_of_in(zone), told.contract_version)


def _find(cursor: Cursor, delivery_id: int) -> _Delivery | None:
    cursor.execute(
        """
        select
            deliveries.delivery_id, deliveries.file_id, deliveries.member_no,
            coalesce(members.member_name, ''), deliveries.agency_code,
            deliveries.source, deliveries.feed, deliveries.contract_version, deliveries.status,
            deliveries.received_at, files.sha256_received, files.stored_name,
            files.taken_token, coalesce(members.place, '{}')
        from intake.deliveries
        inner join intake.files on deliveries.file_id = files.file_id
        left join intake.members
            on deliveries.file_id = members.file_id and deliveries.member_no = members.member_no
        where deliveries.delivery_id = %s
        for update of deliveries
        """,
        (delivery_id,),
    )
    row = cursor.fetchone()
    return _Delivery(*row) if row else None


def _is_untouched(cursor: Cursor, delivery: _Delivery) -> bool:
    """Tell whether nothing of the file has been loaded for any feed."""
    cursor.execute(
        "select not exists (select from intake.deliveries where file_id = %s and status <> 'received')",
        (delivery.file_id,),
    )
    row = cursor.fetchone()
    return bool(row and row[0])


def _copy(cursor: Cursor, kept: File, house: House, delivery: _Delivery) -> Reader:
    reader = _reader(kept, house, delivery)
    blocks = _Blocks(reader.rows())
    cursor.execute("savepoint copy_rows")
    try:
        cursor.copy_expert(_statement(cursor, delivery.feed, reader), blocks, size=BLOCK_BYTES)
        if cursor.rowcount != reader.tally.loaded:
            raise RowsMissing(f"{reader.tally.loaded} rows were given, {cursor.rowcount} taken")
    except (psycopg2.Error, RowsMissing) as error:
        reader.tally.close()
        if blocks.failure is None and database.is_away(error):
            raise
        cursor.execute("rollback to savepoint copy_rows")
        if blocks.failure is not None:
            raise blocks.failure from None
        log.error("delivery %s goes in portions: %s", delivery.delivery_id, database.safe_error(error))
        reader = _reader(kept, house, delivery)
        _copy_in_portions(cursor, delivery.feed, reader)
    cursor.execute("release savepoint copy_rows")
    return reader


def _reader(kept: File, house: House, delivery: _Delivery) -> Reader:
    if remainder.is_one(kept):
        lineage = Lineage(delivery.agency, delivery.delivery_id, delivery.received_at)
        return RemainderReader(kept, delivery.member_no, lineage)
    content = Content(kept, delivery.place)
    reader = _reader_of(content, house, delivery)
    told = beside.told_of(content)
    reader.tally.told.note_more(told)
    reader.tally.nil_signed_by = reader.tally.nil_signed_by or told.nil_signed_by
    return reader


def _reader_of(content: Content, house: House, delivery: _Delivery) -> Reader:
    lineage = Lineage(delivery.agency, delivery.delivery_id, delivery.received_at)
    layout = house.layouts.get(delivery.source)
    if layout is not None and layout.format == "xml":
        return XmlReader(content, layout, delivery.feed, lineage)
    agreed = members.agreed_on(house, delivery.agency, delivery.source, delivery.feed, delivery.received_at)
    words = members.vocabulary(
        house, delivery.agency, delivery.source, delivery.feed, delivery.member_name, delivery.received_at
    )
    is_sheet = "sheet" in delivery.place
    wanted = agreed.format if agreed else ""
    form = forms.Form("xlsx", wanted == "xlsx") if is_sheet else forms.form_of(content, wanted)
    reader: Reader
    if is_sheet:
        reader = WorkbookReader(content, words, lineage, members.composed(house, delivery.source, delivery.member_name))
    elif form.name in ("json", "jsonl"):
        separator = agreed.list_separator if agreed else ";"
        is_lines = form.name == "jsonl"
        properties = house.feeds[delivery.feed].properties
        reader = JsonReader(content, words, lineage, properties, separator=separator, is_lines=is_lines)
    else:
        reader = DelimitedReader(content, words, lineage)
    if agreed and not form.is_agreed:
        reader.tally.file_fault(OTHER_FORMAT)
    return reader


def _statement(cursor: Cursor, feed: str, reader: Reader) -> str:
    nullable = sql.SQL(", ").join(map(sql.Identifier, reader.columns))
    force_null = sql.SQL(", force_null ({})").format(nullable) if reader.columns else sql.SQL("")
    statement = sql.SQL("copy {} ({}) from stdin (format csv, delimiter {}, quote {}, encoding 'UTF8'{})").format(
        sql.Identifier("raw", feed),
        sql.SQL(", ").join(map(sql.Identifier, (*LINEAGE, *reader.columns, "extra"))),
        sql.Literal(reader.delimiter),
        sql.Literal(reader.quote),
        force_null,
    )
    return str(statement.as_string(cursor))


class _Blocks:
    """Rows as the file that COPY reads from. What the reader raises is kept: psycopg2 makes it an error of its own."""

    def __init__(self, rows: Iterator[Row]) -> None:
        """Read from these rows; only their lines matter."""
        self._rows = rows
        self._rest = b""
        self.failure: Exception | None = None

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        if not self._rest:
            try:
                self._rest = self._next_block(size)
            except Exception as error:
                self.failure = error
                raise
        block, self._rest = self._rest[:size], self._rest[size:]
        return block

    def readline(self, size: int = -1, /) -> bytes:
        """Never called: psycopg2 asks that it be there."""
        raise NotImplementedError

    def _next_block(self, size: int) -> bytes:
        lines: list[bytes] = []
        length = 0
        for row in self._rows:
            lines.append(row.line)
            length += len(row.line)
            if length >= size:
                break
        return b"".join(lines)


def _copy_in_portions(cursor: Cursor, feed: str, reader: Reader) -> None:
    statement = _statement(cursor, feed, reader)
    portion: list[Row] = []
    for row in reader.rows():
        portion.append(row)
        if len(portion) == PORTION_ROWS:
            _copy_portion(cursor, statement, reader, portion)
            portion = []
    _copy_portion(cursor, statement, reader, portion)


def _copy_portion(cursor: Cursor, statement: str, reader: Reader, rows: list[Row]) -> None:
    """Copy some rows; halve what is refused until the one row is found that must be a dead letter."""
    if not rows:
        return
    cursor.execute("savepoint portion")
    try:
        cursor.copy_expert(statement, BytesIO(b"".join(row.line for row in rows)))
        if cursor.rowcount != len(rows):
            raise RowsMissing(f"{len(rows)} rows were given, {cursor.rowcount} taken")
    except (psycopg2.Error, RowsMissing) as error:
        if database.is_away(error):
            raise
        cursor.execute("rollback to savepoint portion")
        if len(rows) > 1:
            middle = len(rows) // 2
            _copy_portion(cursor, statement, reader, rows[:middle])
            _copy_portion(cursor, statement, reader, rows[middle:])
        else:
            reader.tally.loaded -= 1
            reader.tally.letter(rows[0].line_no, "refused")
    cursor.execute("release savepoint portion")


def _add_findings(cursor: Cursor, delivery: _Delivery, tally: Tally) -> None:
    tail = f"\t\\N\t{{}}\t{delivery.contract_version}\tnew\t{clock.now().isoformat()}\n"

    def lines() -> Iterator[Row]:
        for record_no, rule_id in tally.faults():
            if rule_id == OTHER_FORMAT and tally.is_nil:
                continue  # a line of text that says so is enough, whatever is agreed for records
            yield Row(record_no, 0, f"{delivery.delivery_id}\t{record_no}{tail.format(rule_id)}".encode())

    cursor.copy_expert(
        "copy quality.findings (delivery_id, record_no, record_key, rule_id, contract_version, state, found_at)"
        " from stdin",
        _Blocks(lines()),
        size=BLOCK_BYTES,
    )
