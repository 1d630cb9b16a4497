"""Of which year a published return says it is: asked before it is read, because the year tells how.

Only what stands before the first record is looked at, as a stream.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from lxml import etree

from frontdoor.contract.editions import YEARS

# A year, or a date with it. What is written otherwise (2024/25) says two years, and is not guessed.
_YEAR = re.compile(r"(\d{4})(?:-\d\d-\d\d(?:T.*)?)?")
MOST_ELEMENTS, MOST_BYTES = 1_000, 2**18


class Readable(Protocol):
    """What a parser pulls from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; none at the end."""


class _Head:
    """The beginning of a file."""

    def __init__(self, stream: Readable) -> None:
        """Begin where the stream does."""
        self._stream, self._left = stream, MOST_BYTES

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; none at the end, or when enough was read."""
        block = self._stream.read(size)[: self._left]
        self._left -= len(block)
        return block


def year_of(stream: Readable, at: Sequence[str], record: Sequence[str]) -> int | None:
    """Return the year told at the first of these paths that tells one; None where none does before a record begins."""
    wanted = {tuple(part for part in path.split("/") if part): rank for rank, path in enumerate(at)}
    found: dict[int, int] = {}
    path: list[str] = []
    seen = 0
    try:
        for event, element in etree.iterparse(
            _Head(stream),
            events=("start", "end"),
            encoding="utf-8",
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=True,
            remove_comments=True,
            remove_pis=True,
        ):
            if event == "start":
                path.append(str(element.tag).rpartition("}")[2])
                seen += 1
                # One level above a record: what comes now are records and what belongs to them.
                if seen > MOST_ELEMENTS or path == [*record[:-1]]:
                    break
                continue
            rank = wanted.get(tuple(path))
            told = _YEAR.fullmatch((element.text or "").strip()) if rank is not None else None
            if rank is not None and told and int(told[1]) in YEARS:
                found.setdefault(rank, int(told[1]))
            path.pop()
    except etree.XMLSyntaxError:
        pass  # the reader says what is wrong with the file
    return found[min(found)] if found else None
