"""What a command prints: one JSON document, or lines for a person. Logs and progress go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

# What goes to stderr is all of one shape, or a collector could not read it.
_shape = {"log_format": "text"}


class UsageMistake(Exception):
    """The command cannot mean what was written; the sentence says what it could mean."""


def emit(document: Any) -> None:
    """Print one JSON document to stdout, times as ISO 8601 in UTC."""
    json.dump(document, sys.stdout, default=_plain, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write("\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print one line to stdout, at once."""
    print(text, flush=True)


def note(text: str, level: str = "info") -> None:
    """Print one line to stderr, at once; where logs are JSON, as one line of the log."""
    if _shape["log_format"] == "json":
        from frontdoor import clock, logbook

        text = logbook.line(clock.now(), level, "frontdoor.cli", text)
    print(text, file=sys.stderr, flush=True)


def fail(sentence: str, wants_json: bool) -> None:
    """Say why the command failed; with --json also as the one document."""
    note(f"frontdoor: {sentence}", "error")
    if wants_json:
        emit({"error": sentence})


def iso(instant: datetime | None) -> str | None:
    """Return 2026-03-02T09:00:00.000000Z, or None."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None


def start_log(log_format: str) -> None:
    """Send our own log to stderr, as text or JSON, which a terminal never gets; other libraries only when they warn."""
    from frontdoor import logbook

    log_format = logbook.TEXT if sys.stderr.isatty() else log_format
    logbook.start(log_format)
    _shape["log_format"] = log_format


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show on a terminal that something is going on; elsewhere one plain line."""
    if not sys.stderr.isatty() or _shape["log_format"] == "json":
        note(what)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path | UUID):
        return str(value)
    raise TypeError(f"not a JSON value: {type(value).__name__}")
