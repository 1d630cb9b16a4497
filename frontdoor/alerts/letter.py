"""A message of the outbox as RFC 5322 mail: the same message always becomes the same bytes.

The Message-ID is made of the outbox's own id and the date is the one of composing, so that a mail that goes out twice
(a kill between the server's acceptance and our commit) is recognised as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

MESSAGE_ID_DOMAIN = "frontdoor.invalid"


@dataclass(frozen=True)
class Message:
    """One row of ``alerts.messages`` that is to go out."""

    message_id: UUID
    agency_code: str
    recipient_role: str
    subject: str
    body: str
    created_at: datetime
    attempts: int


def write(message: Message, sender: Address, people: Sequence[Address]) -> EmailMessage:
    """Return the mail. No attachment, no HTML, nothing to click."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = tuple(people)
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = message.created_at
    mail["Message-ID"] = f"<{message.message_id}@{MESSAGE_ID_DOMAIN}>"
    # RFC 3834: keeps holiday replies from answering a machine.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    body = message.body if message.body.endswith("\n") else message.body + "\n"
    # Never base64 nor eight bits: whoever opens the file with a plain editor can read it, and any relay passes it on.
    mail.set_content(body, charset="utf-8", cte="7bit" if body.isascii() else "quoted-printable")
    return mail
