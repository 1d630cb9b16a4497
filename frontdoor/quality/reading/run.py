"""Read deliveries: one statement per sender and day received, and what to do when a statement fails.

The functions in the database raise on no text, so a failure means a mistake of ours: in a contract's element, or here.
It is narrowed down by halves to the records it is about; those are kept with nothing known (`unparsed`), under keys of
their own, and every other record is read as usual. A statement that fails even on no record at all is not narrowed
down.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import database, reference
from frontdoor.contract import Feed, House
from frontdoor.quality.reading import accounts, amendments, clock_changes, serial_numbers, statement, unmapped
from frontdoor.quality.reading.columns import Dialect
from frontdoor.quality.reading.labels import code_map, identifier
from frontdoor.quality.sufficiency import letters

log = logging.getLogger(__name__)

# How many statements may be spent on narrowing a failure down, per sender and day.
MOST_ATTEMPTS = 400
ANALYZED_FROM_RECORDS = 1000
# Ways of reading that are remembered in one process: senders times the stretches in which nothing changed.
MOST_WAYS = 64
_RECORDS = "/* these records */"


@dataclass(frozen=True)
class Batch:
    """Deliveries of one sender, source and day: one way of reading."""

    agency: str
    source: str
    feed: Feed
    on: date
    delivery_ids: tuple[int, ...]
    received: tuple[datetime, datetime]


@dataclass(frozen=True)
class Way:
    """How a batch is read: the dialect of its sender, and the statement around the condition that finds the records."""

    house: House
    dialect: Dialect
    before: str
    after: str
    letters: str

    def reading(self, condition: str) -> str:
        """SQL that reads what `condition` finds."""
        return self.before + condition + self.after


def read(connection: Connection, house: House, delivery_ids: Sequence[int]) -> None:
    """Read these deliveries' records, in the caller's transaction. Reading again replaces the earlier reading.

    Raises only when the database itself fails; whatever the text, every record of raw.<feed> gets its row.
    """
    with connection.cursor() as cursor:
        # Compiling an expression of some hundred columns costs more than evaluating it.
        cursor.execute("set local jit = off")
        for batch in _batches(cursor, house, delivery_ids):
            _read(cursor, house, batch)


def note_labels(cursor: Cursor, house: House, delivery_ids: Sequence[int]) -> None:
    """Write anew which labels of deliveries no mapping knows, of the records that they have now."""
    cursor.execute("delete from raw.unmapped_labels where delivery_id = any(%s)", (list(delivery_ids),))
    for batch in _batches(cursor, house, delivery_ids):
        labels = unmapped.note(batch.feed, _way(house, batch).dialect, batch.delivery_ids, batch.received)
        if labels is not None:
            _attempt(cursor, labels, batch, [1])


_ways: dict[tuple[Any, ...], Way] = {}


def _way(house: House, batch: Batch) -> Way:
    """Return how a batch is read. Spelling the statement out takes longer than reading a small file by it."""
    agreed = house.agency_feed(batch.agency, batch.source, batch.feed.code, batch.on)
    stretch = (agreed.valid_from if agreed else None, batch.on.year, reference.unchanged_since(batch.on))
    key = (id(house), batch.agency, batch.source, batch.feed.code, stretch, reference.stamp())
    known = _ways.get(key)
    # A way holds its house, so the id of one that is remembered is nobody else's.
    if known is None:
        how = dialect(house, batch.feed, batch.agency, batch.source, batch.on)
        before, _, after = reading(house, batch, how, _RECORDS).partition(_RECORDS)
        if len(_ways) >= MOST_WAYS:
            _ways.clear()
        known = _ways[key] = Way(house, how, before, after, letters_of(house, batch))
    return known


def dialect(house: House, feed: Feed, agency: str, source: str, on: date) -> Dialect:
    """How text of this sender is to be understood on that day."""
    agreed = house.agency_feed(agency, source, feed.code, on)
    lists = {each.code_list for each in feed.properties if each.code_list}
    return Dialect(
        zone=zone_of(house, feed, agency, source),
        list_separator=agreed.list_separator if agreed else ";",
        date_formats=agreed.date_formats if agreed else (),
        timestamp_formats=agreed.timestamp_formats if agreed else (),
        received_year=on.year,
        codes={
            name: code_map(
                _codes(name, on),
                agreed.codes.get(name, {}) if agreed else {},
                agreed.ambiguous.get(name, ()) if agreed else (),
            )
            for name in sorted(lists)
        },
        fillers=_fillers(feed),
    )


def _fillers(feed: Feed) -> Mapping[str, frozenset[str]]:
    known = reference.fillers()
    return {
        each.name: frozenset(
            filler.text for filler in known if {"any", each.kind, each.name}.intersection(filler.applies_to)
        )
        for each in feed.properties
    }


def _codes(code_list: str, on: date) -> Mapping[str, str]:
    try:
        return reference.codes(code_list, on)
    except reference.UnknownConstant as error:
        log.error("every label is read as unmapped: %s", error)
        return {}


def zone_of(house: House, feed: Feed, agency: str, source: str) -> str:
    """The zone of stamps without offset: the layout's, else the sender's, else the contract's."""
    if source in house.layouts:
        return house.layouts[source].timezone
    return house.agencies[agency].timezone if agency in house.agencies else feed.timezone


