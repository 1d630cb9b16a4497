"""Letters that are held: they may have gone out before the database was brought back."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock

# A session that sets it writes every letter as held (migration 0070).
SETTING = "frontdoor.held_at"


def hold_what_is_written(cursor: Cursor) -> None:
    """Hold every letter that this session writes from here on, also after its commits."""
    cursor.execute("select set_config(%s, %s, false)", (SETTING, clock.now().isoformat()))


def listed(connection: Connection) -> list[tuple[str, str, int]]:
    """Return agency, role and count of what is held."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select agency_code, recipient_role, count(*) from alerts.messages"
            " where sent_at is null and held_at is not null group by 1, 2 order by 1, 2"
        )
        return list(cursor)


def let_go(connection: Connection) -> int:
    """Let everything that is held go out with the next sending; return how many."""
    with connection, connection.cursor() as cursor:
        cursor.execute("update alerts.messages set held_at = null where sent_at is null and held_at is not null")
        return cursor.rowcount


def were_sent(connection: Connection) -> int:
    """Write down that everything that is held went out before; return how many."""
    with connection, connection.cursor() as cursor:
        cursor.execute("update alerts.messages set sent_at = held_at where sent_at is null and held_at is not null")
        return cursor.rowcount
