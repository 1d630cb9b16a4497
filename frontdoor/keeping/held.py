"""Letters that are held: they may have gone out before the database was brought back."""

from __future__ import annotations

from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock

# A session that sets it writes every letter as held (migration 0070).
SETTING = "frontdoor.held_at"


def hold_what_is_written(cursor: Cursor) -> datetime:
    """Hold every letter that this session writes from here on, also after its commits; return the mark of these."""
    mark = clock.now()
    cursor.execute("select set_config(%s, %s, false)", (SETTING, mark.isoformat()))
    return mark


def let_go_of_what_came(connection: Connection, mark: datetime) -> int:
    """Let letters with that mark go out whose files came after it: none of them can have gone out before."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            update alerts.messages set held_at = null
            where sent_at is null and held_at = %(mark)s and (
                delivery_id in (select delivery_id from intake.deliveries where received_at >= %(mark)s)
                or file_id in (select file_id from intake.files where received_at >= %(mark)s)
            )
            """,
            {"mark": mark},
        )
        return cursor.rowcount


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
