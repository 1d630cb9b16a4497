"""Import the heavy libraries once in the scheduler, before it forks its workers: seconds saved in every task.

Libraries only. Contracts are read afresh in every run, so that an agency added is an agency known.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


def warm() -> None:
    """Import what tasks will want; whatever fails here is left to fail in the task, where it is reported."""
    for name, load in (("quality", _quality), ("warehouse", _warehouse)):
        try:
            load()
        except Exception as error:
            log.warning("preloading %s failed: %s", name, type(error).__name__)


def _quality() -> None:
    from frontdoor.quality import warm

    warm.warm()


def _warehouse() -> None:
    from frontdoor.warehouse import warm

    warm.warm()
