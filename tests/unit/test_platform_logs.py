"""The platform's own logs: their shape, and that they stay small. Mend: frontdoor/platform/logs.py."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from frontdoor.platform import logs
from frontdoor.settings import load


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_line_of_the_supervisor_is_of_the_shape_that_is_set(tmp_path: Path, log_format: str) -> None:
    settings = load({"FRONTDOOR_HOME": str(tmp_path), "FRONTDOOR_LOG_FORMAT": log_format})
    logs.write_line(settings, "Stopped.")
    logs.write_line(settings, "Started.")
    lines = (tmp_path / "log" / "supervisor.log").read_text().splitlines()
    assert len(lines) == 2
    if log_format == "json":
        assert [json.loads(line)["message"] for line in lines] == ["Stopped.", "Started."]
    else:
        assert [line.split(" ", 1)[1] for line in lines] == ["Stopped.", "Started."]


def test_old_logs_go_large_ones_keep_their_end_and_whoever_writes_goes_on(tmp_path: Path) -> None:
    long_ago = time.time() - (logs.KEPT_DAYS + 1) * 86400
    old, fresh, part = tmp_path / "tasks" / "old.log", tmp_path / "tasks2" / "fresh.log", tmp_path / "scheduler.log"
    for path in (old, fresh):
        path.parent.mkdir()
        path.write_text("said\n")
    with part.open("ab") as writer:
        writer.write(b"first line\n" + b"x" * 99 + b"\n" + b"another line\n" * (logs.LARGEST_BYTES // 10))
        writer.flush()
        for path in (old, old.parent, part):
            os.utime(path, (long_ago, long_ago))
        assert logs.tidy(tmp_path) == 1
        writer.write(b"last line\n")
    os.utime(old.parent, (long_ago, long_ago))
    assert logs.tidy(tmp_path) == 0
    assert not old.parent.exists() and fresh.read_text() == "said\n"
    lines = part.read_bytes().splitlines()
    assert part.stat().st_size <= logs.LARGEST_BYTES // 2 + 20
    assert (lines[0], lines[-2], lines[-1]) == (b"another line", b"another line", b"last line")
