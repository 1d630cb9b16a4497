"""A member of a file: something in it that can hold records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from frontdoor.intake.content import Place
from frontdoor.intake.readers.workbook import SheetRow


@dataclass(frozen=True)
class Member:
    """Something in a file that can hold records; `refusal`: why nothing of it can be read (a key of the reasons).

    size_bytes: its own length where that is known and not the file's. A sheet also tells its name and its first rows,
    by which it is known, and can count its rows; they stay in memory.
    """

    place: Place
    refusal: str | None = None
    size_bytes: int | None = None
    name: str = field(default="", repr=False)
    top: Sequence[SheetRow] = field(default=(), repr=False)
    count: Callable[[], int] | None = field(default=None, repr=False, compare=False)
