"""What time it is: the only reader of the wall clock.

`FRONTDOOR_NOW` pins `now()`; `database.connect` sees to it that this happens only in a database marked as simulation.
"""

import time
from datetime import UTC, datetime

from frontdoor.settings import pinned_now


def now() -> datetime:
    """The present instant, aware, in UTC; the pinned one when FRONTDOOR_NOW is set."""
    return pinned_now() or datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean anything, and FRONTDOOR_NOW does not touch it."""
    return time.monotonic()
