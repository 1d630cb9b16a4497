"""A receiver that refuses some events, is slow or away, gets the rest, each once. Mend: frontdoor/monitoring/telling.py."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from frontdoor import clock
from frontdoor.monitoring import left, telling
from frontdoor.monitoring import tell as tell_all
from frontdoor.monitoring.lineage import Model
from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

FILES = 20
# Each file: it was received (loading begins); it was loaded (loading ends, judging begins).
EVENTS = 3 * FILES


class Receiver:
    """Answers as it is told, and counts what it was sent and what it took."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], int] = lambda _: 200
        self.sent: Counter[str] = Counter()
        self.took: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                which = f"{event['job']['name']} {event.get('run', {}).get('runId')} {event.get('eventType')}"
                outer.sent[which] += 1
                status = outer.answer(event)
                if status == 200:
                    outer.took[which] += 1
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def zone(database: Database) -> Iterator[Place]:
    from frontdoor.warehouse.raw_tables import ensure_raw_tables

    connection, house = database.connect(), intake_house.house()
    ensure_raw_tables(connection, house)
    place = Place(database.settings, connection, house)
    for number in range(FILES):
        place.drop(b"notification_ref,child_ref\nN%d,C%d\n" % (number, number), f"{number}.csv")
    assert place.take() == FILES and place.load() == ["loaded"] * FILES
    yield place
    connection.close()


@pytest.fixture
def place(zone: Place) -> Iterator[Place]:
    zone.do("delete from warehouse.lineage_told")
    yield zone
    zone.do("delete from warehouse.builds")
    (zone.settings.home / "run" / "lineage_left.json").unlink(missing_ok=True)


def tell(place: Place, receiver: Receiver) -> int:
    try:
        return telling.tell(place.connection, place.settings, receiver.url)
    finally:
        place.connection.rollback()


def later(monkeypatch: pytest.MonkeyPatch, **after: float) -> None:
    now: Callable[[], datetime] = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(**after))


@pytest.mark.parametrize("status", [400, 422, 500])
def test_receiver_that_refuses_every_seventh_request_gets_all_of_them_once(
    place: Place, receiver: Receiver, status: int
) -> None:
    at: list[int] = []

    def answer(_: object) -> int:
        at.append(0)
        return status if len(at) % 7 == 0 else 200

    receiver.answer = answer
    assert tell(place, receiver) == EVENTS - EVENTS // 7
    assert tell(place, receiver) > 0
    tell(place, receiver)
    assert len(receiver.took) == EVENTS and set(receiver.took.values()) == {1}
    assert tell(place, receiver) == 0 and len(at) == sum(receiver.sent.values())
    assert not json.loads((place.settings.home / "run" / "lineage_left.json").read_text())


def test_event_that_is_always_refused_is_tried_more_and_more_rarely_and_at_last_given_up(
    place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = []

    def answer(event: dict[str, Any]) -> int:
        refused[:] = refused or [event["run"]["runId"]]
        return 422 if [event["run"]["runId"]] == refused and event["eventType"] == "START" else 200

    receiver.answer = answer
    assert tell(place, receiver) == EVENTS - 1
    assert "1 events of lineage were refused and are left, 59 were told" in caplog.text
    for _ in range(60):  # an hour
        later(monkeypatch, minutes=1)
        assert tell(place, receiver) == 0
    (tried,) = {count for count in receiver.sent.values() if count > 1}
    assert 6 <= tried <= 10
    monkeypatch.setattr(left, "MOST_TRIES", tried + 1)
    later(monkeypatch, hours=2)
    tell(place, receiver)
    later(monkeypatch, hours=2)
    tell(place, receiver)
    assert max(receiver.sent.values()) == tried + 1, "it is given up"


def test_slow_receiver_holds_nothing_longer_than_was_set_and_gets_the_rest_later(
    place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "IN_ALL", 1.0)

    def answer(_: object) -> int:
        time.sleep(0.1)
        return 200

    receiver.answer = answer
    began = time.monotonic()
    assert 3 <= tell(place, receiver) <= 10
    assert time.monotonic() - began < 2.0
    receiver.answer = lambda _: 200
    tell(place, receiver)
    assert len(receiver.took) == EVENTS and set(receiver.took.values()) == {1}


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_receiver_that_wants_nothing_is_asked_three_times_a_run_and_loses_nothing(
    place: Place, receiver: Receiver, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answer = lambda _: status
    for run in range(30):
        assert tell(place, receiver) == 0
        assert sum(receiver.sent.values()) <= 3 * (run + 1)
        later(monkeypatch, minutes=1)
    receiver.answer = lambda _: 200
    tell(place, receiver)
    later(monkeypatch, hours=1)
    tell(place, receiver)
    assert len(receiver.took) == EVENTS and set(receiver.took.values()) == {1}


def test_events_at_the_head_that_the_receiver_always_fails_on_block_for_minutes_only(
    place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: set[str] = set()

    def answer(event: dict[str, Any]) -> int:
        if len(heads) < 5:
            heads.add(event["run"]["runId"])
        return 500 if event["run"]["runId"] in heads else 200

    receiver.answer = answer
    for _ in range(10):
        tell(place, receiver)
        later(monkeypatch, minutes=1)
    # The two events of loading each of the five.
    assert {which.split()[1] for which in receiver.sent} - {which.split()[1] for which in receiver.took} == heads
    assert len(receiver.took) == EVENTS - 2 * 5 and set(receiver.took.values()) == {1}


def test_model_that_is_refused_holds_no_build_and_the_others_are_told_once(
    place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [Model(f"m{number}", f"worklists.m{number}", ("raw.police",)) for number in range(5)]
    monkeypatch.setattr(telling, "_models", lambda _: (models, "made_of"))
    place.do(
        "insert into warehouse.builds (as_of, started_at, status, deliveries_count) values (now(), now(), 'running', 0)"
    )
    receiver.answer = lambda event: 400 if event["job"]["name"] == "model_m2" else 200
    assert tell(place, receiver) == EVENTS + 4 + 1
    place.do("update warehouse.builds set status = 'succeeded', ended_at = now()")
    assert tell(place, receiver) == 1
    receiver.answer = lambda _: 200
    place.do("delete from warehouse.lineage_told where subject = 'build' and step = 'END'")
    later(monkeypatch, hours=1)
    assert tell(place, receiver) == 2
    assert set(receiver.took) >= {f"model_m{number} None None" for number in range(5)}
    (again,) = place.one("select count(*) from warehouse.lineage_told where subject = 'project'")
    assert again == 1


def test_run_counts_what_was_taken_also_where_something_was_not(place: Place, receiver: Receiver) -> None:
    at: list[int] = []
    receiver.answer = lambda _: at.append(0) or (200 if len(at) <= 10 else 503)  # type: ignore[func-returns-value]
    settings = replace(place.settings, lineage=receiver.url)
    assert tell_all(settings)["events"] == 10
    assert place.one("select count(*) from warehouse.lineage_told") == (10,), "each file's first is one event"
