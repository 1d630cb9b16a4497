"""Judge deliveries: every rule of the contract over what was read, in batches.

Great Expectations says how many records each rule checked and how many break it; one statement then writes who they
are; the two numbers must be equal, or the rule counts as not run. Nothing that goes wrong here keeps a record off a
list: a rule that raises is `not_run` for itself alone, a batch that raises is judged delivery by delivery, and a
delivery that cannot be judged at all is `checked` with every rule `not_run`.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import database
from frontdoor.contract import Feed, House
from frontdoor.quality import findings, results, waivers
from frontdoor.quality.engine import Counted, count
from frontdoor.quality.reading import statement
from frontdoor.quality.reading.run import zone_of
from frontdoor.quality.rules import Check, Delivery, Group, critical_by_agreement, plan
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

Counts = dict[tuple[str, int], tuple[int, int] | None]


def judge(
    connection: Connection,
    settings: Settings,
    house: House,
    feed: str,
    delivery_ids: Sequence[int],
    *,
    without: Collection[str] = (),
) -> None:
    """Judge deliveries of one feed that were read and committed; write results, findings, verdicts; commit.

    ``without``: scopes whose rules have nothing here to hold a file against. What they find in the file alone stands;
    where they find nothing they are `not_run`, and the verdict is none the worse for it.
    Raises only when the database itself fails.
    """
    if not delivery_ids:
        return
    try:
        _judge(connection, settings, house, house.feeds[feed], delivery_ids, without)
        return
    except Exception as error:
        _go_on(connection, delivery_ids, error)
    for delivery_id in delivery_ids:
        try:
            if len(delivery_ids) == 1:
                raise LookupError("judged alone already")
            _judge(connection, settings, house, house.feeds[feed], [delivery_id], without)
        except Exception as error:
            _go_on(connection, [delivery_id], error)
            _conclude(connection, house, house.feeds[feed], [delivery_id], {}, without)


def _judge(
    connection: Connection,
    settings: Settings,
    house: House,
    feed: Feed,
    delivery_ids: Sequence[int],
    without: Collection[str],
) -> None:
    with connection.cursor() as cursor:
        deliveries = _deliveries(cursor, house, feed, delivery_ids)
    connection.rollback()
    groups = list(plan(house, feed, deliveries))
    counted = [count(settings, _records(feed, group), group.checks) if _has_records(group) else {} for group in groups]
    with connection, connection.cursor() as cursor:
        cursor.execute("set local jit = off")
        findings.clear(cursor, feed, delivery_ids)
        counts: Counts = {}
        for group, said in zip(groups, counted, strict=True):
            counts |= _write(cursor, feed, group, said)
        _finish(cursor, house, feed, deliveries, counts, without)


def _conclude(
    connection: Connection,
    house: House,
    feed: Feed,
    delivery_ids: Sequence[int],
    counts: Counts,
    without: Collection[str],
) -> None:
    with connection, connection.cursor() as cursor:
        findings.clear(cursor, feed, delivery_ids)
        _finish(cursor, house, feed, _deliveries(cursor, house, feed, delivery_ids), counts, without)


def _finish(
    cursor: Cursor,
    house: House,
    feed: Feed,
    deliveries: Sequence[Delivery],
    counts: Counts,
    without: Collection[str],
) -> None:
    delivery_ids = [each.delivery_id for each in deliveries]
    left_out = [rule.rule_id for rule in feed.rules if rule.scope in without]
    counts = {each: said for each, said in counts.items() if each[0] not in left_out or (said and said[1])}
    findings.let_the_planner_know(cursor, sum(said[1] for said in counts.values() if said))
    results.write(cursor, house, feed, deliveries, counts)
    if counts:
        findings.mark_persisting(cursor, delivery_ids)
        findings.resolve(cursor, feed, findings.records_of(feed, _condition(deliveries)), delivery_ids)
    results.conclude(cursor, delivery_ids, left_out)
    _waive(cursor, house, feed, deliveries)


def _waive(cursor: Cursor, house: House, feed: Feed, deliveries: Sequence[Delivery]) -> None:
    """Mark what is waived, last: nothing else asks for it. Where it cannot be told, the sender hears of everything."""
    cursor.execute("savepoint waivers")
    try:
        sent = [(each.delivery_id, each.agency, each.source, each.on) for each in deliveries]
        waivers.apply(cursor, [each.delivery_id for each in deliveries], critical_by_agreement(house, feed, sent))
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        cursor.execute("rollback to savepoint waivers")
        log.error("waivers were not looked at: %s", database.safe_error(error))
    cursor.execute("release savepoint waivers")


def _write(cursor: Cursor, feed: Feed, group: Group, said: Mapping[str, Counted]) -> Counts:
    """Findings of a group; (rule, delivery) -> (checked, failed), or None for a rule that was not run."""
    if not _has_records(group):
        return {(check.rule.rule_id, each): (0, 0) for check in group.checks for each in check.delivery_ids}
    records = _records(feed, group)
    ran = [check for check in group.checks if said[check.rule.rule_id].failed is not None]
    failing = [check for check in ran if said[check.rule.rule_id].failed]
    written = _written(cursor, feed, records, failing)
    checked = _checked(cursor, feed, group, records, ran, said)
    counts: Counts = {}
    for check in ran:
        rule_id = check.rule.rule_id
        found = written.get(rule_id) if check in failing else {}
        number = sum(found.values()) if found is not None else None
        if number != said[rule_id].failed:
            log.error(
                "%s is not_run for deliveries %s: %s records were counted, %s findings written",
                rule_id,
                list(check.delivery_ids),
                said[rule_id].failed,
                number,
            )
            continue
        for each in check.delivery_ids:
            counts[rule_id, each] = (checked[rule_id, each], (found or {}).get(each, 0))
    not_run = [check.rule.rule_id for check in group.checks if check not in ran] + list(group.unwritten)
    if not_run:
        log.error(
            "%s not_run for deliveries %s: the check raised, or names a constant that is not there",
            ", ".join(not_run),
            list(group.delivery_ids),
        )
    return counts


def _written(cursor: Cursor, feed: Feed, records: str, failing: Sequence[Check]) -> dict[str, dict[int, int] | None]:
    """Rule -> delivery -> findings written. None: the rule's statement failed. All record rules at once if they can."""
    of_records = [check for check in failing if not check.rows]
    together = _attempt(cursor, of_records, partial(findings.write_records, cursor, feed, records, of_records))
    found: dict[str, dict[int, int] | None] = {}
    for check in failing:
        if check.rows:
            written = _attempt(cursor, [check], partial(findings.write_rows, cursor, feed, records, check))
        elif together is None:
            written = _attempt(cursor, [check], partial(findings.write_records, cursor, feed, records, [check]))
        else:
            written = together
        rule_id = check.rule.rule_id
        found[rule_id] = (
            None if written is None else {each: n for (rule, each), n in written.items() if rule == rule_id}
        )
    return found


