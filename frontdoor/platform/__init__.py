"""The platform on one machine: an embedded Postgres and Airflow's own processes, started, watched and stopped by id."""

from frontdoor.platform.lifecycle import (
    Platform,
    PlatformError,
    Status,
    airflow_url,
    down,
    status,
    supervisor_pid,
    up,
)

__all__ = ["Platform", "PlatformError", "Status", "airflow_url", "down", "status", "supervisor_pid", "up"]
