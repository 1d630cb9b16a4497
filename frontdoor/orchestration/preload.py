"""Import the heavy libraries once in whatever forks those that do tasks, the scheduler or a Celery worker: seconds are
saved in every task.

What is read of files (contracts, the dbt project) a fork reads again when a file has changed, so that an agency added
is an agency known.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


def warm() -> None:
    """Import what tasks will want; whatever fails here is left to fail in the task, where it is reported."""
    for name, load in (("contracts", _contracts), ("quality", _quality), ("warehouse", _warehouse)):
        try:
            load()
        except Exception as error:
            log.warning("preloading %s failed: %s", name, type(error).__name__)


def _contracts() -> None:
    from frontdoor.contract import load_house

    load_house()


def _quality() -> None:
    from frontdoor.quality import warm

    warm.warm()


def _warehouse() -> None:
    from frontdoor.warehouse import warm

    warm.warm()
