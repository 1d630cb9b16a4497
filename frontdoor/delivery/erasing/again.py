"""One who was erased and is sent again: taken like any other, on every list, and noticed.

What is remembered of an erased child is a keyed digest of its keys. New deliveries are held against it, once each.
"""

from __future__ import annotations

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from frontdoor import clock
from frontdoor.delivery.erasing import kept
from frontdoor.settings import Settings


def look_for_returned(connection: Connection, settings: Settings) -> int:
    """Look through what came since the last look; return how many records are of somebody who had been erased.

    Commits. A delivery that is not read yet is looked at when it is, and those behind it with it. Raises `KeyLost`.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select erasure_id, digest, looked_to from intake.erasures inner join intake.erased_keys using (erasure_id)"
            " where looked_to < (select coalesce(max(delivery_id), 0) from intake.deliveries)"
        )
        known: dict[str, list[tuple[str, int]]] = {}
        for erasure_id, each, looked_to in cursor:
            known.setdefault(each, []).append((erasure_id, looked_to))
        if not known:
            return 0
        after = min(looked_to for of_one in known.values() for _, looked_to in of_one)
        cursor.execute(
            "select coalesce(min(delivery_id) filter (where status = 'received') - 1, max(delivery_id), 0)"
            " from intake.deliveries where delivery_id > %s",
            (after,),
        )
        ((upto,),) = cursor.fetchall()
        cursor.execute(
            "select distinct feed from intake.deliveries where delivery_id > %s and delivery_id <= %s"
            " and status in ('loaded', 'checked', 'published')",
            (after, upto),
        )
        found = []
        for (feed,) in cursor.fetchall():
            cursor.execute(
                sql.SQL(
                    "select _delivery_id, _record_no, record_key, child_key from {} as sent"
                    " where _delivery_id > %s and _delivery_id <= %s and _received_at >= (select min(received_at)"
                    " from intake.deliveries where delivery_id > %s)"
                ).format(sql.Identifier("raw", f"{feed}_read")),
                (after, upto, after),
            )
            sent = cursor.fetchall()
            of_keys = kept.known_among(settings, known.keys(), {key for _, _, *keys in sent for key in keys if key})
            for delivery_id, record_no, *keys in sent:
                for digest in (digest for key in keys for digest in of_keys.get(key, ())):
                    for erasure_id, looked_to in known[digest]:
                        if delivery_id > looked_to:
                            found.append((erasure_id, delivery_id, record_no, clock.now()))
        execute_values(
            cursor,
            "insert into intake.erased_came_again (erasure_id, delivery_id, record_no, found_at) values %s"
            " on conflict do nothing",
            sorted(set(found)),
        )
        cursor.execute("update intake.erasures set looked_to = %s where looked_to < %s", (upto, upto))
    return len({(delivery_id, record_no) for _, delivery_id, record_no, _ in found})
