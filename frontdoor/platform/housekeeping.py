"""Keep what the platform writes about itself small: logs of tasks, and Airflow's own tables. Nothing of a delivery.

`frontdoor up` also looks after the logs by itself, every hour; where each part stands alone this is all that does.
"""

import subprocess
import sys
from datetime import timedelta

from frontdoor import clock
from frontdoor.platform import airflow, logs
from frontdoor.settings import Settings, inherited_environment

KEPT = timedelta(days=30)
# What grows with each run. Not `dag`, `dag_version` or `trigger`: the watch of the landing zone is a trigger, which may
# be older than any run and would end with its row.
TABLES = (
    *("asset_event", "celery_taskmeta", "celery_tasksetmeta", "dag_run", "import_error", "job", "log"),
    *("revoked_token", "task_instance", "task_instance_history", "xcom"),
)


def keep_small(settings: Settings) -> int:
    """Return how many files of logs went; runs that Airflow keeps for longer go too. Raises `RuntimeError`."""
    dropped = logs.tidy(settings.home / "log")
    before = (clock.now() - KEPT).isoformat()
    environment = airflow.environment(settings, "housekeeping")
    # In a container each part has a configuration of its own: that of the one that asks.
    environment["AIRFLOW_HOME"] = inherited_environment().get("AIRFLOW_HOME", environment["AIRFLOW_HOME"])
    command = ["db", "clean", "--clean-before-timestamp", before, "--tables", ",".join(TABLES)]
    ended = subprocess.run(
        [sys.executable, "-m", "airflow", *command, "--skip-archive", "--error-on-cleanup-failure", "--yes"],
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=1800,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"airflow db clean ended with {ended.returncode}: see what it said in the task's log")
    return dropped
