"""gz and zip: which entries an archive holds, and the bytes of one entry as a stream. Nothing is ever unpacked to disk.

What an archive says of itself is not believed: what comes out is counted, and ends at a limit (`MOST_BYTES`,
`MOST_RATIO`, `MOST_ENTRIES`), and an entry is whole only when its data ends where it must and its checksum agrees. The
name of an entry decides whether it is a file of the sender's or litter of an operating system, and is then forgotten:
it is no path, no log line and no column.

`zipfile` reads the list at a zip's end, through a file that gives it no more than `MOST_LIST_BYTES`; a zip that is cut
has none, and is then walked from its beginning, entry by entry. The data are read here: `zipfile` stops where the list
says that an entry ends, and `gzip` cannot be bounded. Libraries that stream zips (stream-unzip) read the entries'
own headers only, cannot be cut short by the bytes that came out, and bring a cryptography package for archives that we
refuse; isal, a quicker zlib, was not tried. Only deflate and stored entries are opened: the
others (bzip2, LZMA, zstd) are rare, and some of them take as much memory as their header asks for.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from frontdoor.intake.content import File
from frontdoor.intake.readers.sender_header import SIDECAR_ENDINGS
from frontdoor.intake.reasons import Unreadable

BLOCK_BYTES = 2**20
# All bounds as of 2026-11. A million police records are 1 GB.
MOST_BYTES = 4 * 2**30
# Deflate gives up to 1032 bytes for one. Invented samples of ours gave 7 (CSV) to 27 (XML).
MOST_RATIO = 200
# So much may come out whatever the ratio: a page of blanks is small and harmless.
FREE_BYTES = 16 * 2**20
# Each entry becomes a delivery. A choice, not a measurement: far above a file for each day of a year.
MOST_ENTRIES = 1000
# The list of so many entries, with names of a thousand bytes.
MOST_LIST_BYTES = 2**20

GZ = b"\x1f\x8b"
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_DESCRIBED_LATER, _LOCKED = 0x08, 0x01 | 0x40 | 0x2000
_STORED, _DEFLATED = 0, 8
_LITTER = ("thumbs.db", "desktop.ini")
_WORKBOOK = "xl/workbook.xml"
# What else a zip can be that is no archive of files: documents of office programs.
_OFFICE = ("[content_types].xml", "mimetype", "word/document.xml", "ppt/presentation.xml", "xl/workbook.bin")


@dataclass(frozen=True)
class Entry:
    """One file in an archive. `number` counts from 1, litter and folders included; `refusal`: why it is not opened.

    start, packed_bytes: where its data stand; packed_bytes is None where only the data tell their end.
    """

    number: int
    start: int = 0
    packed_bytes: int | None = None
    method: int = _DEFLATED
    checksum: int | None = None
    size_bytes: int | None = None
    is_gz: bool = False
    refusal: str | None = None
    # The entry that is called as if it told of this one.
    beside: int | None = None


@dataclass(frozen=True)
class Listing:
    """The entries of an archive that can be files, and how many were passed over (folders, litter)."""

    entries: tuple[Entry, ...]
    passed_over: int = 0


def kind_of(file: IO[bytes]) -> str | None:
    """Return "gz", "zip", "workbook" or "office" (a zip that is a document), or None for what is no archive."""
    file.seek(0)
    head = file.read(4)
    if head.startswith(GZ):
        return "gz"
    if head not in _ZIP_STARTS:
        return None
    try:
        names = [name.casefold() for name, _ in _listed(file)]
    except Unreadable:
        return "zip"
    if _WORKBOOK in names:
        return "workbook"
    return "office" if names and (names[0] in _OFFICE or any(name in _OFFICE[2:] for name in names)) else "zip"


def list_entries(file: IO[bytes]) -> Listing:
    """Return what a gz or zip holds. Raises `Unreadable` where nothing of it can be opened."""
    file.seek(0)
    if file.read(2) == GZ:
        return Listing((Entry(1, is_gz=True),))
    found = _listed(file)
    named = [(name.replace("\\", "/").casefold(), entry) for name, entry in found if not _is_passed_over(name)]
    if not named:
        raise Unreadable("archive_empty")
    beside = _told_of([name for name, _ in named])
    entries = [
        replace(entry, beside=named[beside[at]][1].number) if at in beside else entry
        for at, (_, entry) in enumerate(named)
    ]
    return Listing(tuple(entries), len(found) - len(entries))


def _told_of(names: Sequence[str]) -> dict[int, int]:
    """Position of a file -> that of the one entry which is called as if it told of it: its name, with or without its
    ending, and ``.header.yaml``."""
    beside: dict[int, int] = {}
    for at, name in enumerate(names):
        ending = next((each for each in SIDECAR_ENDINGS if name.endswith(each)), None)
        if ending is None:
            continue
        stem = name.removesuffix(ending)
        files = [one for one, other in enumerate(names) if one != at and other == stem] or [
            one for one, other in enumerate(names) if one != at and other.rpartition(".")[0] == stem
        ]
        if len(files) == 1:
            beside.setdefault(files[0], at)
    return beside


def measure(file: File, entry: Entry, spent: int) -> int:
    """Read an entry to its end and return how many bytes came out. Raises `Unreadable` where it is not whole.

    spent: what came out of the entries before it; the bounds hold for the archive as a whole.
    """
    size = 0
    for block in blocks(file, entry, spent):
        size += len(block)
    return size


def open_entry(file: File, number: int) -> Stream:
    """Open the entry of that number. Raises `Unreadable` where there is none, or it is refused."""
    status = file.stat() if isinstance(file, Path) else None
    entries = _remembered(file, status and (status.st_size, status.st_mtime_ns))
    entry = next((each for each in entries if each.number == number), None)
    if entry is None:
        raise Unreadable("archive_broken")
    return Stream(file, entry)


@lru_cache(4)
def _remembered(file: File, _changed: tuple[int, int] | None) -> tuple[Entry, ...]:
    """Return the entries of an archive, whose list is the same for each of its thousand entries."""
    with file.open("rb", 0) as opened:
        return list_entries(opened).entries


def blocks(file: File, entry: Entry, spent: int = 0) -> Generator[bytes, None, None]:
    """Yield the bytes of an entry. Raises `Unreadable` at a bound, and at the end of one that is not whole."""
    if entry.refusal:
        raise Unreadable(entry.refusal)
    with file.open("rb", 0) as opened:
        allowed = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * opened.seek(0, io.SEEK_END))) - spent
        if allowed < 0:
            raise Unreadable("archive_bomb")
        opened.seek(entry.start)
        unpacked = _gunzipped(opened) if entry.is_gz else _unzipped(opened, entry)
        size = 0
        try:
            for block in unpacked:
                size += len(block)
                if size > allowed:
                    raise Unreadable("archive_bomb")
                yield block
        except zlib.error:
            raise Unreadable("archive_broken") from None


class Stream(io.RawIOBase):
    """The bytes of one entry, forwards as they are unpacked.

    Going back starts anew, which is what readers do between two passes; going back anywhere else, or to the end, is
    what readers of workbooks do: then the entry goes into a temporary file that has no name.
    """

    def __init__(self, file: File, entry: Entry) -> None:
        """Read this entry of an archive."""
        super().__init__()
        self._file, self._entry = file, entry
        self._blocks = blocks(file, entry)
        self._ready = memoryview(b"")
        self._at = 0
        self._whole: IO[bytes] | None = None

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return where the next byte stands."""
        return self._whole.tell() if self._whole else self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes; fewer only at the end."""
        if self._whole:
            return self._whole.read(-1 if size is None else size)
        parts: list[memoryview] = []
        wanted = -1 if size is None or size < 0 else size
        while wanted:
            if not self._ready:
                block = next(self._blocks, None)
                if block is None:
                    break
                self._ready = memoryview(block)
            part = self._ready if wanted < 0 else self._ready[:wanted]
            self._ready = self._ready[len(part) :]
            self._at += len(part)
            wanted -= len(part) if wanted > 0 else 0
            parts.append(part)
        return b"".join(parts)

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; return how many bytes were put into it."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte, and return where that is."""
        if self._whole is None and whence == io.SEEK_SET and (offset >= self._at or offset <= BLOCK_BYTES):
            if offset < self._at:
                self._blocks.close()
                self._blocks, self._ready, self._at = blocks(self._file, self._entry), memoryview(b""), 0
            while self._at < offset and self.read(min(BLOCK_BYTES, offset - self._at)):
                pass
            return self._at
        if self._whole is None:
            at, whole = self._at, tempfile.TemporaryFile()  # noqa: SIM115 (closed with the stream)
            for block in blocks(self._file, self._entry):
                whole.write(block)
            whole.seek(at)
            self._whole = whole
        return self._whole.seek(offset, whence)

    def close(self) -> None:
        """Free what is held."""
        self._blocks.close()
        if self._whole:
            self._whole.close()
        super().close()


