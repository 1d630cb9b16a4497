"""What a line of the log says, and whom it is about: text for a person, or one JSON object a line for a collector.

``about`` binds ids while something is worked on, and every line that is logged meanwhile carries them, whoever writes
it. The variables bear the prefix by which structlog finds them: so Airflow, whose task logs are JSON already, writes
the same ids, and none of our modules imports structlog, which takes a third of a second.

Never a value. Our own sentences are made of ids, counts and classes of errors; of an error only what
``database.safe_error`` lets out is written, never its text or its trace. A line of a library nobody has read for
what it quotes: of it only where it was written is said.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

from frontdoor.database import safe_error

TEXT, JSON = "text", "json"
OURS = "frontdoor"
LEFT_OUT = "a library said something; its text is left out, for it may quote a record"

# What was done, step by step: for collectors and for Airflow's task logs. A command tells a person itself what it did.
steps = logging.getLogger("frontdoor.steps")

# In the order in which they are written.
_IDS: dict[str, ContextVar[Any]] = {
    name: ContextVar(f"structlog_{name}", default=None)
    for name in ("delivery_id", "delivery_ids", "file_id", "agency", "feed", "build_id")
}


@contextmanager
def about(**ids: Any) -> Iterator[None]:
    """Let every line that is logged within carry these ids: delivery_id(s), file_id, agency, feed, build_id.

    Agencies and feeds by our own codes only: a landing folder that nobody knows may be called anything.
    """
    bound = [(_IDS[name], _IDS[name].set(value)) for name, value in ids.items() if value is not None]
    try:
        yield
    finally:
        for variable, token in reversed(bound):
            variable.reset(token)


def bound() -> dict[str, Any]:
    """The ids that a line logged now would carry."""
    return {name: variable.get() for name, variable in _IDS.items() if variable.get() is not None}


def line(at: datetime, level: str, logger: str, message: str, **more: Any) -> str:
    """One JSON object without a line break: time in UTC, level, logger, message, the ids bound."""
    said = {
        "time": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level.lower(),
        "logger": logger,
        "message": message,
        **bound(),
        **more,
    }
    return json.dumps(said, default=str)  # ASCII: some readers break lines also at U+2028


class JsonFormatter(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; of an error its class and SQLSTATE."""
        at = datetime.fromtimestamp(record.created, UTC)
        more: dict[str, Any] = {}
        if record.exc_info and record.exc_info[1] is not None:
            more["error"] = safe_error(record.exc_info[1])
        if record.name.split(".")[0] == OURS:
            return line(at, record.levelname, record.name, record.getMessage(), **more)
        return line(at, record.levelname, record.name, LEFT_OUT, where=f"{record.module}:{record.lineno}", **more)


class TextFormatter(logging.Formatter):
    """One line a record, the ids behind it."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Write one record."""
        ids = " ".join(f"{name}={value}" for name, value in bound().items())
        return super().formatMessage(record) + (f" [{ids}]" if ids else "")

    def formatException(self, ei: Any) -> str:
        """Say of an error its class and SQLSTATE."""
        return safe_error(ei[1]) if ei and ei[1] is not None else ""


def start(log_format: str, stream: IO[str] | None = None) -> None:
    """Send our own log to `stream` (stderr); other libraries only when they warn."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == JSON else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger(OURS).setLevel(logging.INFO)
    steps.setLevel(logging.INFO if log_format == JSON else logging.WARNING)
