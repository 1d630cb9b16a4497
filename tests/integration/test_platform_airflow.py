"""The whole platform as a process of its own: what it opens, what it keeps to itself, and how it ends.

In the order of a life, with one platform: the last tests kill and stop it. Failing? frontdoor/platform/lifecycle.py,
airflow.py, and the logs in HOME/log.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
import pytest

from frontdoor import platform
from frontdoor import settings as setting
from frontdoor.platform import airflow, checks, postgres, processes
from frontdoor.settings import Settings

START_SECONDS = 240


@dataclass
class Running:
    settings: Settings
    output: Path
    child: subprocess.Popen[bytes] | None = None
    _streams: list[IO[bytes]] = field(default_factory=list)

    def start(self) -> None:
        stream = self.output.open("wb")
        self._streams.append(stream)
        self.child = subprocess.Popen(
            [sys.executable, "-m", "frontdoor.platform"],
            env={**setting.inherited_environment(), **setting.as_environment(self.settings), "PYTHONUNBUFFERED": "1"},
            cwd=airflow.REPOSITORY,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while "Ready: " not in self.said():
            assert self.child.poll() is None, f"it ended: {self.said()}"
            assert time.monotonic() < deadline, f"not ready: {self.said()}"
            time.sleep(0.2)

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def close(self) -> None:
        if self.child and self.child.poll() is None:
            self.child.terminate()
            self.child.wait(60)
        platform.down(self.settings)
        for stream in self._streams:
            stream.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("platform")
    one = Running(setting.load({"FRONTDOOR_HOME": str(folder / "home")}), folder / "said")
    try:
        one.start()
        yield one
    finally:
        one.close()


def test_everything_listens_on_loopback_alone(running: Running) -> None:
    server = postgres.running_pid(running.settings)
    assert server is not None
    listening = [
        (connection.laddr.ip, connection.laddr.port)
        for process in [psutil.Process(server), *processes.members(running.settings.home)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    described = airflow.describe(running.settings)
    assert described is not None
    assert {port for _, port in listening} >= {described.port}
    assert {address for address, _ in listening} == {"127.0.0.1"}


def test_second_up_finds_the_running_platform_and_leaves_it_running(running: Running) -> None:
    before = platform.status(running.settings)
    said: list[str] = []
    with platform.up(running.settings, say=said.append) as found:
        assert not found.is_supervisor
        assert found.airflow is not None
        assert found.airflow.url == before.airflow_url
    assert said == ["The platform is up already; using it."]
    assert platform.status(running.settings) == before
    assert set(before.processes) == {"supervisor", "database", *airflow.PARTS}


def test_secrets_are_files_for_their_owner_and_stand_on_no_command_line(running: Running) -> None:
    home = running.settings.home
    secret_files = [*(home / "secrets").iterdir(), home / "pgpass", home / "airflow" / "airflow.cfg"]
    for path in secret_files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    words = [line.rsplit(":", 1)[1] for line in (home / "pgpass").read_text().splitlines()]
    words += json.loads((home / "secrets" / "airflow_keys.json").read_text()).values()
    words += json.loads((home / "secrets" / "airflow_admin.json").read_text()).values()
    assert len(words) >= 6
    shown = [running.said()]
    for process in processes.members(home):
        shown += [*process.cmdline(), *process.environ().values()]
    shown += [path.read_text(errors="replace") for path in (home / "log").rglob("*.log")]
    assert not [word for word in words if any(word in text for text in shown)]


def test_airflow_lets_nobody_in_without_the_generated_password(running: Running) -> None:
    described = airflow.describe(running.settings)
    assert described is not None
    password = json.loads(described.passwords_file.read_text())["admin"]
    assert _asked_for_a_token(described.url, password) == 201
    assert _asked_for_a_token(described.url, "admin") == 401
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{described.url}/api/v2/dags", timeout=10)


def test_doctor_finds_the_running_platform_well(running: Running) -> None:
    # A busy machine may answer one look too late: the doctor gives Airflow three seconds.
    deadline = time.monotonic() + 30
    while ill := [check for check in checks.doctor(running.settings) if not check.ok]:
        assert time.monotonic() < deadline, ill


def test_killed_part_is_running_again_within_seconds(running: Running) -> None:
    before = platform.status(running.settings).processes
    os.kill(before["triggerer"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while platform.status(running.settings).processes.get("triggerer") in (None, before["triggerer"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "Airflow's triggerer ended (code -9)" in running.said()


def test_up_after_the_supervisor_was_killed_ends_what_it_left_and_starts_anew(running: Running) -> None:
    assert running.child is not None
    left = {process.pid for process in processes.members(running.settings.home)}
    server = postgres.running_pid(running.settings)
    running.child.kill()
    running.child.wait()
    assert len(left) > len(airflow.PARTS)
    running.start()
    assert "that an earlier platform had left running" in running.said()
    assert not left & {process.pid for process in processes.members(running.settings.home)}
    assert postgres.running_pid(running.settings) == server


def test_termination_ends_every_process_the_database_last(running: Running) -> None:
    assert running.child is not None
    running.child.terminate()
    assert running.child.wait(60) == 0
    assert processes.members(running.settings.home) == []
    assert postgres.running_pid(running.settings) is None
    assert platform.status(running.settings) == platform.Status(None, None, {})
    log = (running.settings.home / "log" / "postgres.log").read_text()
    assert log.rstrip().endswith("database system is shut down")


def _asked_for_a_token(url: str, password: str) -> int:
    body = json.dumps({"username": "admin", "password": password}).encode()
    request = urllib.request.Request(f"{url}/auth/token", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
