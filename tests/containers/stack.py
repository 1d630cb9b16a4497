"""One compose project: up, looked at, hurt, and taken away with all that it kept."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from frontdoor import settings as settings_module
from frontdoor.database import DatabaseUnavailable
from frontdoor.settings import Settings
from tests.containers import images
from tests.containers.images import podman
from tests.live import Live

COMPOSE = images.ROOT / "docker" / "compose.yaml"
ONCE = {"secrets", "create", "migrate"}


@dataclass
class Stack:
    """The project of one profile, under a name of its own."""

    profile: str
    name: str
    port: int
    started_at: float = field(default_factory=time.monotonic)

    def up(self) -> None:
        """`compose up -d`; returns when the containers are started, not when they are ready."""
        self.started_at = time.monotonic()
        self._compose("--profile", self.profile, "up", "-d")

    @contextmanager
    def worker_elsewhere(self) -> Iterator[str]:
        """A worker as on another host, by the name of its container: a project, home and secrets of its own.

        What it shares with this project is a network, and the folders of files as a share is mounted.
        """
        other = Stack("workers", f"{self.name}elsewhere", 0)
        podman("volume", "create", f"{other.name}_secrets")
        try:
            subprocess.run(["cp", "-a", f"{self.volume('secrets')}/.", str(other.volume("secrets"))], check=True)
            shared = {each.upper(): str(self.volume(each)) for each in ("landing", "archive", "receipts")}
            other._compose("--profile", "workers", "up", "-d", "--no-deps", "worker-1", **shared)
            podman("network", "connect", f"{self.name}_house", other.container("worker-1"))
            yield other.container("worker-1")
        finally:
            other.down()

    def down(self) -> None:
        """Stop everything, and take away networks and volumes."""
        self._compose("--profile", self.profile, "down", "--volumes", "--timeout", "5", check=False)

    def services(self) -> list[str]:
        """The services that stay, in the order of their names."""
        names = podman("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{self.name}_").split()
        return sorted({name.removeprefix(f"{self.name}_").rpartition("_")[0] for name in names} - ONCE)

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.name}_{service}_1"

    def main_process(self, service: str) -> int:
        """The id, on this machine, of a container's first process; 0 when it does not run."""
        return int(podman("inspect", self.container(service), "--format", "{{.State.Pid}}"))

    def processes(self, service: str) -> list[int]:
        """The ids, on this machine, of all its processes."""
        listed = podman("top", self.container(service), "hpid").split()[1:]
        return [int(pid) for pid in listed if pid.isdigit()]  # "?" is one that ended meanwhile

    def kill(self, service: str) -> None:
        """kill -9 of the first process, and so of all: as if the machine's memory had run out."""
        os.kill(self.main_process(service), signal.SIGKILL)

    def is_well(self, service: str) -> bool:
        """What the service's own health check says now. Nobody asks it by itself where there is no systemd."""
        asking = ["podman", "healthcheck", "run", self.container(service)]
        try:
            return subprocess.run(asking, capture_output=True, timeout=60, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def wait_until_well(self, seconds: float) -> None:
        """Return when all services are; raises `TimeoutError` with the names of those that are not."""
        deadline = time.monotonic() + seconds
        waiting = self.services()
        while waiting := [service for service in waiting if not self.is_well(service)]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not well: {', '.join(waiting)}: podman logs {self.container(waiting[0])}")
            time.sleep(1)

    def execute(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command within a container; return what it printed."""
        return podman("exec", self.container(service), *command, seconds=300, check=check)

    def address(self, service: str) -> str:
        """The address of a container in the project's network."""
        found = json.loads(podman("inspect", self.container(service)))[0]
        (network,) = found["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def volume(self, name: str) -> Path:
        """Where a volume lies on this machine."""
        return Path(podman("volume", "inspect", f"{self.name}_{name}", "--format", "{{.Mountpoint}}"))

    def memory_bytes(self) -> int:
        """What all processes of all containers hold, shared pages counted once."""
        total = 0
        for service in self.services():
            for pid in self.processes(service):
                try:
                    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                except OSError:
                    continue  # ended meanwhile
                total += sum(1024 * int(kilobytes) for kilobytes in re.findall(r"^Pss:\s+(\d+) kB", rollup, re.M))
        return total

    def _compose(self, *arguments: str, check: bool = True, **variables: str) -> None:
        subprocess.run(
            [str(Path(sys.executable).with_name("podman-compose")), "-p", self.name, "-f", str(COMPOSE), *arguments],
            env={
                **os.environ,
                "BUILDAH_ISOLATION": "chroot",
                "FRONTDOOR_IMAGE": images.HOUSE,
                "POSTGRES_IMAGE": images.POSTGRES,
                "REDIS_IMAGE": images.REDIS,
                "FRONTDOOR_LISTEN": f"127.0.0.1:{self.port}",
                "FRONTDOOR_AIRFLOW_URL": f"http://127.0.0.1:{self.port}",
                "FRONTDOOR_SWEEP_SECONDS": "30",
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=check,
            timeout=300,
        )


class LiveStack(Live):
    """A running compose project, for the tests that know a running platform: its files by way of the volumes."""

    def __init__(self, stack: Stack) -> None:
        """Find the volumes; the database is found anew each time, for its container's address changes."""
        self.stack = stack
        super().__init__(self._settings(), None)

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """As ever; a server that was killed a moment ago is waited for."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return super().rows(sql, parameters)
            except (DatabaseUnavailable, psycopg2.OperationalError, RuntimeError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
                self.settings = self._settings()

    def wait_until(self, true: Callable[[], bool], seconds: float, what: str) -> float:
        """As ever, but less often: every question of a container costs a process."""
        return super().wait_until(lambda: true() or bool(time.sleep(0.2)), seconds, what)

    def _settings(self) -> Settings:
        secrets, home = self.stack.volume("secrets"), self.stack.volume("home")
        url = (
            f"postgresql://frontdoor@postgres:5432/frontdoor?hostaddr={self.stack.address('postgres')}"
            f"&passfile={secrets / 'pgpass'}&sslmode=verify-full&sslrootcert={secrets / 'postgres_authority.crt'}"
        )
        return settings_module.load(
            {
                "FRONTDOOR_HOME": str(home),
                "FRONTDOOR_LANDING": str(self.stack.volume("landing")),
                "FRONTDOOR_RECEIPTS": str(self.stack.volume("receipts")),
                "FRONTDOOR_DATABASE_URL": url,
            }
        )
