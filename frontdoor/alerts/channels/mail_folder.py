"""One file per message: ``<message_id>.eml`` in the mail folder.

Written under a temporary name, made durable, then renamed: a reader of the folder never sees half a mail, and a mail
handed over twice is still one file.
"""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from frontdoor.alerts.channels.errors import ChannelDown
from frontdoor.files import write_whole

if TYPE_CHECKING:
    from frontdoor.alerts.channels import HandOver


def opened(folder: Path) -> HandOver:
    """Return the function that puts a mail into the folder, which is made if need be."""

    def hand_over(message_id: UUID, mail: EmailMessage) -> None:
        try:
            write_whole(folder / f"{message_id}.eml", mail.as_bytes())
        except OSError as error:
            raise ChannelDown(f"the mail folder cannot be written: {type(error).__name__} {error.errno}") from None

    return hand_over
