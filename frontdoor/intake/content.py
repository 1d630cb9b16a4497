"""The bytes of one member of a file, opened anew for every pass over them.

A place says where the member stands, by numbers from 1 and never by name, which may be a child's: nothing for the file
itself, `entry` in an archive, `sheet` in a workbook (which may itself be an entry), `beside` for the entry
that tells of that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Literal, Protocol, cast

Place = Mapping[str, int]


class File(Protocol):
    """What can be opened again and again: an archived file (`archive.Archived`), or a path."""

    def open(self, mode: Literal["rb"], buffering: Literal[0]) -> IO[bytes]:
        """Open the bytes for reading from the beginning."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Content:
    """A member's bytes: of a file, at a place in it."""

    file: File
    place: Place = field(default_factory=dict)

    def open(self) -> IO[bytes]:
        """Open the bytes for reading from the beginning; forwards and backwards. The caller closes.

        Those of an archive's entry are bounded: reading raises `Unreadable` where too much comes out.
        """
        if "entry" in self.place:
            from frontdoor.intake.contents import archives  # which looks into what this opens

            return cast(IO[bytes], archives.open_entry(self.file, self.place["entry"]))
        return self.file.open("rb", 0)
