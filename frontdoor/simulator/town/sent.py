"""What an agency sends: a file, the records in it, and what is wrong with either."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from frontdoor.simulator.town.telling import Contact

# How a defect of a file is told, where no rule does.
DEAD_LETTER, DUPLICATE = "dead letter", "duplicate"


class Told(NamedTuple):
    """One record in a file: its place from 1, its key, the child of the town that it is about or "", what is wrong.

    Of a return: `part`, the list of the workbook that it stands in, and `tells_of`, the row of the case system.
    """

    record_no: int
    reference: str
    child_id: str
    contact: Contact | None = None
    defects: Sequence[tuple[str, str]] = ()
    part: str = ""
    tells_of: str = ""


@dataclass(frozen=True)
class SentFile:
    """One file: who sends it by which feed, when it lands, its bytes, and the records that it was written of.

    `defect`: what is wrong with the file as a whole; `told_by`: the rules, or the other ways, that say so.
    `is_withheld`: it should have come and never does.
    """

    agency: str
    feed: str
    name: str
    landed_at: datetime
    content: bytes
    told: Sequence[Told]
    defect: str = ""
    told_by: Sequence[str] = ()
    name_in_landing: str = ""
    is_withheld: bool = False

    @property
    def path(self) -> str:
        """Where it stands, from the folder of all files."""
        return f"{self.agency}/{self.feed}/{self.name}"

    @property
    def lands_as(self) -> str:
        """The name under which it lands; another one than its own where a sender uses a name again."""
        return self.name_in_landing or self.name

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.content).hexdigest()
