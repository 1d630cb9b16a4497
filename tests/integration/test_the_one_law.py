"""No gate ever holds a child: whatever is in a record, and whatever fails, every record is on the list in the next build.

Mend: the room that failed is named by the test; the order of rooms is frontdoor/delivery, the net under the list is
frontdoor/warehouse/safety_net.py.
"""

from __future__ import annotations

import csv
import io
import os
import time
from typing import Any

import pytest

from frontdoor import delivery, quality
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.simulator.sample import sample_records

RECORDS = 12
HOSTILE = (
    "'; drop table raw.police; --",
    '"',
    "{{ 7 * 7 }} {% raise %} %s %(x)s {batch} $1 :name \\x00 \\N \\.",
    "=cmd|' /C calc'!A0",
    "9" * 400,
    "-infinity",
    "99999-99-99T99:99:99+99:99",
    "0000-00-00",
    "\u202e\u0000\u200b\ufeff",
    "\U0001d573\U0001d594\U0001f5ff" * 20,
    "line one\nline two\r\nline three",
    "\x01\x02\x1f\x7f",
)


@pytest.fixture(scope="module")
def ready(database: Any) -> Any:
    prepare(database.settings)
    return database


def _land(database: Any, agency: str, feed: str, payload: bytes) -> None:
    folder = database.settings.landing / agency / feed
    (folder / ".incoming").write_bytes(payload)
    time.sleep(0.02)
    os.rename(folder / ".incoming", folder / f"{time.time_ns()}.csv")


def _rows(database: Any, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    connection = database.connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def _last_delivery(database: Any) -> int:
    return int(_rows(database, "select max(delivery_id) from intake.deliveries")[0][0])


def _listed(database: Any, delivery_id: int) -> set[int]:
    return {
        no for (no,) in _rows(database, "select record_no from worklists.triage where delivery_id = %s", (delivery_id,))
    }


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_record_with_hostile_text_in_every_column_is_listed_with_all_others(ready: Any, text: str) -> None:
    good = sample_records(load_house(), "wearside_police", "police", RECORDS, seed=HOSTILE.index(text))
    rows = list(csv.reader(io.StringIO(good.decode("utf-8-sig"))))
    rows[5] = [text] * len(rows[0])
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    _land(ready, "wearside_police", "police", written.getvalue().encode())
    delivery.ingest(ready.settings)
    newest = _last_delivery(ready)
    assert _listed(ready, newest) == set(range(1, RECORDS + 1))
    assert _rows(
        ready, "select status, built_in is not null from intake.deliveries where delivery_id = %s", (newest,)
    ) == [("published", True)]
    assert _rows(ready, "select models_failed from warehouse.builds order by build_id desc limit 1") == [([],)]
    others = _rows(
        ready, "select count(*) from quality.findings where delivery_id = %s and record_no not in (0, 5)", (newest,)
    )
    assert others == [(0,)], "the hostile record changed what is said of others"


def test_check_that_raises_is_a_row_and_holds_nothing(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("Great Expectations is not itself today")

    monkeypatch.setattr(quality, "judge", broken)
    _land(
        ready, "wearside_police", "police", sample_records(load_house(), "wearside_police", "police", RECORDS, seed=71)
    )
    delivery.ingest(ready.settings)
    newest = _last_delivery(ready)
    assert _listed(ready, newest) == set(range(1, RECORDS + 1))
    assert _rows(ready, "select status, verdict from intake.deliveries where delivery_id = %s", (newest,)) == [
        ("published", "accepted_with_findings")
    ]
    said = _rows(ready, "select distinct status from quality.check_results where delivery_id = %s", (newest,))
    assert said == [("not_run",)]


@pytest.mark.parametrize("model", ["core.fct_notification_version", "core.fct_sufficiency", "core.dim_child"])
def test_model_that_fails_leaves_every_record_on_the_list_and_is_built_afterwards(ready: Any, model: str) -> None:
    first_column = _rows(
        ready, "select attname from pg_attribute where attrelid = %s::regclass and attnum = 1", (model,)
    )
    ((column,),) = first_column
    _rows(ready, f"alter table {model} add constraint made_to_fail check ({column} is null) not valid")
    try:
        seed = 900 + len(model)
        _land(
            ready,
            "wearside_police",
            "police",
            sample_records(load_house(), "wearside_police", "police", RECORDS, seed=seed),
        )
        delivery.ingest(ready.settings)
        newest = _last_delivery(ready)
        assert _listed(ready, newest) == set(range(1, RECORDS + 1))
        assert any(
            model.split(".")[1] in failed
            for (failed,) in _rows(ready, "select models_failed from warehouse.builds order by build_id desc limit 3")
        ), "the model did not fail: the test showed nothing"
    finally:
        _rows(ready, f"alter table {model} drop constraint made_to_fail")
    delivery.ingest(ready.settings)
    assert _listed(ready, newest) == set(range(1, RECORDS + 1))
    assert _rows(ready, "select built_in is not null from intake.deliveries where delivery_id = %s", (newest,)) == [
        (True,)
    ]
    assert _rows(ready, "select count(*) from core.fct_notification_version where delivery_id = %s", (newest,)) == [
        (RECORDS,)
    ]


def test_replay_keeps_records_listed_and_what_was_found_first(ready: Any) -> None:
    payload = sample_records(load_house(), "wearside_police", "police", RECORDS, seed=31, break_rule="POL-020")
    _land(ready, "wearside_police", "police", payload)
    delivery.ingest(ready.settings)
    newest = _last_delivery(ready)
    found = "select record_no, rule_id, state, found_at from quality.findings where delivery_id = %s order by 1, 2"
    before = _rows(ready, found, (newest,))
    assert before
    messages = _rows(ready, "select count(*) from alerts.messages")
    assert delivery.replay(ready.settings, [newest]) == 1
    assert _listed(ready, newest) == set(range(1, RECORDS + 1))
    delivery.ingest(ready.settings)
    assert _rows(ready, found, (newest,)) == before
    assert _listed(ready, newest) == set(range(1, RECORDS + 1))
    assert _rows(ready, "select count(*) from alerts.messages") == messages, "a replay without --notify mailed"
