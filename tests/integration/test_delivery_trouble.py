"""Trouble half way: what the machine's fault costs, what was given up, a replay that dies. Mend: frontdoor/delivery."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from frontdoor import cli, delivery, intake
from frontdoor import settings as setting
from frontdoor.contract import load_house
from frontdoor.delivery import lanes
from frontdoor.prepare import prepare
from frontdoor.simulator.sample import sample_records

RECORDS = 6


@pytest.fixture(scope="module")
def ready(database: Any) -> Any:
    prepare(database.settings)
    return database


def _land(database: Any, seed: int, **options: Any) -> None:
    folder = database.settings.landing / "wearside_police" / "police"
    payload = sample_records(load_house(), "wearside_police", "police", RECORDS, seed=seed, **options)
    (folder / ".incoming").write_bytes(payload)
    time.sleep(0.02)
    os.rename(folder / ".incoming", folder / f"{time.time_ns()}.csv")


def _rows(database: Any, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    connection = database.connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()
    finally:
        connection.close()


def _newest(database: Any) -> tuple[int, str, int]:
    ((delivery_id, status, attempts),) = _rows(
        database, "select delivery_id, status, attempts from intake.deliveries order by delivery_id desc limit 1"
    )
    return delivery_id, status, attempts


def test_trouble_of_the_machine_costs_a_delivery_no_attempt(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    _land(ready, 1)
    with monkeypatch.context() as patched:
        patched.setattr(intake, "load", no_space)
        with pytest.raises(OSError):
            delivery.drain(ready.settings)
    assert _newest(ready)[1:] == ("received", 0)
    assert delivery.drain(ready.settings).published == 1


def test_file_that_fails_again_and_again_is_given_up_and_a_replay_takes_it_up(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> str:
        raise ValueError("our reader has a bug")

    _land(ready, 2)
    with monkeypatch.context() as patched:
        patched.setattr(intake, "load", broken)
        delivery.drain(ready.settings)
    delivery_id, status, attempts = _newest(ready)
    assert (status, attempts) == ("dead_letter", lanes.LOAD_ATTEMPTS + 1)
    assert _rows(ready, "select count(*) from quality.dead_letters where resolved_at is null") == [(1,)]

    for name, value in setting.as_environment(ready.settings).items():
        monkeypatch.setenv(name, value)
    assert cli.main(["replay", "--delivery", str(delivery_id)]) == 0
    delivery.ingest(ready.settings)
    assert _newest(ready)[1] == "published"
    assert _rows(ready, "select count(*) from worklists.triage where delivery_id = %s", delivery_id) == [(RECORDS,)]
    assert _rows(ready, "select count(*) from quality.dead_letters where resolved_at is null") == [(0,)]


def test_file_whose_key_was_lost_holds_no_other_and_a_replay_takes_it_up_when_the_key_is_back(ready: Any) -> None:
    _land(ready, 21)
    connection = ready.connect()
    assert intake.take(connection, ready.settings, load_house()) == 1
    connection.close()
    key_file = ready.settings.archive_key
    key_file.rename(key_file.with_name("elsewhere"))
    _land(ready, 22)
    delivery.ingest(ready.settings)
    (lost, first), (_, second) = _rows(
        ready, "select delivery_id, status from intake.deliveries order by delivery_id desc limit 2"
    )[::-1]
    assert (first, second) == ("dead_letter", "published")
    key_file.with_name("elsewhere").rename(key_file)
    assert delivery.replay(ready.settings, [lost]) == 1
    assert _rows(ready, "select count(*) from raw.police where _delivery_id = %s", lost) == [(RECORDS,)]
    assert _rows(ready, "select count(*) from quality.dead_letters where resolved_at is null") == [(0,)]


def test_replay_that_dies_half_way_is_finished_by_the_next_drain_without_a_mail(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(ready, 3, break_rule="POL-020")
    delivery.ingest(ready.settings)
    delivery_id, _, _ = _newest(ready)
    found = "select record_no, rule_id, state, found_at from quality.findings where delivery_id = %s order by 1, 2"
    before, messages = _rows(ready, found, delivery_id), _rows(ready, "select count(*) from alerts.messages")
    assert before

    def killed(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("frontdoor.delivery.replaying.judge_and_publish", killed)
        with pytest.raises(KeyboardInterrupt):
            delivery.replay(ready.settings, [delivery_id])
    assert _newest(ready)[1] == "loaded"
    assert _rows(ready, "select count(*) from worklists.triage where delivery_id = %s", delivery_id) == [(RECORDS,)]

    delivery.ingest(ready.settings)
    assert _newest(ready)[1] == "published"
    assert _rows(ready, found, delivery_id) == before
    assert _rows(ready, "select count(*) from alerts.messages") == messages
    assert _rows(ready, "select count(*) from quality.findings_before_replay") == [(0,)]
