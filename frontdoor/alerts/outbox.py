"""Write messages into the outbox, in the transaction that publishes what they tell of.

One message per delivery and role. The sender's liaison hears of what the sender can mend; rules that say so go to a
role of the council instead, and never to the sender. A file that could not be read at all is told to the liaison of its
agency, or to the data engineer where no agency is known; a part that could not be read, of a file of which the rest
could, to the liaison. The id of a message is made of what it is about and to whom it
goes, so that writing it twice is writing it once; a delivery that is published anew (a replay) may be told of anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from frontdoor import clock
from frontdoor.alerts import digest, facts, telling
from frontdoor.alerts.routing import LIAISON
from frontdoor.contract.model import RECIPIENT_ROLES

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

DATA_ENGINEER = "frontdoor_data_engineer"
_DATA_ENGINEER_OF_RULES = "data_engineer"
# Whose people the data engineer belongs to, where no agency of the house is meant.
OURSELVES = "frontdoor"
_NAMESPACE = uuid5(NAMESPACE_URL, "frontdoor://alerts")


def compose(connection: Connection, house: House, delivery_ids: Collection[int], file_ids: Collection[int] = ()) -> int:
    """Write the messages that these published or dead deliveries and dead files call for; return how many are new.

    A delivery with neither a new finding nor an unread record calls for none. Commits nothing.
    """
    written = 0
    for delivery in facts.deliveries(connection, delivery_ids):
        by_role: defaultdict[str, list[facts.Broken]] = defaultdict(list)
        for broken in delivery.broken:
            by_role[broken.recipient_role].append(broken)
        if delivery.is_partly_read:
            by_role[LIAISON]  # told even if nothing else is wrong
        for role, its_rules in sorted(by_role.items()):
            again = () if delivery.publication_no == 1 else (str(delivery.publication_no),)
            written += put(
                connection,
                message_id=id_of("delivery", delivery.delivery_id, role, *again),
                delivery_id=delivery.delivery_id,
                file_id=delivery.file_id,
                to=recipient(house, delivery.agency_code, role),
                text=telling.of_delivery(connection, house, delivery, role, its_rules),
            )
    for file in facts.dead_files(connection, file_ids):
        role = LIAISON if file.agency_code in house.agencies else DATA_ENGINEER
        written += put(
            connection,
            message_id=id_of("file", file.file_id, role),
            delivery_id=file.delivery_id,
            file_id=file.file_id,
            to=recipient(house, file.agency_code, role),
            text=telling.of_dead_file(house, file),
        )
    for part in facts.dead_parts(connection, delivery_ids):
        written += put(
            connection,
            message_id=id_of("part", part.delivery_id or 0, LIAISON),
            delivery_id=part.delivery_id,
            file_id=part.file_id,
            to=recipient(house, part.agency_code, LIAISON),
            text=telling.of_dead_file(house, part),
        )
    return written


def put(
    connection: Connection,
    *,
    message_id: UUID,
    delivery_id: int | None,
    file_id: int | None,
    to: tuple[str, str],
    text: digest.Digest,
) -> int:
    """Write one message unless it is there; return how many are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into alerts.messages
                (message_id, delivery_id, file_id, agency_code, recipient_role, subject, body, created_at)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (message_id) do nothing
            """,
            (str(message_id), delivery_id, file_id, *to, text.subject, digest.write(text), clock.now()),
        )
        return cursor.rowcount


def id_of(about: str, number: int, role: str, *more: str) -> UUID:
    """Return the id of what is told to one role about one thing."""
    return uuid5(_NAMESPACE, "/".join((about, str(number), role, *more)))


def recipients(house: House) -> set[tuple[str, str]]:
    """Return all whom a message may go to: the agency whose people are meant, and the role."""
    return {recipient(house, agency, role) for agency in house.agencies for role in RECIPIENT_ROLES}


def recipient(house: House, agency_code: str, role: str) -> tuple[str, str]:
    """Return (agency whose people are meant, role). A council's role is the council's, whoever sent the file."""
    sender = house.agencies.get(agency_code)
    if role == LIAISON and sender is not None:
        return agency_code, sender.liaison_role
    if role in (LIAISON, DATA_ENGINEER, _DATA_ENGINEER_OF_RULES):
        return OURSELVES, DATA_ENGINEER
    councils = sorted(code for code, agency in house.agencies.items() if agency.kind == "council")
    near = [code for code in councils if sender is not None and house.agencies[code].area_code == sender.area_code]
    return next(iter(near or councils), OURSELVES), role
