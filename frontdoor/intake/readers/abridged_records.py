"""The flat records of an XML layout, taken out of the file before it is parsed."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable
from typing import Protocol

from frontdoor.intake.readers.abridged import Abridged

# Names beyond these are left to the parser, and so are orders of names that keep changing.
MOST_NAMES, MOST_ORDERS = 200, 8
# So many texts, blank ones too, wait for the parser to come to their marks.
MOST_WAITING = 2**19
_TO_LEAVE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)|\]\]>|[\ufffe\uffff]")
_TEXTS = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


class Blocks(Protocol):
    """A file as clean UTF-8."""

    def read(self, _size: int = -1) -> bytes:
        """Return the next block; none at the end."""


class AbridgedRecords(Abridged[tuple[tuple[str, ...], list[str]]]):
    """A stream of XML without its flat records, for a parser that pulls.

    What was taken out is a tuple of names of elements, the same tuple while they do not change, and their texts without
    blanks around them; an element that the record does not have has an empty text.
    """

    def __init__(self, blocks: Blocks, tag: str, names: Iterable[str]) -> None:
        """Take out elements of this tag that have no others in them than of these names, in about this order."""
        super().__init__(tag)
        self._blocks, self._tag = blocks, tag
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        self._names, self._orders = tuple(dict.fromkeys(names)), 0
        self._pattern = self._of_names()

    def learn(self, names: Iterable[str]) -> None:
        """Expect elements in the order in which a flat record of this file, which the parser read, has them."""
        told = list(names)
        if self._tag in told:
            return  # a record within a record is the parser's
        rest = iter(self._names)
        if all(name in rest for name in told) or self._orders == MOST_ORDERS:
            return
        self._orders += 1
        merged = list(told)
        for name, before in zip(self._names, [None, *self._names], strict=False):
            if name not in told:
                merged.insert(merged.index(before) + 1 if before is not None else 0, name)
        if len(merged) <= MOST_NAMES:
            self._names = tuple(merged)
            self._pattern = self._of_names()

    def read(self, _size: int = -1) -> bytes:
        """Return the next block; none at the end."""
        while True:
            block = self._blocks.read()
            abridged = self.abridge(self._decoder.decode(block, final=not block), is_last=not block)
            if abridged or not block:
                return abridged.encode()

    def _take(self, found: re.Match[str]) -> str | None:
        if len(self._taken) * len(self._names) > MOST_WAITING:
            return None
        record = found[0]
        if "&" in record or "]]>" in record or not record.isascii():
            if _TO_LEAVE.search(record):
                return None
            texts = list(map(_plain, found.groups("")))
        else:
            texts = list(map(str.strip, found.groups("")))
        self._taken.append((self._names, texts))
        # The parser counts lines; beyond 65,535 it tells that of the text within.
        return f'<{self._tag} {self.mark}=""> </{self._tag}>' + "\n" * record.count("\n")

    def _of_names(self) -> re.Pattern[str]:
        # Possessive, so that a record which is not flat costs no second look.
        blank = r"[ \t\n]*+"
        texts = (f"(?:<{name}>([^<]*+)</{name}>{blank})?+" for name in map(re.escape, self._names))
        return re.compile(f"<{re.escape(self._tag)}>{blank}{''.join(texts)}</{re.escape(self._tag)}>")


def _plain(text: str) -> str:
    if "&" in text:
        for written, meant in _TEXTS:
            text = text.replace(written, meant)
    return text.strip()