def _checked(
    cursor: Cursor, feed: Feed, group: Group, records: str, ran: Sequence[Check], said: Mapping[str, Counted]
) -> dict[tuple[str, int], int]:
    """(rule, delivery) -> records that the rule applies to. One delivery needs no second count."""
    loaded = {each.delivery_id: each.records_loaded for each in group.deliveries}
    checked = {(check.rule.rule_id, each): loaded[each] for check in ran for each in check.delivery_ids if check.rows}
    of_records = [check for check in ran if not check.rows]
    if len(group.deliveries) == 1:
        only = group.deliveries[0].delivery_id
        return checked | {(check.rule.rule_id, only): said[check.rule.rule_id].checked or 0 for check in of_records}
    checked |= {(check.rule.rule_id, each): 0 for check in of_records for each in check.delivery_ids}
    if of_records:
        counts = ", ".join(f"count(*) filter (where {check.applies})" for check in of_records)
        cursor.execute(f"select _delivery_id, array[{counts}] from ({records}) as records group by _delivery_id")
        for delivery_id, numbers in cursor:
            for check, number in zip(of_records, numbers, strict=True):
                if delivery_id in check.delivery_ids:
                    checked[check.rule.rule_id, delivery_id] = number
    return checked


def _attempt(cursor: Cursor, checks: Sequence[Check], write: Callable[[], findings.Written]) -> findings.Written | None:
    """What `write` gives, or None when the database refuses it."""
    cursor.execute("savepoint findings")
    try:
        written = write()
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        cursor.execute("rollback to savepoint findings")
        log.error(
            "findings of %s were not written: %s", [each.rule.rule_id for each in checks], database.safe_error(error)
        )
        return None
    cursor.execute("release savepoint findings")
    return written


def _deliveries(cursor: Cursor, house: House, feed: Feed, delivery_ids: Sequence[int]) -> list[Delivery]:
    cursor.execute(
        "select delivery_id, agency_code, source, received_at, coalesce(records_loaded, 0), coalesce(records_dead, 0)"
        " from intake.deliveries where delivery_id = any(%s) and feed = %s order by delivery_id",
        (list(delivery_ids), feed.code),
    )
    return [
        Delivery(
            delivery_id,
            agency,
            source,
            _local_day(received_at, zone_of(house, feed, agency, source)),
            received_at,
            *records,
        )
        for delivery_id, agency, source, received_at, *records in cursor
    ]


def _local_day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def _has_records(group: Group) -> bool:
    return bool(group.checks) and any(each.records_loaded for each in group.deliveries)


def _records(feed: Feed, group: Group) -> str:
    return findings.records_of(feed, _condition(group.deliveries))


def _condition(deliveries: Sequence[Delivery]) -> str:
    instants = [each.received_at for each in deliveries]
    return statement.where([each.delivery_id for each in deliveries], (min(instants), max(instants)))


def _go_on(connection: Connection, delivery_ids: Sequence[int], error: Exception) -> None:
    """Make the connection usable again and say what happened; raise if there is no connection any more."""
    if connection.closed:
        raise error
    connection.rollback()
    log.error("judging deliveries %s failed: %s", list(delivery_ids), database.safe_error(error))
