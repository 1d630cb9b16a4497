"""Pauses between attempts, and the mail server's address. Mend: frontdoor/alerts/sending.py, channels/smtp.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from frontdoor.alerts.channels import smtp
from frontdoor.alerts.sending import pause


def test_pauses_grow_and_end_at_an_hour() -> None:
    pauses = [pause(attempts).total_seconds() for attempts in range(1, 200)]
    assert pauses[:4] == [15, 30, 60, 120]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 3600


def test_server_elsewhere_is_spoken_to_under_tls() -> None:
    assert smtp.parse("smtp://mail.council.example", None).tls == "starttls"
    assert smtp.parse("smtp://me@127.0.0.1:2525", None).tls == "starttls"
    assert smtp.parse("smtps://mail.council.example", None) == smtp.MailServer(
        "mail.council.example", 465, "implicit", None, None
    )


def test_server_on_this_machine_may_be_spoken_to_in_the_clear() -> None:
    assert smtp.parse("smtp://127.0.0.1:2525", None) == smtp.MailServer("127.0.0.1", 2525, "off", None, None)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://me:secret-word@mail.example",
        "smtp://me@mail.example?starttls=off",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:port",
        "smtp://mail.example?tls=no",
        "mail.example",
    ],
)
def test_address_of_a_server_that_cannot_be_meant_is_refused_unquoted(url: str) -> None:
    with pytest.raises(ValueError, match="FRONTDOOR_SMTP_URL") as refusal:
        smtp.parse(url, None)
    assert "secret-word" not in str(refusal.value)
    assert "mail.example" not in str(refusal.value)


def test_password_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret-word")
    path.chmod(0o644)
    with pytest.raises(smtp.ChannelDown, match="0600"):
        smtp._password(path)
    path.chmod(0o600)
    assert smtp._password(path) == "secret-word"
