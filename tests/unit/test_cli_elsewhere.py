"""What the commands do where the platform's parts run elsewhere. Mend: frontdoor/cli/running.py, demo.py, looking.py."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli, platform
from frontdoor.settings import load

DATABASE, API = "FRONTDOOR_DATABASE_URL", "FRONTDOOR_AIRFLOW_API_URL"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("FRONTDOOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRONTDOOR_HOME", str(tmp_path / "home"))

    def started(*_: Any, **__: Any) -> None:
        raise AssertionError("a platform was started")

    monkeypatch.setattr(platform, "up", started)
    return tmp_path / "home"


@pytest.fixture
def api() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"scheduler": {"status": "healthy"}}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("arguments", "setting", "sentence"),
    [
        (["up"], API, "runs elsewhere"),
        (["up", "--no-airflow"], API, "runs elsewhere"),
        (["demo", "--once"], API, "runs elsewhere"),
        (["demo", "--once"], DATABASE, "invented records"),
        (["demo"], DATABASE, "unset it"),
    ],
)
def test_no_second_platform_is_started_and_nothing_invented_is_delivered(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: list[str], setting: str, sentence: str
) -> None:
    monkeypatch.setenv(setting, "http://api-server:8080" if setting == API else "postgresql://frontdoor@db/council")
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert setting in said and sentence in said
    assert not home.exists()


def test_status_asks_the_airflow_that_runs_elsewhere(home: Path, api: str) -> None:
    here = {"FRONTDOOR_HOME": str(home), API: api}
    assert platform.airflow_url(load(here)) == api
    assert platform.airflow_url(load({**here, API: "http://127.0.0.1:9"})) is None
    assert platform.airflow_url(load({"FRONTDOOR_HOME": str(home)})) is None
