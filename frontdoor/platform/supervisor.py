"""Keep the processes of a platform alive: start them, restart what dies, stop them in order.

It is a thread of the process that brought the platform up. A part that dies is started again at once, then after pauses
that grow to half a minute while it keeps dying. What a dead part left running (workers of a killed scheduler) is ended
first: its successor would otherwise run the same task beside it.
"""

import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from frontdoor.platform import airflow, logs, ports, postgres, processes
from frontdoor.platform.airflow import Airflow
from frontdoor.settings import Settings

FIRST_PAUSE, LONGEST_PAUSE, CALM_AFTER = 0.5, 30.0, 60.0
LOOK_SECONDS = 0.5
TIDY_SECONDS = 600.0
# Seconds to end by itself: the scheduler waits for its tasks; the triggerer takes 12 s over nothing that is missed.
PATIENCE = {"dag-processor": 2.0, "triggerer": 2.0, "scheduler": 5.0, "api-server": 3.0}

Say = Callable[[str], None]


@dataclass
class _Part:
    """One process that should run."""

    name: str
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    not_before: float = 0.0


@dataclass
class Supervisor:
    """Watches the database and, if there is one, Airflow's processes."""

    settings: Settings
    airflow: Airflow | None
    say: Say
    has_database: bool = True
    # Configures Airflow anew on another port, for when somebody else took ours while it was down.
    move: Callable[[], Airflow] | None = None
    _parts: list[_Part] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the parts and the thread that watches them."""
        if self.airflow:
            # The API first: it is the slowest to answer, and the others can come up meanwhile.
            self._parts = [_Part(name) for name in reversed(airflow.PARTS)]
            for part in self._parts:
                self._launch(part)
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, then stop every part and whatever it started."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        api = [part for part in self._parts if part.name == "api-server"]
        for parts in ([part for part in self._parts if part not in api], api):  # tasks report to the API until they end
            self._end(parts)

    def _end(self, parts: list[_Part]) -> None:
        asked_at = time.monotonic()
        for part in parts:
            if part.child and part.child.poll() is None:
                part.child.terminate()
        for part in sorted(parts, key=lambda part: PATIENCE[part.name]):
            if part.child:
                with suppress(subprocess.TimeoutExpired):
                    part.child.wait(max(0.0, asked_at + PATIENCE[part.name] - time.monotonic()))
            # What is left is killed, tasks too: each of their steps commits with its state, so nothing is lost.
            processes.end_members(self.settings.home, [part.name], patience=0.0)
            if part.child:
                part.child.wait()
            processes.forget(self.settings.home / "run", part.name)

    def _launch(self, part: _Part) -> None:
        assert self.airflow is not None
        home = self.settings.home
        with logs.open_log(home, f"airflow-{part.name}") as stream:
            part.child = subprocess.Popen(
                airflow.command(part.name, self.airflow.port),
                env=airflow.environment(self.settings, part.name),
                cwd=home / "airflow",
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops parts in order
                umask=0o077,
            )
        part.started_at = time.monotonic()
        processes.note(home / "run", part.name, part.child.pid)

    def _watch(self) -> None:
        tidied_at = time.monotonic()
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                if self.has_database and postgres.running_pid(self.settings) is None:
                    self._tell("The database had stopped; starting it again.")
                    postgres.start(self.settings, say=self._tell)
                for part in self._parts:
                    self._look_at(part)
                if time.monotonic() - tidied_at > TIDY_SECONDS:
                    tidied_at = time.monotonic()
                    logs.tidy(self.settings.home / "log")
            except Exception as error:  # the watcher must outlive whatever it watches
                self._tell(f"The supervisor could not finish a round: {type(error).__name__}")

    def _look_at(self, part: _Part) -> None:
        now = time.monotonic()
        if part.child is not None:
            code = part.child.poll()
            if code is None:
                if now - part.started_at > CALM_AFTER:
                    part.pause = FIRST_PAUSE
                return
            part.child = None
            part.not_before = now + part.pause
            self._tell(f"Airflow's {part.name} ended (code {code}); starting it again in {part.pause:g} s.")
            part.pause = min(LONGEST_PAUSE, part.pause * 2)
            processes.end_members(self.settings.home, [part.name], patience=0.0)
            if part.name == "api-server":
                self._move_if_taken()
        if now >= part.not_before and not self._stopping.is_set():
            self._launch(part)

    def _move_if_taken(self) -> None:
        if self.airflow is None or self.move is None or ports.is_free(self.airflow.port):
            return
        self.airflow = self.move()
        # The workers know the old address: they are forks of the scheduler, which the next round starts again.
        processes.end_members(self.settings.home, ["scheduler"], patience=0.0)

    def _tell(self, sentence: str) -> None:
        logs.write_line(self.settings, sentence)
        self.say(sentence)
