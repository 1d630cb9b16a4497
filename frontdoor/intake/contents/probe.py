"""Whether a member of a file can be read at all: not empty, not binary, no document type in its XML."""

from __future__ import annotations

from xml.parsers import expat

from frontdoor.intake.content import Content
from frontdoor.intake.readers import encoding, xml_layout

HEAD_BYTES = 2**16
ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
)
BINARIES = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF89a", b"\x7fELF", b"SQLite format 3\0", b"II*\0", b"MM\0*")
# Control characters that text does not have, without NUL: padding and damage put that into text, too.
CONTROLS = bytes(set(range(1, 32)) - set(b"\t\n\r\f\x0b\x1a"))
MOST_CONTROLS = 0.05
MOST_NULS = 0.3


def refusal(content: Content, form: str | None) -> str | None:
    """Return the reason (a key of `reasons.SENTENCES`) why nothing of it can be read, or None."""
    with content.open() as file:
        head = file.read(HEAD_BYTES)
    if not head:
        return "empty"
    if head.startswith(ARCHIVES):
        return "archive"
    if head.startswith(BINARIES):
        return "binary"
    if encoding.of_head(head) is None:
        controls = len(head) - len(head.translate(None, CONTROLS))
        if controls > MOST_CONTROLS * len(head) or head.count(0) > MOST_NULS * len(head):
            return "binary"
    if _is_blank(content):
        return "empty"
    return "xml_dtd" if form == "xml" and _declares_a_type(content) else None


def _is_blank(content: Content) -> bool:
    """Tell whether there is nothing but white space and marks in the file."""
    with content.open() as file:
        while block := file.read(HEAD_BYTES):
            if block.translate(None, b" \t\r\n\0\x1a\xef\xbb\xbf\xfe\xff"):
                return False
    return True


class _Seen(Exception):
    """What was looked for is there."""


def _declares_a_type(content: Content) -> bool:
    """Tell whether a document type stands before the root element. Entities can be declared nowhere else.

    Looked for in what the reader will read: in the raw bytes, damage or a declared encoding would hide it.
    """

    def stop(*_: object) -> None:
        raise _Seen

    parser = expat.ParserCreate("utf-8")
    found: list[bool] = []

    def declared(*_: object) -> None:
        found.append(True)
        raise _Seen

    parser.StartDoctypeDeclHandler = declared
    parser.StartElementHandler = stop
    stream = xml_layout.Stream(content, xml_layout.encoding_of(content), mend=False)
    try:
        while block := stream.read():
            parser.Parse(block, False)
    except _Seen:
        return bool(found)
    except expat.ExpatError:
        return False  # not well-formed: the reader will say so
    return False
