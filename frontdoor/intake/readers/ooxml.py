"""The package that an XLSX workbook is: a zip of XML parts, each streamed, bounded and parsed without a tree.

Why not a library. `openpyxl` streams, but keeps all shared strings in memory, gives up on a workbook for one style that
it does not know, does not read the strict variant, and tells either formulas or results. `python-calamine` is quick,
but holds a whole sheet as a rectangle: one cell in the last corner of a small file takes all memory, and the process
with it. Both give numbers as binary fractions. The standard library's zip and expat give every cell as stored, in
constant memory; the limit: `.xlsb`, `.xls` and encrypted workbooks are refused with a sentence of their own.

Nothing is evaluated, fetched or unpacked. A document type in any part is refused, so there are no entities. Bytes are
counted as they stream: beyond `FREE_BYTES` a workbook may hold `MOST_RATIO` times the bytes of its file. What an entry
claims is used only to refuse it sooner; more than it claims is never read out of it.
"""

from __future__ import annotations

import os
import re
import struct
import tempfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any
from xml.parsers import expat

from frontdoor.intake.content import Content
from frontdoor.intake.readers import cells
from frontdoor.intake.readers.lines import LONGEST_LINE
from frontdoor.intake.readers.rows import REPLACED
from frontdoor.intake.reasons import Unreadable

BLOCK_BYTES = 2**16
FREE_BYTES = 16 * 2**20
MOST_RATIO = 100
MOST_ENTRIES = 10_000
# A directory of so many entries, with names as long as office programs give.
MOST_DIRECTORY_BYTES = 2**20
MOST_SHEETS = 1_000
MOST_STYLES = 2**17
# A tag, comment or instruction that is longer is no part of a workbook. Expat must hold it whole.
LONGEST_TAG = 2**21
# Shared strings beyond these are kept in a file that has no name.
NEAR_STRINGS, NEAR_CHARACTERS = 200_000, 16 * 2**20
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"
_ROOT = re.compile(rb"<(?:\w+:)?workbook[\s/>]")
Start = Callable[[str, dict[str, str]], None]


class Broken(Exception):
    """A part cannot be read further: it is cut off, damaged or not XML."""


@dataclass(frozen=True)
class Sheet:
    """A sheet: its number from 1 in the order of the workbook, its name, which may be a child's, and its part."""

    number: int
    name: str
    part: str


class Package:
    """An open workbook. A context manager; raises Unreadable where nothing of it can be read."""

    def __init__(self, content: Content) -> None:
        """Open the package and read its directory."""
        self._file = content.open()
        try:
            self._size = self._file.seek(0, 2)
            self._parts = _directory(self._file, self._size)
        except BaseException:
            self._file.close()
            raise
        self._streamed = 0

    def __enter__(self) -> Package:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    @property
    def _zip(self) -> zipfile.ZipFile:
        return self._parts[0]

    @property
    def names(self) -> Mapping[str, zipfile.ZipInfo]:
        """The parts by their name in small letters."""
        return self._parts[1]

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a part. Raises Broken, and Unreadable when they are too many."""
        info = self.names.get(name.lower())
        if info is None or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Broken
        if info.flag_bits & 1:
            raise Unreadable("workbook_locked")
        if info.file_size > FREE_BYTES and info.file_size > MOST_RATIO * max(info.compress_size, 1):
            raise Unreadable("workbook_bomb")
        try:
            with self._zip.open(info) as stream:
                while block := stream.read(BLOCK_BYTES):
                    self._streamed += len(block)
                    if self._streamed > FREE_BYTES + MOST_RATIO * self._size:
                        raise Unreadable("workbook_bomb")
                    yield block
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error):
            raise Broken from None

    def parse(
        self,
        name: str,
        start: Start,
        end: Callable[[str], None],
        data: Callable[[str], None],
        abridge: Callable[[Iterator[bytes]], Iterator[bytes]] = iter,
    ) -> Iterator[None]:
        """Parse a part, abridged perhaps; give way after every block. Raises Broken and Unreadable.

        Names come as they stand, with their prefix: `local` takes it off where they are looked at, for one call more is
        a tenth of what a cell costs.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_type
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
        fed = 0
        try:
            for block in abridge(self.blocks(name)):
                parser.Parse(block, False)
                fed += len(block)
                if fed - parser.CurrentByteIndex > LONGEST_TAG:
                    raise Broken
                yield
            parser.Parse(b"", True)
            yield
        except expat.ExpatError:
            raise Broken from None

    def elements(self, name: str, *wanted: str) -> list[tuple[str, dict[str, str]]]:
        """Return the elements of a small part that have these names, with their attributes under local names."""
        found: list[tuple[str, dict[str, str]]] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            tag = local[tag]
            if tag in wanted and len(found) < MOST_STYLES:
                found.append((tag, {key.rpartition(":")[2]: value for key, value in attributes.items()}))

        for _ in self.parse(name, start, _ignore, _ignore):
            pass
        return found


