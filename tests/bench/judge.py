"""Judging a million police records, one in a hundred failing each rule, beside hand-written SQL with the same findings.

By hand: one scan for all record rules, one statement for each rule over several records, into the same table with the
same indexes, and nothing else: no counts, no results, no verdict. Ours is the whole of `judge`, warm. They take turns,
and the mean of each counts, so that a change of load on the machine favours neither. The reading is measured before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from frontdoor import database, intake, quality, settings, warehouse
from frontdoor.contract import House, load_house
from frontdoor.platform import postgres
from frontdoor.quality import engine, findings, judging, rules, warm
from frontdoor.simulator.sample import write_sample
from tests.bench import Figure

RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
AGENCY, FEED = "wearside_police", "police"
TURNS = 2
BAR = 3.0


def run(scratch: Path) -> Iterator[Figure]:
    """Measure and yield the figures."""
    here = settings.load({"FRONTDOOR_HOME": str(scratch / "home"), "FRONTDOOR_SETTLE_SECONDS": "0"})
    house = load_house()
    postgres.start(here, preferred_port=0)
    try:
        connection = database.connect(here)
        warehouse.migrate(connection)
        warehouse.ensure_raw_tables(connection, house)
        delivery_id, reading = _read(scratch, here, house, connection)
        yield _reading_figure(reading)
        warm.warm()
        yield from _judging(here, house, connection, delivery_id)
    finally:
        postgres.stop(here)


def _read(scratch: Path, here: Any, house: House, connection: Any) -> tuple[int, float]:
    """Land, take, load and read the records; the delivery, and seconds of reading."""
    folder = here.landing / AGENCY / FEED
    folder.mkdir(parents=True, exist_ok=True)
    write_sample(scratch / "large.csv", house, AGENCY, FEED, RECORDS, failing_ratio=0.01)
    os.rename(scratch / "large.csv", folder / "large.csv")
    while not intake.take(connection, here, house):
        time.sleep(0.1)
    with connection.cursor() as cursor:
        cursor.execute("select max(delivery_id) from intake.deliveries")
        (delivery_id,) = cursor.fetchone()
    intake.load(connection, here, house, delivery_id)
    connection.commit()
    seconds = _seconds(lambda: quality.read(connection, house, [delivery_id]))
    connection.commit()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"vacuum analyze raw.{FEED}_read")
    connection.autocommit = False
    return delivery_id, seconds


def _judging(here: Any, house: House, connection: Any, delivery_id: int) -> Iterator[Figure]:
    feed = house.feeds[FEED]
    (group,) = _plan(house, connection, delivery_id)
    records = judging._records(feed, group)
    ours = by_hand = 0.0
    for _ in range(TURNS):
        _forget(connection)
        by_hand += _undone(connection, lambda: _by_hand(connection, feed, records, group.checks)) / TURNS
        ours += _seconds(lambda: quality.judge(connection, here, house, FEED, [delivery_id])) / TURNS
    found = _counts(connection)
    with connection.cursor() as cursor:
        cursor.execute("truncate quality.findings")
    _by_hand(connection, feed, records, group.checks)
    same = _counts(connection) == found
    connection.rollback()
    written = f"the same {sum(found.values()):,} findings" if same else "OTHER FINDINGS"
    yield Figure(
        f"judging {RECORDS:,} police records by {len(group.checks)} rules against SQL by hand",
        f"{ours / by_hand:.2f} times ({ours:.1f} s and {by_hand:.1f} s; {written})",
        f"<= {BAR}",
        ours <= BAR * by_hand and same,
    )
    _forget(connection)
    for check in group.checks:
        alone = _undone(connection, lambda check=check: _ours_alone(here, connection, feed, records, check))
        hand = _undone(connection, lambda check=check: _by_hand(connection, feed, records, [check]))
        rule_id = check.rule.rule_id
        yield Figure(
            f"{rule_id} alone: {found.get(rule_id, 0):,} findings",
            f"{alone / hand:.2f} times ({alone:.2f} s and {hand:.2f} s)",
        )


def _by_hand(connection: Any, feed: Any, records: str, checks: Any) -> None:
    """What one would write without us: no counting before, nothing returned."""
    columns, version = findings.COLUMNS, feed.version
    of_records = [check for check in checks if not check.rows]
    with connection.cursor() as cursor:
        if of_records:
            broken = ", ".join(
                f"case when ({each.applies}) and ({each.fails}) then '{each.rule.rule_id}' end" for each in of_records
            )
            cursor.execute(
                f"""
                insert into quality.findings {columns}
                select _delivery_id, _record_no, record_key, unnest(broken), '{version}', 'new', now()
                from (
                    select _delivery_id, _record_no, record_key, array_remove(array[{broken}], null) as broken
                    from ({records}) as records offset 0
                ) as judged
                where broken <> '{{}}'
                """
            )
        for each in (check for check in checks if check.rows):
            query = each.rows.replace("{batch}", f"({records})")
            cursor.execute(
                f"""
                insert into quality.findings {columns}
                select records._delivery_id, records._record_no, records.record_key,
                    '{each.rule.rule_id}', '{version}', 'new', now()
                from ({query}) as found
                inner join ({records}) as records
                    on found._delivery_id = records._delivery_id and found._record_no = records._record_no
                """
            )


def _ours_alone(here: Any, connection: Any, feed: Any, records: str, check: Any) -> None:
    counted = engine.count(here, records, [check])[check.rule.rule_id]
    with connection.cursor() as cursor:
        if counted.failed and check.rows:
            findings.write_rows(cursor, feed, records, check)
        elif counted.failed:
            findings.write_records(cursor, feed, records, [check])


def _plan(house: House, connection: Any, delivery_id: int) -> list[rules.Group]:
    with connection.cursor() as cursor:
        deliveries = judging._deliveries(cursor, house, house.feeds[FEED], [delivery_id])
    connection.rollback()
    return list(rules.plan(house, house.feeds[FEED], deliveries))


def _forget(connection: Any) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("truncate quality.findings, quality.check_results")


def _counts(connection: Any) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("select rule_id, count(*) from quality.findings where rule_id not like 'FIL%' group by rule_id")
        return dict(cursor.fetchall())


def _undone(connection: Any, work: Callable[[], Any]) -> float:
    seconds = _seconds(work)
    connection.rollback()
    return seconds


def _seconds(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _reading_figure(seconds: float) -> Figure:
    each = seconds / RECORDS * 1_000_000
    return Figure(f"reading {RECORDS:,} police records", f"{seconds:.0f} s ({each:.0f} s per million)")
