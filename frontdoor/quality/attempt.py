"""Read and judge under declarations that are in nobody's force: into temporary tables, which end with the transaction.

What is asked of the records is the reading and the rules of the platform itself; only the names of the tables are
others. Nothing that lasts is written, and what rules look up of earlier deliveries is there as well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import psycopg2
from psycopg2.extensions import cursor as Cursor

from frontdoor import reference
from frontdoor.contract import Feed, House
from frontdoor.quality import findings
from frontdoor.quality.reading import accounts, run
from frontdoor.quality.reading.labels import identifier
from frontdoor.quality.rules import Check, Delivery, Group, plan


@dataclass(frozen=True)
class Tables:
    """Temporary relations: records as sent, where to read them to, those beside everything read, and what broke."""

    sent: str
    read: str
    known: str
    broken: str


@dataclass(frozen=True)
class Judged:
    """Rule -> records that it applied to; rules that could not be run."""

    checked: Mapping[str, int]
    not_run: tuple[str, ...]


def attempt(cursor: Cursor, house: House, feed: Feed, deliveries: Sequence[Delivery], tables: Tables) -> Judged:
    """Read and judge these deliveries of one feed, in the caller's transaction; rows go to `tables.broken`.

    Raises only when reading fails or the database does; a rule that raises is `not_run`.
    """
    batches = list(_batches(house, feed, deliveries))
    for batch, on in batches:
        how = run.dialect(house, feed, batch.agency, batch.source, on)
        sql = run.reading(house, batch, how, _within(batch))
        cursor.execute(
            sql.replace(f"raw.{identifier(feed.code + '_read')}", tables.read).replace(
                f"raw.{identifier(feed.code)}", tables.sent
            )
        )
    cursor.execute(f"analyze {tables.read}")
    for batch, _ in batches:
        looked = run.looked_at(batch, _within(batch), run.letters_of(house, batch))
        accounts.note(cursor, looked, tables.read, tables.known)
    checked: dict[str, int] = {}
    not_run: set[str] = set()
    for group in plan(house, feed, deliveries):
        not_run |= set(group.unwritten) | _judge(cursor, feed, group, tables, checked)
    return Judged({rule: count for rule, count in checked.items() if rule not in not_run}, tuple(sorted(not_run)))


def _within(batch: run.Batch) -> str:
    return f"_delivery_id in ({', '.join(str(each) for each in batch.delivery_ids)})"


def _batches(house: House, feed: Feed, deliveries: Sequence[Delivery]) -> Iterator[tuple[run.Batch, date]]:
    """Deliveries that are read alike: by source, version, year and unchanged constants, whatever their day."""

    def alike(each: Delivery) -> tuple[object, ...]:
        agreed = house.agency_feed(each.agency, each.source, feed.code, each.on)
        since = reference.unchanged_since(each.on)
        return each.agency, each.source, str(agreed.valid_from if agreed else ""), each.on.year, str(since)

    for _, found in groupby(sorted(deliveries, key=alike), key=alike):
        several = list(found)
        first, ids = several[0], tuple(each.delivery_id for each in several)
        received = (min(each.received_at for each in several), max(each.received_at for each in several))
        yield run.Batch(first.agency, first.source, feed, first.on, ids, received), first.on


def _judge(cursor: Cursor, feed: Feed, group: Group, tables: Tables, checked: dict[str, int]) -> set[str]:
    ids = ", ".join(str(each) for each in group.delivery_ids)
    records = f"select * from {tables.read} where _delivery_id in ({ids})"
    of_records = [check for check in group.checks if not check.rows]
    not_run: set[str] = set()
    if not _write(cursor, feed, findings.records_query(records, of_records), of_records, tables):
        for check in of_records:
            if not _write(cursor, feed, findings.records_query(records, [check]), [check], tables):
                not_run.add(check.rule.rule_id)
    for check in group.checks:
        if check.rows and not _write(cursor, feed, findings.rows_query(records, check), [check], tables):
            not_run.add(check.rule.rule_id)
    ran = [check for check in group.checks if check.rule.rule_id not in not_run]
    if ran:
        counts = ", ".join(f"count(*) filter (where {check.applies})" for check in ran)
        cursor.execute(f"select {counts} from ({records}) as records")
        for check, count in zip(ran, cursor.fetchone() or (), strict=True):
            checked[check.rule.rule_id] = checked.get(check.rule.rule_id, 0) + count
    return not_run


def _write(cursor: Cursor, feed: Feed, query: str, checks: Sequence[Check], tables: Tables) -> bool:
    if not checks:
        return True
    elsewhere = re.compile(rf'\braw\."?{re.escape(feed.code)}_read"?(?!\w)')
    cursor.execute("savepoint attempt")
    try:
        cursor.execute(
            f"insert into {tables.broken} select _delivery_id, _record_no, rule_id"
            f" from ({elsewhere.sub(tables.known, query)}) as broken"
        )
    except psycopg2.Error:
        if cursor.connection.closed:
            raise
        cursor.execute("rollback to savepoint attempt")
        return False
    cursor.execute("release savepoint attempt")
    return True