class Book:
    """What all sheets of a workbook share: which they are, number formats, calendar, strings."""

    def __init__(self, package: Package, strings: Strings | None = None) -> None:
        """Read the small parts; `strings`: those read before. Raises Unreadable where there is no sheet."""
        self._package = package
        try:
            self.part = _workbook_part(package)
            elements = package.elements(self.part, "workbook", "workbookPr", "sheet")
            related = _related(package, self.part)
        except Broken:
            raise Unreadable("workbook_broken") from None
        self.is_1904 = any(
            tag == "workbookPr" and found.get("date1904") in ("1", "true", "on") for tag, found in elements
        )
        self.sheets = tuple(
            Sheet(number, found.get("name", ""), related[found["id"]][1])
            for number, found in enumerate((found for tag, found in elements if tag == "sheet"), start=1)
            if related.get(found.get("id", ""), ("", ""))[0] == "worksheet"
        )
        if not self.sheets or len(self.sheets) > MOST_SHEETS:
            raise Unreadable("workbook_too_many" if self.sheets else "workbook_empty")
        self.sheets_by_number = {sheet.number: sheet for sheet in self.sheets}
        self._by_kind = {kind: target for kind, target in related.values()}
        self.has_more = any(
            name.endswith("vbaproject.bin") or "/externallinks/" in name or name.endswith("/connections.xml")
            for name in package.names
        )
        self.kinds = self._kinds()
        self._strings = strings

    def strings(self) -> Strings:
        """Return the shared strings, read when they are first asked for."""
        if self._strings is None:
            self._strings = Strings()
            part = self._by_kind.get("sharedStrings", "")
            if part.lower() in self._package.names:
                self._strings.read(self._package, part)
        return self._strings

    def _kinds(self) -> list[str | None]:
        """The kind of number that each cell format shows; none is known where the styles cannot be read."""
        codes: dict[int, str] = {}
        formats: list[int] = []
        part, depth = self._by_kind.get("styles"), [False]

        def start(tag: str, found: dict[str, str]) -> None:
            tag = local[tag]
            if tag == "cellXfs":
                depth[0] = True
            elif tag == "numFmt" and len(codes) < MOST_STYLES:
                codes[_whole(found.get("numFmtId"))] = found.get("formatCode", "")
            elif tag == "xf" and depth[0] and len(formats) < MOST_STYLES:
                formats.append(_whole(found.get("numFmtId")))

        def end(tag: str) -> None:
            if local[tag] == "cellXfs":
                depth[0] = False

        try:
            for _ in self._package.parse(part, start, end, _ignore) if part else ():
                pass
        except Broken:
            return []
        return [cells.kind_of(each, codes.get(each)) for each in formats]


class Strings:
    """The strings that cells share, by position; the first in memory, the rest in a file without a name."""

    def __init__(self) -> None:
        """Begin with none."""
        self.is_broken = False
        self._near: list[str | None] = []
        self._characters = 0
        self._far: IO[bytes] | None = None
        self._ends = array("Q")

    def read(self, package: Package, part: str) -> None:
        """Read them all; where the part breaks off, those before are kept."""
        parts: list[str] = []
        length, phonetic, in_text = 0, 0, False

        def start(tag: str, _: dict[str, str]) -> None:
            nonlocal length, phonetic, in_text
            tag = local[tag]
            if tag == "si":
                parts.clear()
                length = 0
            elif tag == "rPh":
                phonetic += 1
            elif tag == "t":
                in_text = not phonetic

        def data(text: str) -> None:
            nonlocal length
            if in_text:
                length += len(text)
                if length <= LONGEST_LINE:
                    parts.append(text)

        def end(tag: str) -> None:
            nonlocal phonetic, in_text
            tag = local[tag]
            if tag == "t":
                in_text = False
            elif tag == "rPh":
                phonetic -= 1
            elif tag == "si":
                self._add(cells.of_string("".join(parts)) if length <= LONGEST_LINE else None)
                parts.clear()

        try:
            for _ in package.parse(part, start, end, data):
                pass
        except Broken:
            self.is_broken = True
        if self._far is not None:
            self._far.flush()

    @property
    def near(self) -> Sequence[str | None]:
        """The strings that are in memory: the first ones, by position."""
        return self._near

    def far(self, position: int) -> str | None:
        """Return a string that is not in memory; a mark where there is none, None where it is too long to be read."""
        position -= len(self._near)
        if self._far is None or not 0 <= position < len(self._ends):
            return REPLACED
        begin = self._ends[position - 1] if position else 0
        # A string that is too long is kept as nothing, and nothing else is: a text has a mark at its end.
        stored = os.pread(self._far.fileno(), self._ends[position] - begin, begin)
        return stored[:-1].decode("utf-8") if stored else None

    def _add(self, text: str | None) -> None:
        if self._far is None and len(self._near) < NEAR_STRINGS and self._characters < NEAR_CHARACTERS:
            self._near.append(text)
            self._characters += len(text or "")
            return
        if self._far is None:
            self._far = tempfile.TemporaryFile()  # noqa: SIM115 closed with the strings
        stored = b"" if text is None else text.encode("utf-8", "replace") + b"\n"
        self._far.write(stored)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(stored))

    def close(self) -> None:
        """Drop the file."""
        if self._far is not None:
            self._far.close()


