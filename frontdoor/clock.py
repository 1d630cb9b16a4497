"""What time it is: the only reader of the wall clock.

`FRONTDOOR_NOW` pins `now()`; `database.connect` sees to it that this happens only in a database marked as simulation.
`then` pins it for what happened once and is only told again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from frontdoor.settings import pinned_now

_then: list[datetime] = []


def now() -> datetime:
    """The present instant, aware, in UTC; the pinned one when FRONTDOOR_NOW is set, or within `then`."""
    return _then[-1] if _then else pinned_now() or datetime.now(UTC)


@contextmanager
def then(instant: datetime) -> Iterator[None]:
    """Do again what was done at that instant: in this process `now()` is that instant until the block ends."""
    _then.append(instant)
    try:
        yield
    finally:
        _then.pop()


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean anything, and FRONTDOOR_NOW does not touch it."""
    return time.monotonic()
