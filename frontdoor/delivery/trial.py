"""What a proposed contract or agreement would have found in an agency's last months, beside what today's finds in them.

Every record is read and judged twice from what was sent: under the version of its day, and as if the proposal had held
all the time. All of it happens in temporary tables of a transaction that is read-only for everything else and rolled
back: nothing is published, nobody is told, no finding changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock
from frontdoor.contract import AgencyFeed, Feed, House, normalised
from frontdoor.contract.rows import rows_of
from frontdoor.quality.attempt import Judged, Tables, attempt
from frontdoor.quality.reading.labels import identifier
from frontdoor.quality.reading.run import zone_of
from frontdoor.quality.rules import Delivery
from frontdoor.warehouse.raw_tables import raw_columns, read_columns

SENT = "pg_temp.trial_sent"
NOW = Tables(SENT, "pg_temp.trial_read_now", "pg_temp.trial_known_now", "pg_temp.trial_broken_now")
THEN = Tables(SENT, "pg_temp.trial_read_then", "pg_temp.trial_known_then", "pg_temp.trial_broken_then")


def trial(
    connection: Connection, house: House, proposed: House, feed_code: str, agency: str, source: str, months: int
) -> dict[str, Any]:
    """Counts per rule, and the rows of each delivery that would newly fail or be cleared. Leaves no trace."""
    before, after = house.feeds[feed_code], proposed.feeds[feed_code]
    with connection.cursor() as cursor:
        try:
            cursor.execute("set local jit = off")
            deliveries = _deliveries(cursor, house, before, agency, source, months)
            readings = _readings(cursor, deliveries)
            _make_tables(cursor, before, after, deliveries)
            cursor.execute("set transaction read only")
            judged_now = attempt(cursor, house, before, deliveries, NOW)
            _sort_out_headers(cursor, house, proposed, before, agency, source, deliveries)
            judged_then = attempt(cursor, proposed, after, deliveries, THEN)
            failed_now, failed_then = _counted(cursor, NOW), _counted(cursor, THEN)
            newly = _only_in(cursor, THEN, NOW)
            cleared = _only_in(cursor, NOW, THEN)
        finally:
            connection.rollback()

    def rows(found: Mapping[int, Sequence[int]]) -> list[dict[str, Any]]:
        return [
            {
                "delivery_id": delivery_id,
                "rows_are": (counted := rows_of(house, source, readings.get(delivery_id, {}))).label,
                "rows": [number + counted.ahead if number else 0 for number in numbers],
            }
            for delivery_id, numbers in sorted(found.items())
        ]

    severities = _severities(house, agency, source, before), _severities(proposed, agency, source, after)
    rules: list[dict[str, Any]] = []
    for rule_id, sentence in {rule.rule_id: rule.sentence for rule in (*before.rules, *after.rules)}.items():
        now, then = _score(rule_id, judged_now, failed_now), _score(rule_id, judged_then, failed_then)
        rules.append(
            {
                "rule_id": rule_id,
                "sentence": sentence,
                "severity": {"now": severities[0].get(rule_id), "proposed": severities[1].get(rule_id)},
                "now": now,
                "proposed": then,
                "score_change": _change(now, then),
                "newly_failing": sum(map(len, newly.get(rule_id, {}).values())),
                "cleared": sum(map(len, cleared.get(rule_id, {}).values())),
                "newly_failing_in": rows(newly.get(rule_id, {})),
                "cleared_in": rows(cleared.get(rule_id, {})),
            }
        )
    return {
        "agency": agency,
        "source": source,
        "feed": feed_code,
        "months": months,
        "deliveries": len(deliveries),
        "records": sum(each.records_loaded for each in deliveries),
        "not_run": {"now": list(judged_now.not_run), "proposed": list(judged_then.not_run)},
        "rules": rules,
    }


def _deliveries(cursor: Cursor, house: House, feed: Feed, agency: str, source: str, months: int) -> list[Delivery]:
    cursor.execute(
        "select delivery_id, received_at, (received_at at time zone %s)::date, records_loaded,"
        " coalesce(records_dead, 0)"
        " from intake.deliveries where agency_code = %s and source = %s and feed = %s and published_at is not null"
        " and records_loaded > 0 and received_at > %s::timestamptz - make_interval(months => %s) order by delivery_id",
        (zone_of(house, feed, agency, source), agency, source, feed.code, clock.now(), months),
    )
    return [Delivery(each, agency, source, on, at, loaded, dead) for each, at, on, loaded, dead in cursor]


def _readings(cursor: Cursor, deliveries: Sequence[Delivery]) -> dict[int, Mapping[str, Any]]:
    """How the file of each delivery was read, which says how its rows are counted."""
    cursor.execute(
        "select deliveries.delivery_id, coalesce(members.reading, '{}') from intake.deliveries as deliveries"
        " left join intake.members as members using (file_id, member_no) where delivery_id = any(%s)",
        ([each.delivery_id for each in deliveries],),
    )
    return dict(cursor.fetchall())


def _make_tables(cursor: Cursor, before: Feed, after: Feed, deliveries: Sequence[Delivery]) -> None:
    columns = raw_columns(before) | raw_columns(after)
    _table(cursor, SENT, columns)
    for feed, tables in ((before, NOW), (after, THEN)):
        _table(cursor, tables.read, read_columns(feed))
        cursor.execute(f"create index on {tables.read} (_account_words, _delivery_id, _record_no)")
        _table(cursor, tables.broken, {"_delivery_id": "bigint", "_record_no": "bigint", "rule_id": "text"})
    ids = [each.delivery_id for each in deliveries]
    there = _types(cursor, before.code)
    named = ", ".join(identifier(name) for name in columns if name in there)
    instants = [each.received_at for each in deliveries] or [clock.now()]
    cursor.execute(
        f"insert into {SENT} ({named}) select {named} from raw.{identifier(before.code)}"
        " where _delivery_id = any(%s) and _received_at between %s and %s",
        (ids, min(instants), max(instants)),
    )
    cursor.execute(f"create index on {SENT} (_delivery_id)")
    cursor.execute(f"analyze {SENT}")
    known = _types(cursor, f"{before.code}_read")
    tried = ", ".join(map(str, ids)) or "null"
    for tables in (NOW, THEN):
        wanted = _types(cursor, tables.read.removeprefix("pg_temp."), "pg_temp")
        others = ", ".join(
            identifier(name) if known.get(name) == kind else f"null::{kind} as {identifier(name)}"
            for name, kind in wanted.items()
        )
        cursor.execute(
            f"create temporary view {tables.known.removeprefix('pg_temp.')} as select * from {tables.read} union all"
            f" select {others} from raw.{identifier(before.code + '_read')}"
            f" where coalesce(_delivery_id not in ({tried}), true)"
        )


def _table(cursor: Cursor, name: str, columns: Mapping[str, str]) -> None:
    bare = ", ".join(f"{identifier(column)} {kind.split(' not null')[0]}" for column, kind in columns.items())
    cursor.execute(f"create temporary table {name.removeprefix('pg_temp.')} ({bare}) on commit drop")


def _types(cursor: Cursor, name: str, schema: str = "raw") -> dict[str, str]:
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        (f"{schema}.{identifier(name)}",),
    )
    return dict(cursor.fetchall())


def _sort_out_headers(
    cursor: Cursor, house: House, proposed: House, feed: Feed, agency: str, source: str, deliveries: Sequence[Delivery]
) -> None:
    """Cells under a header that only the proposal knows were kept in `extra`: under it they would have been read."""
    if not deliveries:
        return
    on = deliveries[-1].on
    headers = (
        _headers(proposed.agency_feed(agency, source, feed.code, on)).items()
        - _headers(house.agency_feed(agency, source, feed.code, on)).items()
    )
    cursor.execute(f"select distinct jsonb_object_keys(extra) from {SENT}")
    named = {normalised(key): key for (key,) in cursor.fetchall()}
    for header, name in sorted(headers):
        if header in named:
            column = identifier(name)
            cursor.execute(
                f"update {SENT} set {column} = coalesce(nullif({column}, ''), extra ->> %(key)s),"
                " extra = extra - %(key)s where jsonb_exists(extra, %(key)s)",
                {"key": named[header]},
            )


def _headers(agreed: AgencyFeed | None) -> dict[str, str]:
    return {normalised(header): name for header, name in agreed.headers.items()} if agreed else {}


def _counted(cursor: Cursor, tables: Tables) -> dict[str, int]:
    cursor.execute(f"select rule_id, count(*) from {tables.broken} group by rule_id")
    return dict(cursor.fetchall())


def _only_in(cursor: Cursor, tables: Tables, others: Tables) -> dict[str, dict[int, list[int]]]:
    """Rule -> delivery -> record numbers that break it in the one and not in the other."""
    cursor.execute(
        f"select rule_id, _delivery_id, _record_no from {tables.broken}"
        f" except select rule_id, _delivery_id, _record_no from {others.broken} order by 1, 2, 3"
    )
    found: dict[str, dict[int, list[int]]] = {}
    for rule_id, delivery_id, record_no in cursor:
        found.setdefault(rule_id, {}).setdefault(delivery_id, []).append(record_no)
    return found


def _severities(house: House, agency: str, source: str, feed: Feed) -> dict[str, str]:
    agreed = house.agency_feed(agency, source, feed.code, clock.now().date())
    tightened, waived = (agreed.tightened, agreed.waived_rules) if agreed else ({}, ())
    return {
        rule.rule_id: "waived" if rule.rule_id in waived else tightened.get(rule.rule_id, rule.severity)
        for rule in feed.rules
    }


def _score(rule_id: str, judged: Judged, failed: Mapping[str, int]) -> dict[str, Any] | None:
    """None: not asked, or it could not be run. `kept_share`: of the records that the rule applies to; None of none."""
    if rule_id not in judged.checked:
        return None
    checked, broken = judged.checked[rule_id], failed.get(rule_id, 0)
    return {"checked": checked, "failed": broken, "kept_share": 1 - broken / checked if checked else None}


def _change(now: Mapping[str, Any] | None, then: Mapping[str, Any] | None) -> float | None:
    if now is None or then is None or now["kept_share"] is None or then["kept_share"] is None:
        return None
    return float(then["kept_share"] - now["kept_share"])
