"""Who was told what of a delivery, and what of it still waits: the letters, and the calls about what nobody could read.

Roles, times and the subjects of letters, in which there are counts and no word of a record. A letter of a role of the
council is named, and not what it asks: that is the council's to answer. Rules that are withdrawn, waivers that end and
days that were missed are told of in letters of their own, which are about no delivery.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

SENT, WAITS, DONE = "sent", "waits", "done"


@dataclass(frozen=True)
class Letter:
    """One letter to one role. ``sent_at`` None: it waits, after so many attempts."""

    to_role: str
    subject: str
    written_at: datetime
    sent_at: datetime | None
    attempts: int

    @property
    def state(self) -> str:
        """`sent` or `waits`."""
        return WAITS if self.sent_at is None else SENT


@dataclass(frozen=True)
class Call:
    """The calls of one role about lines that could not be read, or the whole; ``closed_at`` None: due by then."""

    by_role: str
    lines: int
    due_at: datetime
    closed_at: datetime | None
    outcome: str | None

    @property
    def state(self) -> str:
        """`done` or `waits`."""
        return WAITS if self.closed_at is None else DONE


_LETTERS = """
    select
        deliveries.delivery_id, messages.recipient_role, messages.subject, messages.created_at, messages.sent_at,
        messages.attempts
    from intake.deliveries as deliveries
    cross join lateral (
        select * from alerts.messages where messages.delivery_id = deliveries.delivery_id
        union
        -- One letter for a file of which nothing could be read, however many feeds it was for.
        select messages.*
        from intake.files as files
        inner join alerts.messages as messages on files.file_id = messages.file_id
        where files.file_id = deliveries.file_id and files.status = 'dead_letter'
    ) as messages
    where deliveries.delivery_id = any(%s)
    order by deliveries.delivery_id, messages.created_at, messages.recipient_role
"""

_CALLS = """
    select
        delivery_id, owner_role, count(*), min(due_at), resolved_at, outcome
    from quality.dead_letters
    where delivery_id = any(%s)
    group by delivery_id, owner_role, resolved_at, outcome
    order by delivery_id, resolved_at nulls first, owner_role, outcome
"""

# What ought to have been written and was not: the sweep writes it (delivery/publication.py says the same).
_UNWRITTEN = """
    select deliveries.delivery_id
    from intake.deliveries as deliveries
    where
        deliveries.delivery_id = any(%s)
        and not exists (select from alerts.messages where messages.delivery_id = deliveries.delivery_id)
        and not exists (select from alerts.messages where messages.file_id = deliveries.file_id)
        and not exists (
            select from intake.delivery_events as events
            where events.delivery_id = deliveries.delivery_id and events.status_from = 'published'
        )
        and (
            deliveries.verdict in ('partly_read', 'unreadable')
            or (
                deliveries.status = 'published'
                and exists (
                    select from quality.findings as findings
                    where findings.delivery_id = deliveries.delivery_id and findings.state = 'new'
                )
            )
        )
"""


def told(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, dict[str, Any]]:
    """Delivery -> its letters, its calls, and how many of both still wait. A letter that nobody has written waits."""
    letters: defaultdict[int, list[Letter]] = defaultdict(list)
    calls: defaultdict[int, list[Call]] = defaultdict(list)
    ids = (list(delivery_ids),)
    with connection.cursor() as cursor:
        cursor.execute(_LETTERS, ids)
        for delivery_id, *rest in cursor:
            letters[delivery_id].append(Letter(*rest))
        cursor.execute(_CALLS, ids)
        for delivery_id, *rest in cursor:
            calls[delivery_id].append(Call(*rest))
        cursor.execute(_UNWRITTEN, ids)
        unwritten = {delivery_id for (delivery_id,) in cursor}
    return {
        each: {
            "letters": [{**asdict(letter), "state": letter.state} for letter in letters[each]],
            "calls": [{**asdict(call), "state": call.state} for call in calls[each]],
            "letters_waiting": sum(letter.state == WAITS for letter in letters[each]) + (each in unwritten),
            "calls_waiting": sum(call.lines for call in calls[each] if call.state == WAITS),
        }
        for each in delivery_ids
    }
