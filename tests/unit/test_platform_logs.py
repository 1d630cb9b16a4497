"""The supervisor's own log. Mend: frontdoor/platform/logs.py."""

from __future__ import annotations

import json
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
