"""SMTP by setting: ``smtp://[user@]host[:port]`` or ``smtps://[user@]host[:port]``.

With ``smtp://`` the connection is raised to TLS (STARTTLS) before anything is said; only a server on this machine,
or ``?starttls=off`` in so many words, is spoken to in the clear, and a password never is. The password comes from a
file of its own, never from the address. One connection serves a whole drain; when it breaks, the next mail opens
another.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from frontdoor.alerts.channels.errors import ChannelDown, Refused

if TYPE_CHECKING:
    from frontdoor.alerts.channels import HandOver

# A server that is away must not hold up what comes after the mail; one that has the mail may think about it, because
# giving up then would send it twice.
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class MailServer:
    """Where mail goes and how."""

    host: str
    port: int
    tls: str  # 'implicit', 'starttls' or 'off'
    user: str | None
    password_file: Path | None


def parse(url: str, password_file: Path | None) -> MailServer:
    """Read FRONTDOOR_SMTP_URL. Raises ValueError that never quotes it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("FRONTDOOR_SMTP_URL is no address: expected smtp://host:port or smtps://host:port") from None
    options = parse_qs(parts.query)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not set(options) <= {"starttls"}:
        raise ValueError("FRONTDOOR_SMTP_URL: expected smtp://[user@]host[:port][?starttls=off] or smtps://...")
    if parts.password is not None:
        raise ValueError("FRONTDOOR_SMTP_URL holds a password: put it into FRONTDOOR_SMTP_PASSWORD_FILE (0600) instead")
    if parts.scheme == "smtps":
        return MailServer(parts.hostname, port or 465, "implicit", _user(parts.username), password_file)
    asked_off = options.get("starttls") == ["off"]
    tls = "off" if asked_off or (parts.hostname in HERE and not parts.username) else "starttls"
    if tls == "off" and parts.username:
        raise ValueError("FRONTDOOR_SMTP_URL names a user and switches STARTTLS off: no password goes in the clear")
    return MailServer(parts.hostname, port or 25, tls, _user(parts.username), password_file)


@contextmanager
def opened(server: MailServer) -> Iterator[HandOver]:
    """Give the function that hands mails to the server; it connects when the first one comes."""
    session: smtplib.SMTP | None = None

    def hand_over(message_id: UUID, mail: EmailMessage) -> None:
        nonlocal session
        try:
            if session is None:
                session = _connect(server)
            session.send_message(mail)
        except smtplib.SMTPRecipientsRefused:
            _reset(session)
            raise Refused("the mail server refused every recipient") from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            _reset(session)
            raise Refused(f"the mail server refused the mail with code {error.smtp_code}") from None
        except smtplib.SMTPNotSupportedError:
            raise ChannelDown("the mail server does not offer what the settings ask for (STARTTLS or login)") from None
        except (smtplib.SMTPException, OSError) as error:
            _close(session)
            session = None
            code = getattr(error, "smtp_code", None) or getattr(error, "errno", None) or ""
            raise ChannelDown(f"the mail server cannot be used: {type(error).__name__} {code}".rstrip()) from None

    try:
        yield hand_over
    finally:
        _close(session)


def _connect(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    # Our own name is not the machine's: it would tell of the inside of the house.
    ours = "frontdoor.invalid"
    session: smtplib.SMTP
    if server.tls == "implicit":
        session = smtplib.SMTP_SSL(server.host, server.port, ours, timeout=CONNECT_SECONDS, context=context)
    else:
        session = smtplib.SMTP(server.host, server.port, ours, timeout=CONNECT_SECONDS)
    try:
        if server.tls == "starttls":
            session.starttls(context=context)
        if server.user is not None:
            session.login(server.user, _password(server.password_file))
        if session.sock is not None:
            session.sock.settimeout(ANSWER_SECONDS)
    except BaseException:
        _close(session)
        raise
    return session


def _password(path: Path | None) -> str:
    if path is None:
        raise ChannelDown("FRONTDOOR_SMTP_URL names a user, but FRONTDOOR_SMTP_PASSWORD_FILE is not set")
    try:
        if path.stat().st_mode & 0o077:
            raise ChannelDown("FRONTDOOR_SMTP_PASSWORD_FILE can be read by others: chmod 0600")
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ChannelDown(f"FRONTDOOR_SMTP_PASSWORD_FILE cannot be read: {type(error).__name__}") from None


def _user(name: str | None) -> str | None:
    return unquote(name) if name else None


def _reset(session: smtplib.SMTP | None) -> None:
    with suppress(smtplib.SMTPException, OSError):
        if session is not None:
            session.rset()


def _close(session: smtplib.SMTP | None) -> None:
    with suppress(smtplib.SMTPException, OSError):
        if session is not None:
            session.quit()