def _listed(file: IO[bytes]) -> list[tuple[str, Entry]]:
    """Return (name, entry) of all entries, folders included."""
    found = _by_the_list(file)
    return _by_walking(file) if found is None else found


class _Stingy:
    """A file that gives `zipfile` no more than a list of honest length."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size if 0 <= size <= MOST_LIST_BYTES else MOST_LIST_BYTES + 1)
        if len(found) > MOST_LIST_BYTES:
            raise Unreadable("archive_too_many")
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _by_the_list(file: IO[bytes]) -> list[tuple[str, Entry]] | None:
    """Return the entries that the list at the end names; None where there is no list that can be read."""
    try:
        with zipfile.ZipFile(_Stingy(file)) as archive:
            listed = archive.infolist()
    except (Unreadable, MemoryError, OSError):
        raise
    except Exception:
        return None  # the standard library has many errors for a list that is none
    if min((info.header_offset for info in listed), default=0):
        return None  # the list of an archive within this one, whose own was cut off
    if len(listed) > MOST_ENTRIES:
        raise Unreadable("archive_too_many")
    # Entries that share their bytes are the trick of a bomb; nobody's archive has any.
    inside = sorted((info.header_offset, info.header_offset + _LOCAL.size + info.compress_size) for info in listed)
    shares = any(end > after for (_, end), (after, _) in pairwise(inside))
    if shares:
        raise Unreadable("archive_bomb")
    found = []
    for number, info in enumerate(listed, start=1):
        file.seek(max(info.header_offset, 0))
        head = file.read(_LOCAL.size)
        refusal = None
        start = 0
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            refusal = "archive_broken"
        else:
            *_, name_bytes, more_bytes = _LOCAL.unpack(head)
            start = info.header_offset + _LOCAL.size + name_bytes + more_bytes
        refusal = _refusal(info.flag_bits, info.compress_type) or refusal
        found.append(
            (
                info.orig_filename,
                Entry(number, start, info.compress_size, info.compress_type, info.CRC, info.file_size, False, refusal),
            )
        )
    return found


def _by_walking(file: IO[bytes]) -> list[tuple[str, Entry]]:
    """Return the entries of a zip without a list, one after the other; what is not whole is the last, and refused."""
    found: list[tuple[str, Entry]] = []
    length = file.seek(0, io.SEEK_END)
    at, spent = 0, 0
    while True:
        number = len(found) + 1
        file.seek(at)
        head = file.read(_LOCAL.size)
        if head[:4] in (b"PK\x01\x02", b"PK\x06\x06", b"PK\x05\x06") and found:
            return found  # the list begins here: every entry was met
        if number > MOST_ENTRIES:
            raise Unreadable("archive_too_many")
        broken = ("", Entry(number, refusal="archive_broken"))
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            return [*found, broken]
        _, _, flags, method, _, _, checksum, packed, size, name_bytes, more_bytes = _LOCAL.unpack(head)
        name = file.read(name_bytes).decode("utf-8", "replace")
        start = at + _LOCAL.size + name_bytes + more_bytes
        refusal = _refusal(flags, method)
        if flags & _DESCRIBED_LATER or packed == 0xFFFFFFFF:
            if refusal or method != _DEFLATED:
                return [*found, (name, Entry(number, refusal=refusal or "archive_broken"))]
            ended = _end_of_deflated(file, start, spent)
            if ended is None:
                return [*found, (name, broken[1])]
            end, size, checksum = ended
            entry = Entry(number, start, end - start, method, checksum, size)
            file.seek(end)
            described = file.read(24)
            # With or without its signature; its lengths may take four bytes each or eight.
            plain = described[4:] if described[:4] == b"PK\x07\x08" else described
            if plain[:4] != struct.pack("<I", checksum):
                return [*found, (name, broken[1])]
            is_wide = plain[4:12] == struct.pack("<Q", end - start)
            at = end + (len(described) - len(plain)) + (20 if is_wide else 12)
        else:
            entry = Entry(number, start, packed, method, checksum, size, False, refusal)
            at = start + packed
            if at > length:
                return [*found, (name, broken[1])]
        spent += entry.size_bytes or 0
        found.append((name, entry))


def _end_of_deflated(file: IO[bytes], start: int, spent: int) -> tuple[int, int, int] | None:
    """Return (end, bytes unpacked, checksum) of data that tell their end themselves; None where they do not end."""
    length = file.seek(0, io.SEEK_END)
    allowed = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * length)) - spent
    file.seek(start)
    unpacker, size, checksum = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
    try:
        for block in _unpacked(unpacker, file, None):
            size += len(block)
            checksum = zlib.crc32(block, checksum)
            if size > allowed:
                raise Unreadable("archive_bomb")
    except zlib.error:
        return None
    if not unpacker.eof:
        return None
    return file.tell() - len(unpacker.unused_data), size, checksum


def _refusal(flags: int, method: int) -> str | None:
    if flags & _LOCKED:
        return "archive_locked"
    return None if method in (_STORED, _DEFLATED) else "archive_method"


def _is_passed_over(name: str) -> bool:
    """Tell a folder, or what operating systems leave in archives, from a file of the sender's."""
    parts = name.replace("\\", "/").casefold().split("/")
    is_folder = len(parts) > 1 and not parts[-1]
    return is_folder or "__macosx" in parts or parts[-1].startswith(".") or parts[-1] in _LITTER