class _Local(dict[str, str]):
    """Names of elements without their prefix. Bounded: a workbook has a few hundred."""

    def __missing__(self, name: str) -> str:
        local = name.rpartition(":")[2]
        if len(self) < MOST_ENTRIES:
            self[name] = local
        return local


local = _Local()


def kind_of_file(content: Content) -> str | None:
    """Return `workbook`, or why a workbook cannot be read (a key of the reasons); None: it is none, by its bytes."""
    with content.open() as file:
        head = file.read(BLOCK_BYTES)
        if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
            return _kind_of_compound(file, head)
    if not head.startswith(b"PK\x03\x04"):
        return None
    try:
        with Package(content) as package:
            part = _workbook_part(package)
            if part.endswith("workbook.bin"):
                return "workbook_binary"
            return "workbook" if _ROOT.search(next(package.blocks(part), b"").replace(b"\0", b"")) else None
    except Broken:
        return None
    except Unreadable as refusal:
        return refusal.code if _begins_like_a_workbook(head) else None


def _begins_like_a_workbook(head: bytes) -> bool:
    """Tell by the names that stand in an archive before its entries; the directory at its end is gone."""
    return b"[Content_Types].xml" in head or b"xl/work" in head


def _kind_of_compound(file: IO[bytes], head: bytes) -> str | None:
    """Tell by the names in its directory what an old office container holds: a locked package, an old workbook."""
    shift = min(int.from_bytes(head[30:32], "little"), 12)
    first = int.from_bytes(head[48:52], "little")
    directory = head
    if first < 2**31:
        file.seek((first + 1) << shift)
        directory = file.read(BLOCK_BYTES) or head
    if "EncryptedPackage".encode("utf-16-le") in directory:
        return "workbook_locked"
    names = ("Workbook", "Book")
    return "workbook_old" if any(name.encode("utf-16-le") + b"\0\0" in directory for name in names) else None


def _directory(file: IO[bytes], size: int) -> tuple[zipfile.ZipFile, Mapping[str, zipfile.ZipInfo]]:
    """Return the zip and its entries by name; its directory is weighed before it is read, for it is read whole."""
    file.seek(max(0, size - 2**16 - 22))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise Unreadable("workbook_broken")
    entries, length = struct.unpack_from("<HL", tail, at + 10)
    if at >= 20 and tail[at - 20 : at - 16] == _END_64:
        file.seek(min(struct.unpack_from("<Q", tail, at - 12)[0], size))
        record = file.read(56)
        if len(record) < 56:
            raise Unreadable("workbook_broken")
        entries, length = struct.unpack_from("<Q", record, 32)[0], struct.unpack_from("<Q", record, 40)[0]
    if length > MOST_DIRECTORY_BYTES or entries > MOST_ENTRIES:
        raise Unreadable("workbook_bomb")
    try:
        opened = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, UnicodeDecodeError, OSError):
        raise Unreadable("workbook_broken") from None
    found: dict[str, zipfile.ZipInfo] = {}
    for info in opened.infolist():
        found.setdefault(info.filename.replace("\\", "/").lstrip("/").lower(), info)
    # Together, too: entries that share their bytes, and many small ones that swell, are small one by one.
    if len(found) > MOST_ENTRIES or sum(info.file_size for info in found.values()) > FREE_BYTES + MOST_RATIO * size:
        raise Unreadable("workbook_bomb")
    return opened, found


def _workbook_part(package: Package) -> str:
    """Return the part that names the sheets."""
    if "_rels/.rels" in package.names:
        for kind, target in _related(package, "").values():
            if kind == "officeDocument":
                return target
    return "xl/workbook.xml"


def _related(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Return what a part is related to within the package: id -> (kind, part)."""
    folder, _, name = part.rpartition("/")
    found: dict[str, tuple[str, str]] = {}
    for _, each in package.elements(f"{folder}/_rels/{name}.rels".lstrip("/"), "Relationship"):
        if each.get("TargetMode", "").lower() == "external":
            continue
        target = each.get("Target", "").replace("\\", "/")
        path = target.lstrip("/") if target.startswith("/") else f"{folder}/{target}"
        found[each.get("Id", "")] = (each.get("Type", "").rpartition("/")[2], _resolved(path))
    return found


def _resolved(path: str) -> str:
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else 0


def _refuse_type(*_: Any) -> None:
    raise Unreadable("xml_dtd")


def _ignore(*_: Any) -> None:
    """Take no notice."""
