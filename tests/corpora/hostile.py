"""Files that mean harm, or were harmed: cut off, damaged, swollen, nested, and posing as what they are not.

`hostile(bases)` yields (kind, sender, bytes); `bases` are good files of every sender, so that nothing here knows a format
better than its writer. The same bases give the same files.
"""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Iterator, Mapping

Sender = tuple[str, str]
CUTS, DAMAGED, SWAPPED = 40, 24, 8
MEGABYTE = 2**20


def hostile(bases: Mapping[Sender, bytes]) -> Iterator[tuple[str, Sender, bytes]]:
    """Yield the files of all kinds, for every sender."""
    for sender, good in bases.items():
        chance = random.Random("/".join(sender))
        for number in range(CUTS):
            yield f"cut off {number}", sender, good[: chance.randrange(len(good))]
        for number in range(DAMAGED):
            yield f"damaged {number}", sender, _damaged(good, chance)
        for number in range(SWAPPED):
            block = chance.randrange(1, max(2, len(good) // 4))
            at = chance.randrange(len(good) - block)
            yield f"a block twice {number}", sender, good[: at + block] + good[at:]
        for kind, content in _special(good):
            yield kind, sender, content


def _damaged(good: bytes, chance: random.Random) -> bytes:
    content = bytearray(good)
    for _ in range(chance.choice((1, 3, 50))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _special(good: bytes) -> Iterator[tuple[str, bytes]]:
    yield "packed", gzip.compress(good, mtime=0)
    yield "packed and cut off", gzip.compress(good, mtime=0)[:-9]
    yield "packed twice", gzip.compress(gzip.compress(good, mtime=0), mtime=0)
    yield "a bomb", gzip.compress(b"a,b\n" * (20 * MEGABYTE), mtime=0)
    yield "in a zip with names that are paths", _zip({"../../etc/passwd": good, "/srv/x": good, "a\\..\\b": good})
    yield "in a zip within a zip", _zip({"a.zip": _zip({"b.csv": good})})
    yield "a zip of nothing", _zip({})
    yield "a zip of a thousand and one", _zip({f"{number}": b"a" for number in range(1001)})
    yield "a zip of bombs", _zip({f"{number}": b"\0" * (40 * MEGABYTE) for number in range(3)})
    yield "one line without end", good[:200] + b"x" * (50 * MEGABYTE)
    yield "a field of fifty megabytes", b'notification_ref,narrative\n1,"' + b"x" * (50 * MEGABYTE) + b'"\n2,short\n'
    yield "a text of fifty megabytes", b'{"narrative": "' + b"x" * (50 * MEGABYTE) + b'"}\n{"narrative": "short"}\n'
    yield "an element of fifty megabytes", b"<Message><a>" + b"x" * (50 * MEGABYTE) + b"</a></Message>"
    yield "ten thousand columns", b",".join(b"c%d" % n for n in range(10_000)) + b"\n" + b"1," * 9_999 + b"1\n"
    yield "a million quotes", b'"' * MEGABYTE
    yield "nested json", b"[" * 200_000
    yield "nested objects", b'{"a":' * 100_000
    yield "a number of a million digits", b'{"notification_ref": ' + b"9" * MEGABYTE + b"}\n"
    yield "nested xml", b"<a>" * 100_000
    yield (
        "laughs",
        b"<!DOCTYPE l [<!ENTITY a 'ha'>"
        + b"".join(b"<!ENTITY a%d '&a%s;&a%s;'>" % (n, *([str(n - 1 or "").encode()] * 2)) for n in range(1, 40))
        + b"]><l>&a39;</l>",
    )
    yield "an entity from outside", b"<!DOCTYPE l [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><l>&x;</l>"
    yield "nothing but zeros", b"\0" * MEGABYTE
    yield "a picture", b"\x89PNG\r\n\x1a\n" + good
    yield "a program", b"\x7fELF" + good


def _zip(entries: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
