"""Airflow on one machine: its configuration, its four processes, and whether they are well.

We own the processes ourselves: `airflow standalone` binds every interface, forks 32 workers and leaves children behind.
The configuration is a 0600 file written at each start; AIRFLOW__ variables of the shell that started us do not count,
so that a platform behaves alike wherever it is started from.
"""

import base64
import configparser
import importlib.metadata
import io
import json
import secrets
import subprocess
import sys
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from frontdoor import settings as setting
from frontdoor.files import write_first, write_whole
from frontdoor.platform import airflow_database, processes
from frontdoor.platform.ports import HOST
from frontdoor.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PREFERRED_PORT = 8080
ADMIN = "admin"

# In the order in which they are stopped: nothing new is parsed, then nothing new runs, and the API that running
# tasks report to goes last.
PARTS: dict[str, tuple[str, ...]] = {
    "dag-processor": ("dag-processor",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "api-server": ("api-server", "--host", HOST),
}
# Whose tables `airflow db migrate` makes; the login of the second is for servers.
WITH_TABLES = ("apache-airflow", "apache-airflow-providers-fab")
BEATING = ("scheduler", "triggerer", "dag_processor")


@dataclass(frozen=True)
class Airflow:
    """Where this home's Airflow answers, and the file with the password of its user `admin`."""

    url: str
    port: int
    passwords_file: Path


def describe(settings: Settings) -> Airflow | None:
    """The Airflow that this home was last configured with, or that runs elsewhere; running or not."""
    if settings.airflow_api_url:
        port = urlsplit(settings.airflow_api_url).port or 80
        return Airflow(settings.airflow_api_url, port, passwords_file(settings))
    try:
        port = int(json.loads((settings.home / "airflow.json").read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError):
        return None
    return Airflow(f"http://{HOST}:{port}", port, passwords_file(settings))


def keys_file(settings: Settings) -> Path:
    """The file with the keys that all parts of one Airflow share."""
    return settings.home / "secrets" / "airflow_keys.json"


def passwords_file(settings: Settings) -> Path:
    """The file with the password of the user `admin`."""
    return settings.home / "secrets" / "airflow_admin.json"


def make_keys(settings: Settings) -> None:
    """Make the keys and the admin's password, where there are none."""
    keys = {name: secrets.token_urlsafe(32) for name in ("secret_key", "jwt_secret")}
    keys["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    write_first(keys_file(settings), json.dumps(keys))
    write_first(passwords_file(settings), json.dumps({ADMIN: secrets.token_urlsafe(12)}))


def configure(settings: Settings, port: int) -> Airflow:
    """Write airflow.cfg, and make the keys and the admin's password where there are none."""
    home = settings.home
    (home / "airflow").mkdir(mode=0o700, exist_ok=True)
    make_keys(settings)
    keys = json.loads(keys_file(settings).read_text(encoding="utf-8"))
    written = configparser.ConfigParser(interpolation=None)
    written.read_dict(configuration(settings, port, keys))
    text = io.StringIO("# Written by `frontdoor up` at each start: changes made here are lost.\n")
    text.seek(0, io.SEEK_END)
    written.write(text)
    write_whole(home / "airflow" / "airflow.cfg", text.getvalue())
    (home / "airflow.json").write_text(json.dumps({"url": f"http://{HOST}:{port}", "port": port}) + "\n")
    return Airflow(f"http://{HOST}:{port}", port, passwords_file(settings))


def command(part: str, port: int) -> list[str]:
    """How that part is started."""
    arguments = [*PARTS[part], "--port", str(port)] if part == "api-server" else [*PARTS[part]]
    return [sys.executable, "-m", "airflow", *arguments]


def environment(settings: Settings, part: str) -> dict[str, str]:
    """What a part finds in its environment: our settings, no telemetry, and nothing that would redirect it."""
    inherited = {
        name: value
        for name, value in setting.inherited_environment().items()
        if not name.startswith(("AIRFLOW", "PG", "PYTHON", "DBT_", "GX_"))
    }
    path = [str(REPOSITORY)]
    # Whose forks do the work imports it first. A scheduler with workers elsewhere has none.
    if part == ("worker" if settings.airflow_broker_url else "scheduler"):
        path.insert(0, str(REPOSITORY / "frontdoor" / "platform" / "airflow_config"))
    direct = [HOST, "localhost", urlsplit(settings.airflow_api_url or "").hostname]
    without_proxy = ",".join(filter(None, [inherited.get("NO_PROXY", inherited.get("no_proxy")), *direct]))
    return {
        **inherited,
        **setting.as_environment(settings),
        **processes.mark(settings.home, part),
        "AIRFLOW_HOME": str(settings.home / "airflow"),
        "PATH": f"{Path(sys.executable).parent}:{inherited.get('PATH', '/usr/bin:/bin')}",
        "PYTHONPATH": ":".join(path),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
        "DO_NOT_TRACK": "1",
        "SCARF_ANALYTICS": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "GX_ANALYTICS_ENABLED": "false",
    }


def migrate(settings: Settings, log: Path) -> bool:
    """Bring Airflow's own tables up to this version; False when they were. Raises `RuntimeError`."""
    if is_migrated(settings):
        return False
    with log.open("ab") as stream:
        ended = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment(settings, "migrate"),
            cwd=settings.home / "airflow",
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            check=False,
            timeout=600,
        )
    if ended.returncode != 0:
        raise RuntimeError(f"Airflow's tables could not be made; see {log}")
    note_migrated(settings)
    return True


def is_migrated(settings: Settings) -> bool:
    """Whether Airflow's tables are as their last migration left them, by these very versions of it."""
    told, is_now = _state_of_tables(settings)
    return told is not None and told == is_now


def note_migrated(settings: Settings) -> None:
    """Remember how a migration left Airflow's tables: beside them, where every host that uses them can read it."""
    _, is_now = _state_of_tables(settings)
    with closing(airflow_database.connect(settings)) as opened, opened, opened.cursor() as cursor:
        cursor.execute("comment on table alembic_version is %s", (is_now,))


def health(airflow: Airflow, timeout: float = 5.0) -> dict[str, Any]:
    """What the API says of each part, as it says it; empty when it does not answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{airflow.url}/api/v2/monitor/health", timeout=timeout) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError):
        return {}


def is_ready(airflow: Airflow, since: datetime | None = None) -> bool:
    """Whether database, scheduler, triggerer and DAG processor are healthy, by a sign of life after `since`.

    Without it the heartbeats of processes that were killed a moment ago would still count.
    """
    said = health(airflow)
    for part in ("metadatabase", *BEATING):
        if (said.get(part) or {}).get("status") != "healthy":
            return False
    beats = [datetime.fromisoformat(said[part][f"latest_{part}_heartbeat"]) for part in BEATING]
    return since is None or min(beats) >= since


def _state_of_tables(settings: Settings) -> tuple[str | None, str]:
    """What was noted beside Airflow's tables, and what would be now: the versions here, and the tables' revision."""
    with closing(airflow_database.connect(settings)) as opened, opened.cursor() as cursor:
        cursor.execute("select to_regclass('alembic_version') is not null")
        if cursor.fetchone() != (True,):
            return None, ""
        cursor.execute("select obj_description('alembic_version'::regclass, 'pg_class')")
        ((told,),) = cursor.fetchall()
        cursor.execute("select version_num from alembic_version order by version_num")
        return told, " ".join([*map(_version, WITH_TABLES), *(str(revision) for (revision,) in cursor)])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def configuration(settings: Settings, port: int, keys: dict[str, str]) -> dict[str, dict[str, str]]:
    """What airflow.cfg says on one machine, by section; `keys`: those of `make_keys`."""
    home = settings.home
    by_psycopg2, by_asyncpg = (address.replace("%", "%%") for address in airflow_database.urls(settings))
    url = f"http://{HOST}:{port}"
    return {
        "core": {
            "dags_folder": str(REPOSITORY / "dags"),
            "plugins_folder": str(home / "airflow" / "plugins"),
            "load_examples": "False",
            "executor": "LocalExecutor",
            "parallelism": "4",
            "dags_are_paused_at_creation": "False",
            "fernet_key": keys["fernet_key"],
            "simple_auth_manager_users": f"{ADMIN}:admin",
            "simple_auth_manager_passwords_file": str(home / "secrets" / "airflow_admin.json"),
            "execution_api_server_url": f"{url}/execution/",
            "hostname_callable": "socket.gethostname",  # the default asks the name service, which may be slow or absent
            "default_task_retries": "3",
            "default_task_retry_delay": "2",
            "killed_task_cleanup_time": "5",
        },
        "database": {
            "sql_alchemy_conn": by_psycopg2,
            "sql_alchemy_conn_async": by_asyncpg,
        },
        "api": {"host": HOST, "port": str(port), "base_url": url, "workers": "1", "secret_key": keys["secret_key"]},
        "api_auth": {"jwt_secret": keys["jwt_secret"]},
        "scheduler": {
            "scheduler_idle_sleep_time": "0.2",
            # A scheduler killed while tasks run: the next one must notice within seconds that its work is nobody's.
            "job_heartbeat_sec": "2",
            "scheduler_heartbeat_sec": "2",
            "scheduler_health_check_threshold": "15",
            "orphaned_tasks_check_interval": "5",
            "task_instance_heartbeat_timeout": "45",  # longer than the API takes to restart on a busy machine
            "task_instance_heartbeat_timeout_detection_interval": "5",
            "task_queued_timeout": "60",
            "task_queued_timeout_check_interval": "10",
            "catchup_by_default": "False",
        },
        "workers": {
            # While the API server is restarted tasks go on; they give up only after about a minute without it.
            "max_failed_heartbeats": "12",
            "execution_api_retries": "30",
            "execution_api_retry_wait_min": "0.5",
            "execution_api_retry_wait_max": "2",
        },
        "triggerer": {"job_heartbeat_sec": "2", "triggerer_health_check_threshold": "15"},
        "dag_processor": {
            "parsing_processes": "1",
            "min_file_process_interval": "60",  # a new agency is seen within a minute; parsing is most of the idle cost
            "refresh_interval": "60",
        },
        "logging": {
            "base_log_folder": str(home / "log" / "airflow"),
            "dag_processor_child_process_log_directory": str(home / "log" / "airflow" / "dag_processor"),
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
            "colored_console_log": "False",
            # Task logs are JSON anyhow; this makes those of the processes so.
            "json_logs": str(settings.log_format == "json"),
        },
    }
