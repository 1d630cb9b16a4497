"""Listen for what does not come: days laid down, settled, raised and told of, agreement by agreement, each committed.

What is found and the letter about it commit together, so that a kill loses nothing and tells nobody twice. Only a sweep
listens: it has taken and published what lay there first.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from frontdoor import alerts, database
from frontdoor.quality import silence

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

log = logging.getLogger(__name__)


def listen(connection: Connection, house: House) -> int:
    """Hold what came against what was due; return how many letters are new. What fails waits for the next sweep."""
    try:
        with connection, connection.cursor() as cursor:
            silence.lay_down(cursor, house)
        with connection, connection.cursor() as cursor:
            news = silence.with_news(cursor)
    except Exception as error:
        _go_on(connection, error, "what is due was not laid down")
        return 0
    return sum(_look(connection, house, key) for key in news)


def _look(connection: Connection, house: House, key: silence.Agreement) -> int:
    try:
        with connection, connection.cursor() as cursor:
            return sum(
                alerts.tell_of_silence(
                    connection,
                    house,
                    agency=found.agency,
                    feed=found.feed,
                    source=found.source,
                    due=[day.due_at for day in found.days],
                    last_received_at=found.last_received_at,
                    is_again=found.is_again,
                )
                for found in silence.look(cursor, house, key)
            )
    except Exception as error:
        _go_on(connection, error, f"the days of {'/'.join(key)} were not looked at")
        return 0


def _go_on(connection: Connection, error: Exception, what: str) -> None:
    if database.is_away(error):
        raise error
    connection.rollback()
    log.error("%s: %s", what, database.safe_error(error))
