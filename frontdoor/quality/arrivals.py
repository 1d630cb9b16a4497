"""What came from a sender since the last look, and which days it settles."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from psycopg2.extensions import cursor as Cursor

from frontdoor import clock
from frontdoor.quality.expected import OPEN, UNUSABLE, Arrival, Day, settled_by
from frontdoor.quality.laying import Agreement

# So long a file that is still being read holds back the finding that nothing came.
PATIENCE = timedelta(hours=1)

_ARRIVALS = """
    select
        files.file_id, files.received_at, files.status = 'duplicate',
        count(deliveries.delivery_id),
        coalesce(bool_or(deliveries.status in ('received', 'loaded', 'checked')), false),
        max(deliveries.delivery_id),
        coalesce(sum(deliveries.records_loaded) filter (where deliveries.status = 'published'), 0) > 0,
        coalesce(bool_or(deliveries.nil_signed_by is not null and deliveries.status = 'published'), false),
        coalesce(bool_or(deliveries.delivery_mode = 'snapshot'), false)
    from intake.files as files
    left join intake.deliveries as deliveries
        on coalesce(files.duplicate_of, files.file_id) = deliveries.file_id and deliveries.feed = %(feed)s
    where files.agency_code = %(agency)s and files.source = %(source)s and files.file_id > %(after)s
    group by files.file_id
    order by files.file_id
"""


def since(cursor: Cursor, key: Agreement, after: int) -> tuple[list[Arrival], int, bool]:
    """Return what came since, in order, up to the first file that is still being read; and whether there is one."""
    agency, feed, source = key
    cursor.execute(_ARRIVALS, {"agency": agency, "feed": feed, "source": source, "after": after})
    found: list[Arrival] = []
    for file_id, received_at, is_repeat, parts, is_pending, delivery_id, has_records, is_nil, is_snapshot in cursor:
        if is_pending and not is_repeat:
            return found, after, clock.now() - received_at < PATIENCE
        after = file_id
        if parts:
            # The same list again is a list; the same increment again brings nothing.
            is_usable = has_records and (is_snapshot or not is_repeat)
            found.append(Arrival(delivery_id, received_at, is_snapshot, is_usable, is_nil and not has_records))
    return found, after, False


def read_since(cursor: Cursor, key: Agreement) -> list[Arrival]:
    """Return what was unusable when it came, and is on the list since it was judged again."""
    cursor.execute(
        """
        select deliveries.delivery_id, deliveries.received_at, coalesce(deliveries.delivery_mode = 'snapshot', false)
        from quality.expected_deliveries as days
        inner join intake.deliveries as deliveries using (delivery_id)
        where
            (days.agency_code, days.feed, days.source) = %s and days.state = %s
            and deliveries.status = 'published' and deliveries.records_loaded > 0
        order by days.expected_on
        """,
        (key, UNUSABLE),
    )
    return [Arrival(delivery_id, at, is_snapshot, is_usable=True) for delivery_id, at, is_snapshot in cursor]


def settle(cursor: Cursor, key: Agreement, arrival: Arrival, zone: ZoneInfo) -> None:
    """Write down which days a file settles, or that its own day has nothing that can be used."""
    now = clock.now()
    changed = settled_by(arrival, _days(cursor, key, arrival.received_at.astimezone(zone).date()), zone)
    for expected_on, state in changed.items():
        cursor.execute(
            """
            update quality.expected_deliveries
            set
                state = %(state)s, delivery_id = %(delivery)s, received_at = %(received)s,
                settled_at = case when not %(is_open)s then %(now)s::timestamptz end,
                raised_at = case when %(is_open)s then coalesce(raised_at, %(now)s) else raised_at end
            where (agency_code, feed, source) = %(key)s and expected_on = %(on)s
            """,
            {
                "state": state,
                "delivery": arrival.delivery_id,
                "received": arrival.received_at,
                "is_open": state in OPEN,
                "now": now,
                "key": key,
                "on": expected_on,
            },
        )


def _days(cursor: Cursor, key: Agreement, since: date) -> list[Day]:
    """Return the days that are open, and all since one, in order."""
    cursor.execute(
        "select expected_on, due_at, state from quality.expected_deliveries"
        " where (agency_code, feed, source) = %s and (settled_at is null or expected_on >= %s) order by expected_on",
        (key, since),
    )
    return [Day(*row) for row in cursor]
