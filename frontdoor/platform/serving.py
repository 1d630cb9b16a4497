"""One part of Airflow in the foreground, for a container or a service manager that owns the processes.

`frontdoor up` owns all parts of one machine; here each part stands alone, and whoever started it starts it again. All
parts read one set of settings; the keys that they share, and the login, are made once by `make_ready`, after the
databases were made. Airflow's own configuration is written at each start into a folder of the process's own, which may
be in memory: nothing of it is worth keeping, and the password of the broker stands in it.
"""

from __future__ import annotations

import configparser
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg2

from frontdoor import database
from frontdoor.database import DatabaseUnavailable
from frontdoor.platform import airflow, airflow_database
from frontdoor.settings import Settings, SettingsError
from frontdoor.warehouse import schema

Say = Callable[[str], None]

PORT = 8080
# Airflow's name of each part, and of the job that beats for it; a worker answers the broker instead.
PARTS: dict[str, tuple[str, ...]] = {
    "api-server": ("api-server", "--host", "0.0.0.0", "--port", str(PORT)),  # the container's own network, no other
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "worker": ("celery", "worker", "--skip-serve-logs"),
}
JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag-processor": "DagProcessorJob"}
WAIT_SECONDS = 600.0
SILENT_SECONDS = 30.0
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


class NotReady(RuntimeError):
    """The databases were not made ready in time; the message says what to do."""

    is_safe_to_show = True


def make_ready(settings: Settings) -> None:
    """Make what all parts share: folders, keys, Airflow's tables, the login. Safe to repeat. Raises `RuntimeError`."""
    for each in (settings.mail_dir, settings.receipts):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    airflow.make_keys(settings)
    folder = _configure(settings)
    if not airflow.is_migrated(settings):
        _airflow(settings, folder, "db", "migrate")
        airflow.note_migrated(settings)
    if settings.airflow_login == "fab":
        _make_admin(settings, folder)


def serve(settings: Settings, part: str, say: Say) -> NoReturn:
    """Wait until the databases are ready, then become that part. Raises `NotReady`."""
    _wait_until_ready(settings, say)
    folder = _configure(settings)
    os.chdir(folder)
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *PARTS[part]], _environment(settings, part, folder))


def look_at(settings: Settings, part: str) -> str | None:
    """What is wrong with that part on this host, or None: asked of the thing itself, not of its process."""
    if part == "api-server":
        said = airflow.health(airflow.Airflow(f"http://127.0.0.1:{PORT}", PORT, Path()))
        return None if (said.get("metadatabase") or {}).get("status") == "healthy" else "The API does not answer."
    if part == "worker":
        return _look_at_worker(settings)
    with closing(airflow_database.connect(settings)) as opened, opened.cursor() as cursor:
        cursor.execute(
            "select extract(epoch from now() - max(latest_heartbeat)) from job where job_type = %s and hostname = %s",
            (JOBS[part], socket.gethostname()),
        )
        row = cursor.fetchone()
    if row is None or row[0] is None:
        return "It has not given a sign of life yet."
    return None if row[0] < SILENT_SECONDS else f"Its last sign of life is {row[0]:.0f} s old."


def _look_at_worker(settings: Settings) -> str | None:
    from celery import Celery

    asking = Celery(broker=broker_address(settings), set_as_current=False)
    name = f"celery@{socket.gethostname()}"
    answers = asking.control.ping(destination=[name], timeout=5)
    return None if answers else "It does not answer the broker."


def _wait_until_ready(settings: Settings, say: Say) -> None:
    deadline, said = time.monotonic() + WAIT_SECONDS, ""
    while (lacking := _lacking(settings)) is not None:
        if time.monotonic() > deadline:
            raise NotReady(lacking)
        if lacking != said:
            say(f"Waiting. {lacking}")
            said = lacking
        time.sleep(1.0)


