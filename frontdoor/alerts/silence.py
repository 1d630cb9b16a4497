"""The letters when a delivery that was due did not come: one when it falls silent, one when it still is days later.

The first goes to the sender's liaison. The second goes to the liaison and to whoever of us telephones senders, because
by then the letter itself may not arrive either.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from frontdoor.alerts import digest, outbox, telling
from frontdoor.alerts.deadline import repair_by
from frontdoor.alerts.routing import LIAISON

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

CALLER = "team_manager"
DAYS_SHOWN = 5
_TITLE = "A delivery that was due has not come, and no nil return."
_TO_DO = (
    "send it as was agreed. If there was nothing to send, or a later file held it all, sign a nil return: a file whose"
    " first line is nil_signed_by: and the role that signs. Ring the front door about any child who cannot wait."
)
_FIRST = "You are told of it now, and once more if it does not come."
_LAST = "This is the last letter about it."
_TO_DO_OURS = "ring the liaison of {name} ({role}), ask what is waiting there, and whether the way to us is open."


def tell_of_silence(
    connection: Connection,
    house: House,
    *,
    agency: str,
    feed: str,
    source: str,
    due: Sequence[datetime],
    last_received_at: datetime | None,
    is_again: bool,
) -> int:
    """Write into the outbox that deliveries due at these times did not come; return how many messages are new.

    In the caller's transaction, after the days were marked. An agency that left the house has nobody to be told.
    """
    if agency not in house.agencies:
        return 0
    roles = (LIAISON, CALLER) if is_again else (LIAISON,)
    more = (agency, feed, source, due[0].isoformat(), *(("again", str(len(due))) if is_again else ()))
    return sum(
        outbox.put(
            connection,
            message_id=outbox.id_of("silence", 0, role, *more),
            delivery_id=None,
            file_id=None,
            to=outbox.recipient(house, agency, role),
            text=_text(connection, house, agency, feed, due, last_received_at, role, is_again=is_again),
        )
        for role in roles
    )


def _text(
    connection: Connection,
    house: House,
    agency: str,
    feed: str,
    due: Sequence[datetime],
    last_received_at: datetime | None,
    role: str,
    *,
    is_again: bool,
) -> digest.Digest:
    zone, name = telling.zone_and_name(house, agency)
    title, is_for_sender = telling.title_of(house, feed), role == LIAISON
    who = f"liaison of {name}" if is_for_sender else role.replace("_", " ")
    count = digest.count_of(len(due), "delivery").replace("deliverys", "deliveries")
    have = "has" if len(due) == 1 else "have"
    first = digest.local(due[0], zone)
    came = f"on {digest.local(last_received_at, zone)}" if last_received_at else "never"
    shown = "; ".join(digest.local(each, zone) for each in due[:DAYS_SHOWN])
    left = f"; and {len(due) - DAYS_SHOWN:,} more" if len(due) > DAYS_SHOWN else ""
    to_do = _TO_DO if is_for_sender else _TO_DO_OURS.format(name=name, role=house.agencies[agency].liaison_role)
    return digest.Digest(
        subject=f"Front door: {title} of {name}: {count} that {'was' if len(due) == 1 else 'were'} due"
        f" {have} {'still ' if is_again else ''}not come",
        greeting=f"To the {who}: {count} of {title} from {name} {have} {'still ' if is_again else ''}not come.",
        arrived=f"{'It' if len(due) == 1 else 'The first'} was due by {first}. A file that could be used last came"
        f" {came}. {_LAST if is_again else _FIRST}",
        patterns=[
            digest.Pattern(
                heading="Silence, critical",
                title=_TITLE,
                to_do=to_do,
                count=count,
                places=f"Due: {shown}{left}.",
                due_at=repair_by(connection, house, feed, "critical", zone),
            )
        ],
        more=0,
        quote=f"{feed} of {due[0].astimezone(zone).date()}",
        zone=zone,
    )
