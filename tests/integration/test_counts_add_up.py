"""Counts in are counts out, over hostile files: no record of any file is lost, and no two tables say different numbers.

    records that the file holds = read + unread = ledger = landing table + dead letters
    read                        = on the front door's list + superseded by a later telling + told again
    the receipt                 = the same numbers, and each finding of the database

Mend: frontdoor/intake (what is read), dbt_project/models/core (what replaces what), frontdoor/receipts.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from frontdoor import clock, delivery, receipts
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from tests.conftest import Database
from tests.corpora.counted import Counted, counted

EXAMPLES = 90
HOUSE = load_house()
FACTS = {"police": "fct_notification", "referral": "fct_contact", "visit": "fct_visit"}
LAST_FILE = "select file_id, status from intake.files order by file_id desc limit 1"
DELIVERIES = """
    select delivery_id, feed, status, coalesce(verdict, ''), records_in, records_loaded, records_dead
    from intake.deliveries where file_id = %s order by member_no, feed
"""


@dataclass
class Seen:
    """What came, so that a run that tried nothing cannot pass."""

    ways: Counter[str] = field(default_factory=Counter)
    loaded: dict[int, tuple[str, int]] = field(default_factory=dict)


def test_counts_in_are_counts_out_over_hostile_files(database: Database) -> None:
    prepare(database.settings)
    connection, seen, began = database.connect(), Seen(), time.monotonic()

    # Found again by its number: what fails is told as it was drawn, for each try goes through the whole house.
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(counted(HOUSE, clock.now().date()))
    def adds_up(file: Counted) -> None:
        _land(database, file)
        assert delivery.drain(database.settings).taken == 1
        _of_one_file(connection, file, seen)

    adds_up()
    for way in ("published", "dead_letter", "duplicate", "whole", "harmed", "unread"):
        assert seen.ways[way], f"no file was {way}: the test shows too little"
    assert len(seen.loaded) > EXAMPLES / 2
    assert delivery.build(database.settings)["models_failed"] == 0
    _on_the_list(connection, seen)
    connection.close()
    print(f"{seen.ways}; {len(seen.loaded)} deliveries in {time.monotonic() - began:.0f} s")


def _land(database: Database, file: Counted) -> None:
    folder = database.settings.landing / file.agency / file.source
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".file").write_bytes(file.content)
    os.utime(folder / ".file", ns=(0, 0))
    os.rename(folder / ".file", folder / f"{time.time_ns()}")


def _of_one_file(connection: Any, file: Counted, seen: Seen) -> None:
    (_, status), *_ = found = _all(connection, LAST_FILE)
    file_id = found[0][0]
    seen.ways[status] += 1
    if status == "duplicate":
        return
    rows = _all(connection, DELIVERIES, file_id)
    read = unread = 0
    for delivery_id, feed, state, verdict, records_in, records_loaded, records_dead in rows:
        assert state in ("published", "dead_letter"), file.what
        seen.ways[state] += 1
        landed = _count(connection, f"select count(*) from raw.{feed} where _delivery_id = %s", delivery_id)
        typed = _count(connection, f"select count(*) from raw.{feed}_read where _delivery_id = %s", delivery_id)
        letters = _all(
            connection,
            "select count(*) filter (where coalesce(line_no, 0) > 0), count(*) from quality.dead_letters"
            " where delivery_id = %s and resolved_at is null",
            delivery_id,
        )
        ((of_lines, of_all),) = letters
        assert records_in == records_loaded + records_dead, file.what
        assert landed == typed == records_loaded, file.what
        assert records_dead in (of_lines, of_all) and (of_all > 0) == (verdict in ("unreadable",) or records_dead > 0)
        numbers = _all(connection, f"select _record_no from raw.{feed} where _delivery_id = %s", delivery_id)
        assert len(set(numbers)) == len(numbers)
        seen.ways["unread"] += records_dead > 0
        read, unread = read + records_loaded, unread + records_dead
        _told(connection, delivery_id, file)
        if records_loaded:
            seen.loaded[delivery_id] = (feed, records_loaded)
    if file.records is None:
        seen.ways["harmed"] += 1
    else:
        seen.ways["whole"] += 1
        assert read + unread == file.records, f"{file.what}: {file.records} were written"


def _told(connection: Any, delivery_id: int, file: Counted) -> None:
    """The receipt says what the tables say, and its numbers add up."""
    (document,) = receipts.documents(connection, HOUSE, [delivery_id])
    counts = document["counts"]
    ((records_in, loaded, dead),) = _all(
        connection,
        "select records_in, records_loaded, records_dead from intake.deliveries where delivery_id = %s",
        delivery_id,
    )
    assert (counts["records_in"], counts["records_listed"], counts["records_unread"]) == (records_in, loaded, dead)
    assert counts["records_in"] == counts["records_listed"] + counts["records_unread"], file.what
    by_rule = dict(
        _all(
            connection, "select rule_id, count(*) from quality.findings where delivery_id = %s group by 1", delivery_id
        )
    )
    listed = Counter(each["rule_id"] for each in document["findings"])
    told = {rule["rule_id"]: rule for rule in document["rules"]}
    assert sum(by_rule.values()) == sum(listed.values()) + counts["findings_for_the_council"]
    assert document["findings_not_listed"] == 0
    for rule_id, rule in told.items():
        assert rule["failed"] == by_rule.get(rule_id, 0) == listed[rule_id], (file.what, rule_id)
        assert rule["new"] + rule["persisting"] + rule["waived"] + rule["resolved"] == rule["failed"]
        assert rule["failed"] <= max(rule["checked"], 1) and (rule["status"] == "fail") == (rule["failed"] > 0)
    waiting = {
        each["record_no"]
        for each in document["findings"]
        if each["record_no"] and each["severity"] != "info" and each["state"] in ("new", "persisting")
    }
    assert counts["records_to_answer"] == len(waiting) + dead
    assert f"{records_in:,} received" in document["sentence"] or document["verdict"] == "unreadable"


def _on_the_list(connection: Any, seen: Seen) -> None:
    """Each record that was read is told once in the history of its feed, and stands on the list or has a successor there."""
    kept: Counter[str] = Counter()
    for feed, fact in FACTS.items():
        worklist = HOUSE.feeds[feed].worklist is not None
        versions = _all(
            connection,
            "select delivery_id, count(*), count(*) filter (where is_current),"
            " count(*) filter (where not is_current and superseded_by_delivery_id is not null),"
            " count(*) filter (where not is_current and superseded_by_delivery_id is null)"
            f" from core.{fact}_version group by 1",
        )
        of_feed = {delivery_id: count for delivery_id, (of, count) in seen.loaded.items() if of == feed}
        assert {delivery_id: count for delivery_id, count, *_ in versions} == of_feed, feed
        listed = dict(
            _all(connection, "select delivery_id, count(*) from worklists.triage where feed = %s group by 1", feed)
        )
        for delivery_id, count, current, superseded, told_again in versions:
            assert count == current + superseded + told_again
            assert listed.get(delivery_id, 0) == (current if worklist else 0), feed
            kept.update(current=current, superseded=superseded, told_again=told_again)
        lost = f"""
            select count(*) from core.{fact}_version as versions
            where not is_current and not exists (
                select from core.{fact}_version as others
                where others.record_key = versions.record_key and others.is_current
            )
        """
        assert _count(connection, lost) == 0, f"a record of {feed} was replaced by nothing"
    assert all(kept[each] for each in ("current", "superseded", "told_again")), kept


def _all(connection: Any, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _count(connection: Any, statement: str, *values: Any) -> int:
    return int(_all(connection, statement, *values)[0][0])
