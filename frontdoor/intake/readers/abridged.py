"""XML without its plain records: they are taken out before the parser sees the rest.

Most records of most files hold nothing but texts. A pattern finds those in a third of the time that a parser takes to
build or to announce their elements. It accepts nothing but what every parser would accept and read the same, and each
record that it takes leaves a mark in its place: the parser, which sees all the rest, still decides whether the file is
well-formed, where a record stands and in which order. All that is out of the ordinary is left to it.
"""

from __future__ import annotations

import re
import secrets
from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, TypeVar

# A record that goes on for longer than this is left to the parser.
LONGEST = 2**20
T = TypeVar("T")


class Abridged(ABC, Generic[T]):
    """One text of XML being abridged, piece by piece.

    An element of the tag with attribute `mark`, which no sender can know, stands for the next of the records taken out.
    """

    def __init__(self, tag: str) -> None:
        """Take out elements of this tag; the pattern that knows them is the subclass's."""
        self.mark = f"_{secrets.token_hex(8)}"
        self._opening, self._closing = f"<{tag}", f"</{tag}>"
        self._pattern: re.Pattern[str]
        self._held = ""
        self._is_on = self._is_first = True
        self._taken: deque[T] = deque()

    def taken(self) -> T:
        """Return the next of the records that were taken out."""
        return self._taken.popleft()

    def abridge(self, piece: str, *, is_last: bool) -> str:
        """Return what the parser must see of what came so far; a record that is not whole yet waits for its rest."""
        text = self._held + piece
        cut = len(text) if is_last or not self._is_on else self._end_of_whole(text)
        self._held = text[cut:]
        return self._without_records(text[:cut]) if self._is_on else text[:cut]

    @abstractmethod
    def _take(self, found: re.Match[str]) -> str | None:
        """Keep the record that the pattern found and return its mark; None leaves it to the parser."""

    def _end_of_whole(self, text: str) -> int:
        """Return where the record begins that may go on in the next piece, or the tag that may."""
        opened = text.rfind(self._opening)
        if opened < 0 or len(text) - opened > LONGEST or text.find(self._closing, opened) >= 0:
            opened = text.rfind("<", max(len(text) - LONGEST, opened + 1, 0))
        return opened if opened >= 0 else len(text)

    def _without_records(self, text: str) -> str:
        parts: list[str] = []
        done = 0
        for found in self._pattern.finditer(text):
            between = text[done : found.start()]
            if self._may_open_other(between):
                break
            mark = self._take(found)
            parts += (between, found[0] if mark is None else mark)
            done = found.end()
        rest = text[done:]
        self._is_on = not self._may_open_other(rest)
        return "".join((*parts, rest))

    def _may_open_other(self, between: str) -> bool:
        """Tell whether the same letters may from here on stand in a comment, in character data, in an instruction."""
        first = int(self._is_first)  # the file's own declaration
        self._is_first = False
        return "<!" in between or between.find("<?", first) >= 0
