"""Import Great Expectations once, quietly, and register our expectation: seconds saved in every forked worker.

Nothing here opens a connection or a thread, so that the process may fork afterwards.
"""

import logging
import warnings
from types import ModuleType


def warm() -> None:
    """Import and register; a second call costs nothing."""
    expectations()


def expectations() -> ModuleType:
    """Our expectations, with Great Expectations imported, silent, and sending nothing to anybody."""
    _silence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from frontdoor.quality import expectation
    return expectation


def _silence() -> None:
    """Its messages carry SQL and, on an error, values of records; what is worth saying we say ourselves, by ids.

    Some of its modules set levels of their own, so the messages are stopped where they would leave the package.
    """
    package = logging.getLogger("great_expectations")
    package.propagate = False
    if not package.handlers:
        package.addHandler(logging.NullHandler())
