"""Which characters the bytes mean, and the file as clean UTF-8 in blocks.

A byte order mark decides; then a strict reading as UTF-8. What is not UTF-8 is Windows-1252, the other thing that
office programs write, unless most of what is not ASCII is good UTF-8: then the file is UTF-8 with damage, and the
damaged bytes become U+FFFD. Nothing is guessed from the words. NUL, which Postgres cannot keep, becomes U+FFFD too.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from frontdoor.intake.content import Content

BLOCK_BYTES = 2**20
# UTF-32 first: its mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
FALLBACK = "cp1252"
REPLACED = "\ufffd"
# This many bad bytes, and more than good characters, settle that a file is not UTF-8.
ENOUGH_BAD = 1000
_BAD = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Encoding:
    """How to read a file: codec, length of the byte order mark, and whether it must be rewritten on the way.

    `is_damaged`: it holds bytes that mean nothing in this codec, or NULs.
    """

    codec: str
    mark_bytes: int = 0
    is_damaged: bool = False

    @property
    def is_fallback(self) -> bool:
        """Whether the file is not in Unicode."""
        return self.codec == FALLBACK

    @property
    def is_clean(self) -> bool:
        """Whether the bytes can be used as they are."""
        return self.codec == "utf-8" and not self.is_damaged


def of_head(head: bytes) -> Encoding | None:
    """Return the encoding that the first bytes tell by a mark, or by the zeros of UTF-16 without one."""
    for mark, codec in MARKS:
        if head.startswith(mark):
            return Encoding(codec, len(mark))
    sample = head[: 2**12 // 2 * 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * len(sample) / 2 and even < 0.05 * len(sample) / 2:
        return Encoding("utf-16-le")
    if even > 0.4 * len(sample) / 2 and odd < 0.05 * len(sample) / 2:
        return Encoding("utf-16-be")
    return None


def of_content(content: Content) -> Encoding:
    """Return the encoding of a member of a file, having read all of it where the head does not tell."""
    with content.open() as file:
        found = of_head(file.read(BLOCK_BYTES))
        if found is not None and found.codec != "utf-8":
            return found
        file.seek(found.mark_bytes if found else 0)
        good, bad, nuls = 0, 0, False
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        while True:
            block = file.read(BLOCK_BYTES)
            text = decoder.decode(block, final=not block)
            nuls = nuls or b"\0" in block
            if not text.isascii():
                bad_here = _count_bad(text)
                bad += bad_here
                good += len(text) - bad_here - len(text.encode("ascii", "ignore"))
            if not block or (bad > ENOUGH_BAD and bad > good and found is None):
                break
    mark_bytes = found.mark_bytes if found else 0
    if not bad:
        return Encoding("utf-8", mark_bytes, is_damaged=nuls)
    # One byte can be damaged in any file; but Windows-1252 makes good UTF-8 only by accident.
    if found is not None or good >= bad:
        return Encoding("utf-8", mark_bytes, is_damaged=True)
    return Encoding(FALLBACK, is_damaged=True)


def utf8_blocks(content: Content, encoding: Encoding, *, is_cr: bool = False) -> Iterator[bytes]:
    """Yield the bytes as UTF-8 without byte order mark or NUL; with `is_cr`, lone carriage returns end lines."""
    with content.open() as file:
        file.seek(encoding.mark_bytes)
        if encoding.is_clean and not is_cr:
            while block := file.read(BLOCK_BYTES):
                yield block
            return
        decoder = codecs.getincrementaldecoder(encoding.codec)("replace")
        while True:
            block = file.read(BLOCK_BYTES)
            text = decoder.decode(block, final=not block).replace("\0", REPLACED)
            if is_cr:
                text = text.replace("\r", "\n")
            if text:
                yield text.encode("utf-8", "replace")
            if not block:
                return


def _count_bad(text: str) -> int:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return len(_BAD.findall(text))
    return 0
