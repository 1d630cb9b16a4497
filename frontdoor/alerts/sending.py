"""Drain the outbox: one message, one hand-over, one commit, until nothing is due.

A message is handed over while its row is locked, and marked as sent in the same transaction. So two drains never send
one message, and a message goes out at least once: only a kill between the server's acceptance and our commit repeats
it, under the same Message-ID. What does not go out stays, with its number of attempts and a pause that grows; what is
held (it may have gone out before the database was brought back) waits for a person.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from email.headerregistry import Address
from typing import TYPE_CHECKING
from uuid import UUID

from frontdoor import clock
from frontdoor.alerts.channels import ChannelDown, HandOver, Refused, opened
from frontdoor.alerts.letter import Message, write
from frontdoor.alerts.routing import Contacts, ContactsError, NoRecipient, load_contacts

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.settings import Settings

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 3600.0

_NEXT_DUE = """
    select message_id, agency_code, recipient_role, subject, body, created_at, attempts
    from alerts.messages
    where sent_at is null and held_at is null and (next_attempt_at is null or next_attempt_at <= %(now)s)
    order by coalesce(next_attempt_at, created_at), message_id
    for update skip locked
    limit 1
"""


def send(connection: Connection, settings: Settings) -> int:
    """Send every message that is due; return how many went out. Commits after each.

    Never raises for a message or a mail server: what did not go out is in the outbox, and in the log by its id.
    """
    sent = 0
    try:
        contacts = load_contacts(settings.contacts)
        with opened(settings) as hand_over:
            while (outcome := _send_next(connection, settings, contacts, hand_over)) is not None:
                sent += outcome
    except ChannelDown:
        pass  # counted and logged with the message that met it; the next drain tries again
    except (ContactsError, ValueError) as error:
        # Both say which setting is wrong and quote none of it.
        log.error("no message is sent: %s", error)
    return sent


def pause(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: a quarter of a minute, doubled each time, at most an hour."""
    return timedelta(seconds=min(FIRST_PAUSE_SECONDS * 2 ** min(attempts - 1, 20), LONGEST_PAUSE_SECONDS))


def _send_next(connection: Connection, settings: Settings, contacts: Contacts, hand_over: HandOver) -> int | None:
    """Send the next message that is due: 1 if it went out, 0 if it did not, None if none is due."""
    now = clock.now()
    with connection, connection.cursor() as cursor:
        cursor.execute(_NEXT_DUE, {"now": now})
        row = cursor.fetchone()
        if row is None:
            return None
        message = Message(UUID(str(row[0])), *row[1:])
        failure: Exception | None = None
        try:
            hand_over(message.message_id, write(message, contacts.sender, _people(settings, contacts, message)))
        except (ChannelDown, Refused, NoRecipient) as error:
            failure = error
        except Exception as error:  # one message that cannot be written must not hold up the others
            failure = Refused(f"it could not be written as mail: {type(error).__name__}")
        cursor.execute(
            "update alerts.messages set attempts = attempts + 1, sent_at = %s, next_attempt_at = %s"
            " where message_id = %s",
            (
                None if failure else clock.now(),
                now + pause(message.attempts + 1) if failure else None,
                str(message.message_id),
            ),
        )
    if failure is None:
        return 1
    log.warning("message %s did not go out (attempt %s): %s", message.message_id, message.attempts + 1, failure)
    if isinstance(failure, ChannelDown):
        raise failure
    return 0


def _people(settings: Settings, contacts: Contacts, message: Message) -> tuple[Address, ...]:
    if settings.smtp_url is None:
        return contacts.people_or_placeholder(message.agency_code, message.recipient_role)
    people = contacts.people(message.agency_code, message.recipient_role)
    if not people:
        raise NoRecipient(
            f"nobody holds the role {message.agency_code}/{message.recipient_role}: name somebody in FRONTDOOR_CONTACTS"
        )
    return people