def _unzipped(file: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """Yield the bytes of an entry of a zip; at its end, hold it against what the archive says of it."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == _DEFLATED else None
    size, checksum = 0, 0
    for block in _unpacked(unpacker, file, entry.packed_bytes):
        size += len(block)
        checksum = zlib.crc32(block, checksum)
        yield block
    is_whole = unpacker is None or (unpacker.eof and not unpacker.unused_data)
    if not is_whole or checksum != entry.checksum or size != entry.size_bytes:
        raise Unreadable("archive_broken")


def _gunzipped(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a gz, which may be several one after the other; zlib compares their checksums."""
    rest = b""
    while True:
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        yield from _unpacked(unpacker, file, None, rest)
        if not unpacker.eof:
            raise Unreadable("archive_broken")
        rest = unpacker.unused_data
        # Tapes and some copying programs fill up with zeros.
        while not rest.strip(b"\0"):
            rest = file.read(BLOCK_BYTES)
            if not rest:
                return
        rest = rest.lstrip(b"\0")


def _unpacked(unpacker: Any, file: IO[bytes], left: int | None, rest: bytes = b"") -> Iterator[bytes]:
    """Yield what comes out, at most a block at a time, of `rest` and then of the file (of `left` bytes of it)."""
    while True:
        if not rest:
            rest = file.read(BLOCK_BYTES if left is None else min(BLOCK_BYTES, left))
            if left is not None:
                left -= len(rest)
            if not rest:
                # What went in is used up, and some of what comes out may still be held back.
                while unpacker is not None and (block := unpacker.decompress(b"", BLOCK_BYTES)):
                    yield block
                return
        if unpacker is None:
            yield rest
            rest = b""
            continue
        block = unpacker.decompress(rest, BLOCK_BYTES)
        rest = unpacker.unconsumed_tail
        if block:
            yield block
        if unpacker.eof:
            return
