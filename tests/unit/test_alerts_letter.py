"""A message as mail. Mend: frontdoor/alerts/letter.py."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.headerregistry import Address
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from frontdoor.alerts.letter import Message, write

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ID = UUID("12345678-1234-5678-1234-567812345678")
FRONT_DOOR = Address("Front door", "front-door", "frontdoor.example")
PEOPLE = (Address("", "liaison", "police.example"), Address("Zoë Duty", "duty", "police.example"))


def message(subject: str = "Front door: delivery 1", body: str = "142 records received.\n") -> Message:
    return Message(ID, "wearside_police", "liaison", subject, body, AT, 0)


def test_mail_holds_the_headers_that_machines_and_people_need() -> None:
    mail = email.message_from_bytes(write(message(), FRONT_DOOR, PEOPLE).as_bytes(), policy=email.policy.default)
    assert mail["Message-ID"] == f"<{ID}@frontdoor.invalid>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == AT
    assert [str(a) for a in mail["To"].addresses] == ["liaison@police.example", "Zoë Duty <duty@police.example>"]
    assert not mail.is_multipart()
    assert mail.get_content().splitlines() == ["142 records received."]


def test_same_message_becomes_the_same_bytes() -> None:
    assert write(message(), FRONT_DOOR, PEOPLE).as_bytes() == write(message(), FRONT_DOOR, PEOPLE).as_bytes()


@given(st.text(max_size=300), st.text(max_size=2000))
def test_any_text_becomes_lines_that_any_relay_passes_on(subject: str, body: str) -> None:
    subject, body = (text.encode("utf-8", "replace").decode() for text in (subject, body))
    raw = write(message(subject, body), FRONT_DOOR, PEOPLE).as_bytes()
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert not mail.defects
    assert set(mail.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }


def test_subject_with_a_line_break_starts_no_header() -> None:
    mail = email.message_from_bytes(write(message("x\r\nBcc: a@b.example"), FRONT_DOOR, PEOPLE).as_bytes())
    assert mail["Bcc"] is None
