"""What those who keep the platform running are told: figures for alert rules, and lineage. Off by default.

Both are read from the tables as facts, by a task of their own, after the commit of whatever they speak of: a figure is
true whatever process died, and a receiver that is away, slow or wrong holds no delivery.

    figures       what is measured, each by one cheap query; the list that alert rules and runbook are held against
    prometheus    figures as text
    pushing       figures to a file, to StatsD or by OTLP
    steps         what was done with deliveries and by builds, and has not been told yet
    lineage       the same as OpenLineage events
    left          what a receiver did not take, and when it is tried again
    telling       to a file or an endpoint, each once where the receiver says that it has it
"""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from frontdoor import database

if TYPE_CHECKING:
    from frontdoor.settings import Settings

log = logging.getLogger(__name__)


def tell(settings: Settings) -> dict[str, int]:
    """Send figures and lineage to where the settings say; return how many of each. Raises nothing.

    What could not be sent is said in the log: figures are measured anew the next time, lineage waits.
    """
    from frontdoor.monitoring import figures, pushing, telling

    told = {"figures": 0, "events": 0}
    if settings.metrics:
        try:
            with closing(database.connect(settings, application_name="frontdoor monitoring")) as connection:
                measured = figures.measure(connection, settings)
            told["figures"] = pushing.push(settings.metrics, measured)
        except Exception as error:
            log.warning("figures were not sent: %s", database.safe_error(error))
    if settings.lineage:
        try:
            with closing(database.connect(settings, application_name="frontdoor monitoring")) as connection:
                told["events"] = telling.tell(connection, settings, settings.lineage)
        except Exception as error:
            log.warning("lineage was not sent, it waits: %s", database.safe_error(error))
    return told
