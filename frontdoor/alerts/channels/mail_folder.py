"""One file per message: ``<message_id>.eml`` in the mail folder.

Written under a temporary name, made durable, then renamed: a reader of the folder never sees half a mail, and a mail
handed over twice is still one file.
"""

from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from frontdoor.alerts.channels.errors import ChannelDown

if TYPE_CHECKING:
    from frontdoor.alerts.channels import HandOver


def opened(folder: Path) -> HandOver:
    """Return the function that puts a mail into the folder, which is made if need be."""

    def hand_over(message_id: UUID, mail: EmailMessage) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _put(folder, f"{message_id}.eml", mail.as_bytes())
        except OSError as error:
            raise ChannelDown(f"the mail folder cannot be written: {type(error).__name__} {error.errno}") from None

    return hand_over


def _put(folder: Path, name: str, content: bytes) -> None:
    temporary = folder / f".{name}.{os.getpid()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
