"""Lines of the log: one JSON object each, with ids and without values. Mend: frontdoor/logbook.py."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from frontdoor import logbook

CANARY = "Zorvika Quelmarsh, 2011-01-01"


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def write(stream: io.StringIO) -> Iterator[Any]:
    """Return a way to log through the JSON formatter, whatever pytest did to the root logger."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logbook.JsonFormatter())
    loggers = [logging.getLogger(name) for name in ("frontdoor.delivery.lanes", "a_library.inner")]
    for logger in loggers:
        logger.addHandler(handler)
    yield lambda ours: loggers[0] if ours else loggers[1]
    for logger in loggers:
        logger.removeHandler(handler)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(each) for each in stream.getvalue().splitlines()]


def test_line_carries_the_ids_that_are_bound_and_no_others(write: Any, stream: io.StringIO) -> None:
    with logbook.about(delivery_id=7, agency="wearside_police", feed="police", file_id=None):
        write(True).error("attempt %s failed", 2)
    write(True).warning("afterwards")
    first, second = lines(stream)
    assert first["time"].endswith("Z") and "T" in first["time"]
    assert {name: first[name] for name in first if name != "time"} == {
        "level": "error",
        "logger": "frontdoor.delivery.lanes",
        "message": "attempt 2 failed",
        "delivery_id": 7,
        "agency": "wearside_police",
        "feed": "police",
    }
    assert second.keys() == {"time", "level", "logger", "message"}


def test_inner_ids_stand_beside_the_outer_ones_and_go_when_an_error_leaves(write: Any, stream: io.StringIO) -> None:
    with logbook.about(feed="police"):
        with pytest.raises(ValueError), logbook.about(delivery_id=1, feed="visit"):
            assert logbook.bound() == {"delivery_id": 1, "feed": "visit"}
            raise ValueError
        assert logbook.bound() == {"feed": "police"}
    assert logbook.bound() == {}


def test_line_break_in_a_message_stays_in_its_line(write: Any, stream: io.StringIO) -> None:
    write(True).error("one\ntwo \u2028 three")
    assert len(stream.getvalue().split("\n")) == 2
    assert lines(stream)[0]["message"] == "one\ntwo \u2028 three"


def test_text_of_an_error_and_of_a_library_is_left_out(write: Any, stream: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        write(True).exception("it failed")
        write(False).exception("could not cast %s", CANARY)
    write(False).warning(f"bad value {CANARY}")
    assert [each.get("error") for each in lines(stream)] == ["ValueError", "ValueError", None]
    assert lines(stream)[2]["where"].startswith("test_logbook:")
    assert "Zorvika" not in stream.getvalue()


def test_text_format_writes_ids_and_leaves_the_trace_out() -> None:
    record = logging.LogRecord("frontdoor.x", logging.ERROR, "x.py", 1, "said", (), None)
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    with logbook.about(delivery_id=7):
        said = logbook.TextFormatter().format(record)
    assert said == "ERROR frontdoor.x: said [delivery_id=7]\nValueError"


def test_airflow_finds_the_same_ids_in_its_task_logs() -> None:
    with logbook.about(delivery_id=7, build_id=3):
        merged = structlog.contextvars.merge_contextvars(None, "info", {"event": "said"})
    assert merged["delivery_id"] == 7 and merged["build_id"] == 3
    merged = structlog.contextvars.merge_contextvars(None, "info", {"event": "said"})
    assert "delivery_id" not in merged
