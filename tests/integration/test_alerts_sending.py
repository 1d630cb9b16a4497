"""How messages leave: a folder, a real SMTP server on this machine, and what a kill or a refusal does to them.

Mend: frontdoor/alerts/sending.py and frontdoor/alerts/channels/.
"""

from __future__ import annotations

import email
import email.policy
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from frontdoor import alerts
from frontdoor import settings as setting
from frontdoor.alerts import sending
from frontdoor.settings import Settings

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CONTACTS = "wearside_police/liaison: ['Zoë Duty <zoe@police.example>', two@police.example]\n"


@dataclass
class Mailbox:
    """A mail server's handler: what came, and what it answers to the next ones."""

    mails: list[Any] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("refused"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.mails.append((envelope.mail_from, envelope.rcpt_tos, mail, session.ssl is not None))
        return answer


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def serve(mailbox: Mailbox) -> Iterator[Callable[..., int]]:
    running: list[Controller] = []

    def start(**options: Any) -> int:
        controller = Controller(mailbox, hostname="127.0.0.1", port=0, **options)

        def knock() -> None:  # on the port that the kernel chose, where the controller's own probe would knock on 0
            with socket.create_connection(controller.server.sockets[0].getsockname(), timeout=5) as probe:
                probe.recv(100)

        controller._trigger_server = knock  # type: ignore[method-assign]
        controller.start()
        running.append(controller)
        return int(controller.server.sockets[0].getsockname()[1])

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture
def connection(database: Any) -> Iterator[Any]:
    opened = database.connect()
    with opened, opened.cursor() as cursor:
        cursor.execute("delete from alerts.messages")
    yield opened
    opened.close()


@pytest.fixture
def by_smtp(database: Any, tmp_path: Path) -> Callable[..., Settings]:
    def make(port: int, contacts: str = CONTACTS, **changes: Any) -> Settings:
        path = tmp_path / "contacts.yaml"
        path.write_text(contacts, encoding="utf-8")
        return replace(database.settings, **{"smtp_url": f"smtp://127.0.0.1:{port}", "contacts": path, **changes})

    return make


def a_message(connection: Any, role: str = "liaison", at: datetime = AT) -> str:
    message_id = str(uuid.uuid4())
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into alerts.messages (message_id, agency_code, recipient_role, subject, body, created_at)"
            " values (%s, 'wearside_police', %s, 'Front door: delivery 1', 'Rows of your file: 3 é 4.', %s)",
            (message_id, role, at),
        )
    return message_id


def state(connection: Any, message_id: str) -> tuple[bool, int, bool]:
    """(is sent, attempts, has a next attempt)"""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select sent_at is not null, attempts, next_attempt_at is not null from alerts.messages"
            " where message_id = %s",
            (message_id,),
        )
        return cursor.fetchone()


def test_message_becomes_one_file_of_its_id(connection: Any, database: Any, tmp_path: Path) -> None:
    here = replace(database.settings, mail_dir=tmp_path / "mail")
    message_id = a_message(connection)
    assert alerts.send(connection, here) == 1
    assert [path.name for path in here.mail_dir.iterdir()] == [f"{message_id}.eml"]
    assert (here.mail_dir / f"{message_id}.eml").stat().st_mode & 0o077 == 0
    mail = email.message_from_bytes((here.mail_dir / f"{message_id}.eml").read_bytes(), policy=email.policy.default)
    assert mail["To"] == "liaison@wearside-police.example"
    assert mail["Date"].datetime == AT
    assert mail.get_content().strip() == "Rows of your file: 3 é 4."
    assert state(connection, message_id) == (True, 1, False)
    assert alerts.send(connection, here) == 0