def _lacking(settings: Settings) -> str | None:
    """What is still to be made for this version of the code and of Airflow; None when nothing is."""
    to_do = "`frontdoor database migrate` has not been run for this version."
    try:
        with closing(database.connect(settings)) as opened:
            if schema.pending(opened):
                return to_do
        is_ready = airflow.is_migrated(settings) and airflow.keys_file(settings).exists()
    except DatabaseUnavailable as error:
        return str(error)
    except psycopg2.Error:
        return to_do
    return None if is_ready else to_do


def _configure(settings: Settings) -> Path:
    """Write airflow.cfg into a folder of this process's own; return the folder."""
    folder = Path(tempfile.mkdtemp(prefix="airflow-"))
    keys = json.loads(airflow.keys_file(settings).read_text(encoding="utf-8"))
    written = configparser.ConfigParser(interpolation=None)
    written.read_dict(airflow.configuration(settings, PORT, keys))
    written.read_dict(_differences(settings, folder))
    with os.fdopen(os.open(folder / "airflow.cfg", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        written.write(stream)
    return folder


def _differences(settings: Settings, folder: Path) -> dict[str, dict[str, str]]:
    """What is not as on one machine under `frontdoor up`."""
    differences: dict[str, dict[str, str]] = {
        "core": {
            "plugins_folder": str(folder / "plugins"),
            "execution_api_server_url": f"{settings.airflow_api_url}/execution/",
        },
        "api": {"host": "0.0.0.0", "base_url": settings.airflow_url},
    }
    if settings.airflow_login == "fab":
        differences["core"]["auth_manager"] = FAB
        differences["fab"] = {"config_file": str(folder / "webserver_config.py"), "session_backend": "securecookie"}
    if settings.airflow_broker_url:
        by_psycopg2, _ = airflow_database.urls(settings)
        differences["core"]["executor"] = "CeleryExecutor"
        differences["celery"] = {
            "broker_url": broker_address(settings).replace("%", "%%"),
            "result_backend": f"db+{by_psycopg2}".replace("%", "%%"),
            "worker_concurrency": "2",
            "worker_prefetch_multiplier": "1",
            "task_acks_late": "True",
        }
        # A message whose worker died comes again after so many seconds. Long before, the scheduler has noticed and sent
        # the task out anew; what comes late then finds it done and is ignored.
        differences["celery_broker_transport_options"] = {"visibility_timeout": "7200"}
    return differences


def broker_address(settings: Settings) -> str:
    """Return the broker's address with the password of its file, which no log may show. Raises `SettingsError`."""
    parts = urlsplit(settings.airflow_broker_url or "")
    if settings.airflow_broker_password_file is None:
        return urlunsplit(parts)
    try:
        password = settings.airflow_broker_password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"FRONTDOOR_AIRFLOW_BROKER_PASSWORD_FILE cannot be read: {error.strerror}") from None
    login = f"{parts.username or ''}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))


def _make_admin(settings: Settings, folder: Path) -> None:
    password = json.loads(airflow.passwords_file(settings).read_text(encoding="utf-8"))[airflow.ADMIN]
    mailbox = f"{airflow.ADMIN}@frontdoor.invalid"
    name = ("--firstname", "Front", "--lastname", "Door", "--email", mailbox)
    # Asked for twice, and read from standard input: an argument could be read by every process here.
    _airflow(
        settings,
        folder,
        *("users", "create", "--username", airflow.ADMIN, "--role", "Admin", *name),
        given=f"{password}\n{password}\n",
    )


def _airflow(settings: Settings, folder: Path, *arguments: str, given: str = "") -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=_environment(settings, "migrate", folder),
        cwd=folder,
        input=given,
        text=True,
        stdout=sys.stderr,
        check=False,
        timeout=WAIT_SECONDS,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"airflow {' '.join(arguments[:2])} ended with {ended.returncode}: see what it said above")


def _environment(settings: Settings, part: str, folder: Path) -> dict[str, str]:
    return {**airflow.environment(settings, part), "AIRFLOW_HOME": str(folder), "HOME": str(folder)}
