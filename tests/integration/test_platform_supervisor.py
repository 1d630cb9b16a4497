"""Watching, restarting and ending processes, with small ones in Airflow's place.

Failing? frontdoor/platform/supervisor.py and processes.py.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from frontdoor.platform import airflow, ports, processes
from frontdoor.platform.airflow import Airflow
from frontdoor.platform.supervisor import PATIENCE, Supervisor
from frontdoor.settings import Settings

# Starts a child in a session of its own that no signal but SIGKILL ends, says so, and waits.
STUBBORN = """
import os, pathlib, signal, sys, time
if os.fork() == 0:
    os.setsid()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(300)
"""


@pytest.fixture
def supervised(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Supervisor, list[str]]]:
    for folder in ("run", "log", "airflow"):
        (settings.home / folder).mkdir()
    monkeypatch.setattr(
        airflow,
        "command",
        lambda part, port: [sys.executable, "-c", STUBBORN, str(settings.home / f"grandchild-of-{part}")],
    )
    monkeypatch.setitem(PATIENCE, "scheduler", 1.0)
    said: list[str] = []
    supervisor = Supervisor(settings, Airflow("http://127.0.0.1:1", 1, Path("none")), said.append, has_database=False)
    supervisor.start()
    yield supervisor, said
    supervisor.stop()


def test_dead_part_is_started_again_and_what_it_left_is_ended_first(
    settings: Settings, supervised: tuple[Supervisor, list[str]]
) -> None:
    before = _part(settings, "scheduler")
    grandchild = _grandchild(settings, "scheduler")
    os.kill(before, signal.SIGKILL)
    _eventually(lambda: processes.noted(settings.home / "run", "scheduler") not in (None, before))
    _eventually(lambda: _grandchild(settings, "scheduler") != grandchild)
    assert not _lives(grandchild)
    assert supervised[1] == ["Airflow's scheduler ended (code -9); starting it again in 0.5 s."]
    assert len(_living_parts(settings)) == len(airflow.PARTS)


def test_part_that_keeps_dying_is_started_after_longer_and_longer_pauses(
    settings: Settings, supervised: tuple[Supervisor, list[str]]
) -> None:
    for _ in range(3):
        os.kill(pid := _part(settings, "triggerer"), signal.SIGKILL)
        _eventually(lambda pid=pid: processes.noted(settings.home / "run", "triggerer") not in (None, pid))
    assert [sentence.split(" in ")[-1] for sentence in supervised[1]] == ["0.5 s.", "1 s.", "2 s."]


def test_stop_ends_every_descendant_also_in_sessions_of_their_own(
    settings: Settings, supervised: tuple[Supervisor, list[str]]
) -> None:
    grandchildren = [_grandchild(settings, part) for part in airflow.PARTS]
    supervised[0].stop()
    assert not [pid for pid in grandchildren if _lives(pid)]
    assert processes.members(settings.home) == []
    assert _living_parts(settings) == []
    time.sleep(1.0)
    assert processes.members(settings.home) == [], "the watcher must not start anything after a stop"


def test_processes_of_another_home_are_left_alone(settings: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = subprocess.Popen(command, env={**processes.mark(settings.home, "scheduler")})
    other = subprocess.Popen(command, env={**processes.mark(tmp_path / "other", "scheduler")})
    try:
        assert processes.end_members(settings.home, patience=5) == 1
        assert ours.wait(5) == -signal.SIGTERM
        assert other.poll() is None
    finally:
        for child in (ours, other):
            child.kill()
            child.wait()


def test_note_of_a_process_whose_id_was_given_to_another_is_not_believed(tmp_path: Path) -> None:
    processes.note(tmp_path, "scheduler", os.getpid())
    assert processes.noted(tmp_path, "scheduler") == os.getpid()
    (tmp_path / "scheduler.json").write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    assert processes.noted(tmp_path, "scheduler") is None
    (tmp_path / "scheduler.json").write_text("half wri")
    assert processes.noted(tmp_path, "scheduler") is None


def test_two_that_want_one_port_get_two() -> None:
    said: list[str] = []
    wanted = ports.choose_port(0, "Nobody's", said.append)
    first, first_held = ports.reserve_port(wanted, "The first's", said.append)
    second, second_held = ports.reserve_port(wanted, "The second's", said.append)
    first_held.close()
    second_held.close()
    assert first == wanted != second
    assert said == [f"The second's port {wanted} is taken; using {second}."]


def _part(settings: Settings, part: str) -> int:
    _grandchild(settings, part)
    pid = processes.noted(settings.home / "run", part)
    assert pid is not None
    return pid


def _grandchild(settings: Settings, part: str) -> int:
    path = settings.home / f"grandchild-of-{part}"
    _eventually(lambda: path.exists() and path.read_text() != "")
    return int(path.read_text())


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _living_parts(settings: Settings) -> list[str]:
    return [part for part in airflow.PARTS if processes.noted(settings.home / "run", part) is not None]


def _eventually(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
