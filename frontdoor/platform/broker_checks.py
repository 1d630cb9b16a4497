"""What `frontdoor doctor` asks of the broker, where workers carry out Airflow's tasks: does it answer, and do they?

Without either nothing is lost and nothing taken, and no other part says so: the scheduler is well, and tasks wait.
"""

from __future__ import annotations

import importlib
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from frontdoor.platform import serving
from frontdoor.platform.check import Check, either
from frontdoor.settings import Settings, SettingsError

SETTING, PASSWORD = "FRONTDOOR_AIRFLOW_BROKER_URL", "FRONTDOOR_AIRFLOW_BROKER_PASSWORD_FILE"
PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}
PATIENCE = 3.0
# By itself the library goes on for ever.
ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0, "socket_timeout": PATIENCE}


def of_broker(settings: Settings) -> Iterator[Check]:
    """Look at the broker and its workers; nothing where tasks need none."""
    if settings.airflow_broker_url is None:
        return
    parts = urlsplit(settings.airflow_broker_url)
    if parts.scheme not in PORTS or not parts.hostname:
        yield Check("broker", False, f"{SETTING} must look like redis://HOST:6379/0.")
        return
    where = f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"
    try:
        socket.create_connection((parts.hostname, parts.port or PORTS[parts.scheme]), timeout=PATIENCE).close()
    except OSError:
        yield Check(
            "broker",
            False,
            f"The broker {where} does not answer, so no worker hears of a task and files wait: start it, or mend"
            f" {SETTING}; `frontdoor ingest` takes them meanwhile.",
        )
        return
    try:
        answers = _workers(settings)
    except ImportError:
        yield Check("broker", False, "Celery is not installed here, so workers cannot be asked: look in the image.")
        return
    except SettingsError as error:
        yield Check("broker", False, f"{error}.")
        return
    except Exception as error:  # its words may quote the address, with the password in it
        yield Check(
            "broker",
            False,
            f"The broker {where} answers, but not to us ({type(error).__name__}): is the password in {PASSWORD} its"
            f" own, and does {SETTING} say whether the way is encrypted (rediss://)?",
        )
        return
    yield Check("broker", True, f"The broker {where} answers.")
    yield either(
        "workers",
        answers > 0,
        f"{answers} workers answer it.",
        f"No worker answers through the broker {where}, so tasks and files wait: start one (`frontdoor serve worker`;"
        " in docker/ the profile workers); `frontdoor ingest` takes files meanwhile.",
    )


def _workers(settings: Settings) -> int:
    celery: Any = importlib.import_module("celery")  # of the image alone
    asking = celery.Celery(broker=serving.broker_address(settings), set_as_current=False)
    asking.conf.broker_transport_options = ONCE
    return len(asking.control.ping(timeout=PATIENCE))
