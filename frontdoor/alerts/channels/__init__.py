"""How a mail leaves the house: a folder by default, SMTP by setting.

A channel is a function that takes a mail and returns when it is safely handed over, or raises. ``ChannelDown`` means
that no other mail would get through either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING
from uuid import UUID

from frontdoor.alerts.channels import mail_folder, smtp
from frontdoor.alerts.channels.errors import ChannelDown, Refused

if TYPE_CHECKING:
    from frontdoor.settings import Settings

HandOver = Callable[[UUID, EmailMessage], None]

__all__ = ["ChannelDown", "HandOver", "Refused", "opened"]


@contextmanager
def opened(settings: Settings) -> Iterator[HandOver]:
    """Open the channel that the settings name, for as many mails as there are."""
    if settings.smtp_url:
        with smtp.opened(smtp.parse(settings.smtp_url, settings.smtp_password_file)) as hand_over:
            yield hand_over
    else:
        yield mail_folder.opened(settings.mail_dir)