def test_folder_that_cannot_be_written_leaves_the_message_for_later(
    connection: Any, database: Any, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    ids = [a_message(connection), a_message(connection, at=AT + timedelta(seconds=1))]
    assert alerts.send(connection, replace(database.settings, mail_dir=blocked / "mail")) == 0
    # The second was not even tried: what stops one stops all.
    assert [state(connection, message_id) for message_id in ids] == [(False, 1, True), (False, 0, False)]
    assert alerts.send(connection, replace(database.settings, mail_dir=tmp_path / "mail")) == 1


def test_server_gets_the_mail_once_with_all_who_hold_the_role(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any
) -> None:
    here = by_smtp(serve())
    message_id = a_message(connection)
    assert alerts.send(connection, here) == 1
    ((sender, recipients, mail, _),) = mailbox.mails
    assert sender == "front-door@frontdoor.example"
    assert recipients == ["zoe@police.example", "two@police.example"]
    assert mail["Message-ID"] == f"<{message_id}@frontdoor.invalid>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().strip() == "Rows of your file: 3 é 4."
    assert alerts.send(connection, here) == 0
    assert len(mailbox.mails) == 1


def test_refused_mail_waits_and_the_next_one_goes_out(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any
) -> None:
    here = by_smtp(serve())
    refused, passed = a_message(connection), a_message(connection, at=AT + timedelta(seconds=1))
    mailbox.answers = ["451 come back later"]
    assert alerts.send(connection, here) == 1
    assert state(connection, refused) == (False, 1, True)
    assert state(connection, passed) == (True, 1, False)
    with connection, connection.cursor() as cursor:
        cursor.execute("update alerts.messages set next_attempt_at = now() - interval '1 second' where sent_at is null")
    assert alerts.send(connection, here) == 1
    assert state(connection, refused) == (True, 2, False)


def test_role_that_nobody_holds_is_not_guessed_by_smtp(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any
) -> None:
    message_id = a_message(connection, role="head_of_service")
    assert alerts.send(connection, by_smtp(serve())) == 0
    assert state(connection, message_id) == (False, 1, True)
    assert not mailbox.mails


def test_recipients_that_are_all_refused_are_tried_again(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any
) -> None:
    message_id = a_message(connection)
    here = by_smtp(serve(), contacts="wearside_police/liaison: [refused@police.example]")
    assert alerts.send(connection, here) == 0
    assert state(connection, message_id) == (False, 1, True)


def test_server_that_is_away_costs_one_attempt_and_raises_nothing(connection: Any, by_smtp: Any) -> None:
    message_id = a_message(connection)
    assert alerts.send(connection, by_smtp(1)) == 0
    assert state(connection, message_id) == (False, 1, True)


def test_contacts_file_that_is_wrong_sends_nothing_and_says_so(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any, caplog: Any
) -> None:
    message_id = a_message(connection)
    bad = 'wearside_police/liaison: ["zoe@police.example\\nBcc: all@police.example"]'
    assert alerts.send(connection, by_smtp(serve(), contacts=bad)) == 0
    assert state(connection, message_id) == (False, 0, False)
    assert "wearside_police/liaison" in caplog.text
    assert "zoe" not in caplog.text


def test_two_drains_at_once_send_each_message_once(
    connection: Any, database: Any, serve: Any, mailbox: Mailbox, by_smtp: Any
) -> None:
    here = by_smtp(serve())
    ids = {a_message(connection, at=AT + timedelta(seconds=number)) for number in range(20)}
    counts: list[int] = []

    def drain() -> None:
        own = database.connect()
        counts.append(alerts.send(own, here))
        own.close()

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 20
    sent = sorted(mail["Message-ID"] for *_, mail, _ in mailbox.mails)
    assert sent == sorted(f"<{message_id}@frontdoor.invalid>" for message_id in ids)


def test_kill_between_acceptance_and_commit_repeats_the_mail_under_the_same_id(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any
) -> None:
    here = by_smtp(serve())
    message_id = a_message(connection)
    killed = subprocess.run(
        [sys.executable, "-c", _SEND_AND_DIE],
        env={**setting.inherited_environment(), **setting.as_environment(here)},
        timeout=60,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert len(mailbox.mails) == 1
    assert state(connection, message_id)[0] is False
    wait_until_let_go(connection, message_id)
    assert alerts.send(connection, here) == 1
    first, second = (mail for *_, mail, _ in mailbox.mails)
    assert first["Message-ID"] == second["Message-ID"] == f"<{message_id}@frontdoor.invalid>"
    assert first.as_bytes() == second.as_bytes()


def wait_until_let_go(connection: Any, message_id: str) -> None:
    """Until the server has seen that whoever held the message is gone; a drain before that leaves it to the next."""
    with connection, connection.cursor() as cursor:
        cursor.execute("set local lock_timeout = '30 s'")
        cursor.execute("select from alerts.messages where message_id = %s for update", (message_id,))


_SEND_AND_DIE = """
import os, signal, smtplib
from frontdoor import alerts, database, settings
hand_over = smtplib.SMTP.send_message
def accepted_then_killed(self, *arguments, **options):
    hand_over(self, *arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
smtplib.SMTP.send_message = accepted_then_killed
here = settings.load()
alerts.send(database.connect(here), here)
"""


def test_starttls_and_password_are_used_where_a_user_is_named(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[Any] = []

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        asked.append((data.login, data.password))
        return AuthResult(success=data.password == b"secret word")

    port = serve(tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True)
    password = tmp_path / "password"
    password.write_text("secret word\n")
    password.chmod(0o600)
    here = by_smtp(port, smtp_url=f"smtp://front%20door@127.0.0.1:{port}", smtp_password_file=password)
    message_id = a_message(connection)
    # A certificate that nobody vouches for: nothing is said, the password least of all.
    assert alerts.send(connection, here) == 0
    assert not asked and not mailbox.mails
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with connection, connection.cursor() as cursor:
        cursor.execute("update alerts.messages set next_attempt_at = null")
    assert alerts.send(connection, here) == 1
    assert asked == [(b"front door", b"secret word")]
    assert [was_encrypted for *_, was_encrypted in mailbox.mails] == [True]
    assert state(connection, message_id) == (True, 2, False)


def test_server_without_starttls_never_hears_a_password(
    connection: Any, serve: Any, mailbox: Mailbox, by_smtp: Any, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret word")
    password.chmod(0o600)
    port = serve()
    a_message(connection)
    here = by_smtp(port, smtp_url=f"smtp://me@127.0.0.1:{port}", smtp_password_file=password)
    assert alerts.send(connection, here) == 0
    assert not mailbox.mails


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail server of a test")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    start = datetime.now(UTC) - timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    os.chmod(private, 0o600)
    return certificate, private


def test_message_that_cannot_be_written_holds_up_no_other(
    connection: Any, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = a_message(connection), a_message(connection, at=AT + timedelta(seconds=1))
    write = sending.write

    def refuse_one(message: Any, *people: Any) -> Any:
        if str(message.message_id) == bad:
            raise UnicodeError("Jane Canary")
        return write(message, *people)

    monkeypatch.setattr(sending, "write", refuse_one)
    assert alerts.send(connection, replace(database.settings, mail_dir=tmp_path / "mail")) == 1
    assert state(connection, bad) == (False, 1, True)
    assert state(connection, good) == (True, 1, False)