def _batches(cursor: Cursor, house: House, delivery_ids: Sequence[int]) -> Iterator[Batch]:
    cursor.execute(
        "select feed, agency_code, source, received_at, delivery_id from intake.deliveries"
        " where delivery_id = any(%s) order by feed, agency_code, source, received_at, delivery_id",
        (list(delivery_ids),),
    )
    rows = cursor.fetchall()

    def sender(row: tuple[str, str, str, datetime, int]) -> tuple[str, str, str, date]:
        feed, agency, source, received_at, _ = row
        return (
            feed,
            agency,
            source,
            received_at.astimezone(ZoneInfo(zone_of(house, house.feeds[feed], agency, source))).date(),
        )

    for (feed, agency, source, on), found in groupby(rows, key=sender):
        deliveries = list(found)
        received = (deliveries[0][3], deliveries[-1][3])
        yield Batch(agency, source, house.feeds[feed], on, tuple(row[4] for row in deliveries), received)


def _read(cursor: Cursor, house: House, batch: Batch) -> None:
    feed = batch.feed
    way = _way(house, batch)
    for month in {each.replace(day=1, hour=0, minute=0, second=0, microsecond=0) for each in batch.received}:
        cursor.execute("select raw.ensure_partition(%s, %s)", (feed.code, month))
    # Only a second reading finds something to replace.
    cursor.execute(
        f"delete from raw.{identifier(feed.code + '_read')} where {statement.where(batch.delivery_ids, batch.received)}"
    )
    spent = [MOST_ATTEMPTS]
    everything = statement.where(batch.delivery_ids, batch.received)
    if not _attempt(cursor, way.reading(everything), batch, spent):
        if not _attempt(cursor, way.reading("false"), batch, spent):
            _leave_unread(cursor, house, batch, batch.delivery_ids, None)
            return
        for delivery_id in batch.delivery_ids:
            _read_by_halves(cursor, house, batch, way, delivery_id, spent)
    amendments.follow(cursor, feed, batch.delivery_ids, everything)
    clock_changes.note(cursor, house, batch.feed, batch.delivery_ids, batch.received, way.dialect.zone)
    serial_numbers.note(cursor, house, batch.feed, batch.delivery_ids, batch.received, way.dialect.received_year)
    labels = unmapped.note(batch.feed, way.dialect, batch.delivery_ids, batch.received)
    if labels is not None:
        # A list that could not be written holds no record.
        _attempt(cursor, labels, batch, [1])
    _let_the_planner_know(cursor, batch, everything)
    read = f"raw.{identifier(feed.code + '_read')}"
    accounts.note(cursor, looked_at(batch, everything, way.letters), read, read)


def _let_the_planner_know(cursor: Cursor, batch: Batch, condition: str) -> None:
    """Analyze a partition that just grew by much, by the columns that checks join and filter by.

    A planner that believes a fresh partition empty joins it to itself row by row: 10,000 records took 23 s to judge.
    """
    read = identifier(batch.feed.code + "_read")
    cursor.execute(
        f"select tableoid::regclass::text from raw.{read} where {condition} offset {ANALYZED_FROM_RECORDS - 1} limit 1"
    )
    for (partition,) in cursor.fetchall():
        cursor.execute(
            f"analyze {partition} (_delivery_id, _record_no, _received_at, record_key, has_own_key, _account_words)"
        )


def reading(house: House, batch: Batch, how: Dialect, condition: str) -> str:
    """SQL that reads what `condition` finds, as this batch is read."""
    return statement.reading(batch.feed, _kind_of(house, batch), how, letters_of(house, batch), condition)


def letters_of(house: House, batch: Batch) -> str:
    """SQL of the letters of sufficiency, as this batch is asked."""
    layout = house.layouts.get(batch.source)
    carried = layout.carried(batch.feed.code) if layout else None
    return letters(batch.feed, carried, is_public=_kind_of(house, batch) == "public", on=batch.on)


def looked_at(batch: Batch, condition: str, spelled: str) -> accounts.Looked:
    """The records of a batch whose accounts are held against what was told before. spelled: SQL of their letters."""
    return accounts.Looked(batch.feed, batch.agency, batch.on, batch.received, condition, spelled)


def _kind_of(house: House, batch: Batch) -> str | None:
    agency = house.agencies.get(batch.agency)
    return agency.kind if agency else None


def _read_by_halves(cursor: Cursor, house: House, batch: Batch, way: Way, delivery_id: int, spent: list[int]) -> None:
    everything = statement.where([delivery_id], batch.received)
    cursor.execute(f"select min(_record_no), max(_record_no) from raw.{identifier(batch.feed.code)} where {everything}")
    first, last = cursor.fetchone() or (None, None)
    waiting = [] if first is None else [(first, last)]
    while waiting:
        records = waiting.pop()
        condition = statement.where([delivery_id], batch.received, records)
        if spent[0] > 0 and _attempt(cursor, way.reading(condition), batch, spent):
            continue
        if records[0] == records[1] or spent[0] <= 0:
            _leave_unread(cursor, house, batch, [delivery_id], records)
        else:
            middle = (records[0] + records[1]) // 2
            waiting += [(middle + 1, records[1]), (records[0], middle)]


def _attempt(cursor: Cursor, reading: str, batch: Batch, spent: list[int]) -> bool:
    spent[0] -= 1
    cursor.execute("savepoint reading")
    try:
        cursor.execute(reading)
    except psycopg2.Error as error:
        if cursor.connection.closed or database.is_away(error):
            raise
        cursor.execute("rollback to savepoint reading")
        log.error(
            "reading %s of deliveries %s failed: %s",
            batch.feed.code,
            list(batch.delivery_ids),
            database.safe_error(error),
        )
        return False
    cursor.execute("release savepoint reading")
    return True


def _leave_unread(
    cursor: Cursor, house: House, batch: Batch, delivery_ids: Sequence[int], records: tuple[int, int] | None
) -> None:
    condition = statement.where(delivery_ids, batch.received, records)
    cursor.execute(statement.unread(batch.feed, _kind_of(house, batch), condition))
    log.error("%s records of deliveries %s are kept unread", cursor.rowcount, list(delivery_ids))
