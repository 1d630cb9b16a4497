"""XML of a published layout, by mapping: which element is a record, and where each property stands.

A path is relative to the record's element: ``CINreferralDate``, ``Assessments/AssessmentActualStartDate``; ``..`` is
the element around it, a leading ``/`` starts at the root. Namespaces are ignored. What the mapping does not name, in
the record and in the elements around it that paths reach into, is kept in `extra` under its path.

The file is parsed as a stream, element by element. A document type is refused before (`probe`); entities are never
resolved and no network is touched. An ampersand that stands alone, or an entity nobody declared, is read as text where
that makes the file well-formed. Where the XML breaks off, what came before is loaded and the rest is one dead letter.
"""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.parsers import expat

from lxml import etree

from frontdoor.contract import Layout
from frontdoor.intake.content import Content
from frontdoor.intake.readers import encoding
from frontdoor.intake.readers.abridged_records import AbridgedRecords
from frontdoor.intake.readers.layout_year import year_of
from frontdoor.intake.readers.rows import REPLACED, Lineage, Row, Tally, extra_json, line_of
from frontdoor.intake.reasons import Unreadable

log = logging.getLogger(__name__)

# Elements nested deeper are not told apart: their text is kept together under the path so far.
DEEPEST = 50
MOST_NAMES = 10_000
DAMAGED, GUESSED, HEADER_ONLY = "FIL-009", "FIL-008", "FIL-001"
UNKNOWN_YEAR, OTHER_YEAR = "FIL-040", "FIL-041"
# Control characters that XML forbids; in UTF-8 they are these bytes and no others.
_CONTROLS = bytes({*range(0x20)} - {0x09, 0x0A, 0x0D})
_FORBIDDEN = re.compile(b"[" + re.escape(_CONTROLS) + b"]")
# A record that is no flat list of texts: elements in its elements, attributes, text of its own.
_IS_NESTED = etree.XPath("boolean(*/*) or boolean(*/@*) or boolean(@*) or boolean(text()[normalize-space()])")
# An ampersand that begins neither one of XML's own entities nor a character that XML allows.
_STRAY = re.compile(
    rb"&(?!(?:amp|lt|gt|quot|apos|#(?:9|10|13|3[2-9]|[4-9]\d|\d{3,7})|#x(?:[9aAdD]|[2-9a-fA-F][\da-fA-F]|[\da-fA-F]{3,6}));)"
)
_LONGEST_ENTITY = 10
_DECLARED = re.compile(rb"<\?xml[^>]*?\bencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]*)[\"']")
_REPLACED = REPLACED.encode()


_Inside = dict[etree._Element, dict[str, list[etree._Element]]]


class XmlReader:
    """One XML file being read for one feed of its layout."""

    delimiter = ","
    quote = '"'

    def __init__(self, content: Content, layout: Layout, feed: str, lineage: Lineage) -> None:
        """Read by the layout's mapping: ``record`` (a path from the root), ``fields`` (property -> path), constants.

        Of a layout that changed over the years, by the edition of the year that the file says.
        """
        self.tally = Tally()
        self._content = content
        self._before, self._after = lineage.around(self.delimiter)
        self._encoding = encoding_of(content)
        mapping, self._edition = self._of_its_year(layout, feed)
        has_stray = self._has_stray()
        self._is_mended = has_stray and not self._is_well_formed(mend=False) and self._is_well_formed(mend=True)
        self._fields = {name: tuple(str(place).split("/")) for name, place in mapping["fields"].items()}
        constants = dict(mapping.get("constants") or {})
        self._constants = {name: str(value) for name, value in constants.items() if name not in self._fields}
        self._separator = str(mapping.get("list_separator", ";"))
        # Elements of the record itself that properties are told in; and whether all of them are.
        self._named = frozenset(place[0] for place in self._fields.values() if len(place) == 1) - {".", ".."}
        self._is_flat = all(len(place) == 1 and place[0] in self._named for place in self._fields.values())
        self._places = [place[0] for place in self._fields.values()]
        self._record = tuple(part for part in str(mapping["record"]).split("/") if part not in ("", "."))
        # How far fields reach out of the record: the element to wait for before its records are complete.
        self._reach = max((place.count("..") for place in self._fields.values()), default=0)
        self._may_abridge = (
            self._is_flat and not has_stray and self._record[-1] not in self._named and not self._of_other_years
        )
        self._abridged: AbridgedRecords | None = None
        self._placed_for: tuple[str, ...] = ()
        self._placed: tuple[list[int], list[tuple[str, int]]] = ([], [])

    @property
    def columns(self) -> Sequence[str]:
        """The properties that a row carries."""
        return (*self._fields, *self._constants)

    @property
    def reading(self) -> Mapping[str, Any]:
        """How the bytes were read."""
        return {"format": "xml", "encoding": self._encoding.codec, "recognised": len(self.columns), **self._edition}

    def rows(self) -> Iterator[Row]:
        """Yield the records in the order of the file."""
        if len(self._record) <= self._reach:
            raise ValueError(f"the layout's record path needs more than {self._reach} parts: fields reach out of it")
        around = self._record[len(self._record) - 1 - self._reach]
        stream: Stream | AbridgedRecords = Stream(self._content, self._encoding, mend=self._is_mended)
        if self._may_abridge:
            stream = self._abridged = AbridgedRecords(stream, around, self._places)
        parsing = etree.iterparse(
            stream,
            events=("end",),
            tag="{*}" + around,
            encoding="utf-8",
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=True,
            remove_comments=True,
            remove_pis=True,
        )
        record_no = 0
        try:
            for _, element in parsing:
                if not record_no and element.getroottree().docinfo.internalDTD is not None:
                    raise Unreadable("xml_dtd")
                for record in self._records_in(element):
                    record_no += 1
                    try:
                        row = self._row(record_no, record, element)
                    except MemoryError:
                        raise
                    except Exception as error:
                        log.error("record %s cannot be read: %s", record_no, type(error).__name__)
                        self.tally.letter(_line_no(record), "record_unreadable")
                        continue
                    yield row
                _forget(element)
        except etree.XMLSyntaxError as error:
            if not record_no:
                raise Unreadable("xml_malformed") from None
            self.tally.letter(error.lineno or 0, "xml_broken_off")
        if not record_no and _local(parsing.root) != self._record[0]:
            raise Unreadable("xml_wrong")
        if self._encoding.is_fallback:
            self.tally.file_fault(GUESSED)
        if self._is_mended:
            self.tally.file_fault(DAMAGED)
        if not record_no:
            self.tally.file_fault(HEADER_ONLY)

    def _of_its_year(self, layout: Layout, feed: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return the mapping by which the file is read, and which years it says and is read by."""
        # Path -> property (or None), of elements that only other years have.
        self._of_other_years: dict[str, str | None] = {}
        if layout.years is None:
            return layout.mapping[feed], {}
        record = [part for part in str(layout.mapping[feed]["record"]).split("/") if part not in ("", ".")]
        year = year_of(Stream(self._content, self._encoding, mend=True), layout.years.at, record)
        edition, is_known = layout.years.of(year)
        if not is_known:
            self.tally.file_fault(UNKNOWN_YEAR)
        self._of_other_years = layout.years.of_other_years(edition, feed)
        return edition.mapping[feed], {"layout_year": edition.year, "collection_year": year}

    def _has_stray(self) -> bool:
        """Tell whether an ampersand may stand alone: nothing else is mended, and to look for it costs little."""
        tail = b""
        for block in encoding.utf8_blocks(self._content, self._encoding):
            # One at the very end of a block may be told wrongly, and is then looked at with all the rest.
            if (b"&" in tail or b"&" in block) and _STRAY.search(tail + block):
                return True
            tail = block[-_LONGEST_ENTITY:]
        return False

    def _is_well_formed(self, *, mend: bool) -> bool:
        stream, parser = Stream(self._content, self._encoding, mend=mend), expat.ParserCreate("utf-8")
        try:
            while block := stream.read():
                parser.Parse(block, False)
            parser.Parse(b"", True)
        except expat.ExpatError:
            return False
        return True

    def _records_in(self, around: etree._Element) -> list[etree._Element]:
        """Return the records in an element; the element itself stands for a record that it does not have."""
        found = [around]
        for part in self._record[len(self._record) - self._reach :]:
            found = [child for element in found for child in _children(element, part)]
        return found or [around]

    def _row(self, record_no: int, record: etree._Element, around: etree._Element) -> Row:
        # An element without a record lends its fields to an empty one, at the depth where the record would be.
        levels = self._reach if record is not around else 0
        if self._abridged is not None and record.get(self._abridged.mark) is not None:
            return self._plain_row(record_no, record, *self._abridged.taken())
        flat = _texts_of(record) if levels == self._reach else None
        if self._abridged is not None and flat:
            self._abridged.learn(flat)
        used: set[etree._Element] = set()
        cells = self._cells(record, flat, used, is_record=levels == self._reach)
        extra: dict[str, Any] = {}
        if flat is not None and flat.keys() - self._named:
            named = self._named | {_local(each) for each in used if each.getparent() is record}
            extra = {name: text for name, text in flat.items() if text and name not in named}
        element, prefix = record, ""
        for level in range(levels + 1):
            skip = self._record[len(self._record) - level] if level else ""
            if level or flat is None:
                _collect(element, prefix, skip, used, extra)
            parent = element.getparent()
            if parent is None:
                break
            element, prefix = parent, prefix + "../"
        if self._of_other_years and extra:
            self._take_from_other_years(cells, extra, outward="" if levels else "../" * self._reach)
        return self._finished(record_no, record, cells, extra)

    def _take_from_other_years(self, cells: list[str | None], extra: dict[str, Any], *, outward: str) -> None:
        """Fill a blank cell from where another year has it, and note that the file has elements of another year."""
        for path, name in self._of_other_years.items():
            said = extra.get(path.removeprefix(outward))
            if said is None:
                continue
            self.tally.file_fault(OTHER_YEAR)
            if name in self._fields and isinstance(said, str) and not cells[at := [*self._fields].index(name)]:
                cells[at] = said
                del extra[path.removeprefix(outward)]

    def _plain_row(self, record_no: int, mark: etree._Element, names: tuple[str, ...], texts: list[str]) -> Row:
        """Return the row of a record that was taken out of the file before it was parsed."""
        if names is not self._placed_for:
            at_of = {name: at for at, name in enumerate(names)}
            others = [(name, at) for name, at in at_of.items() if name not in self._named]
            self._placed_for, self._placed = names, ([at_of[place] for place in self._places], others)
        known, others = self._placed
        cells = list(map(texts.__getitem__, known))
        return self._finished(record_no, mark, cells, {name: texts[at] for name, at in others if texts[at]})

    def _finished(
        self, record_no: int, record: etree._Element, cells: Sequence[str | None], extra: Mapping[str, Any]
    ) -> Row:
        line = line_of([*cells, *self._constants.values(), extra_json(extra)], self.delimiter, self.quote)
        row = Row(record_no, _line_no(record), f"{self._before}{record_no}{self._after}{line}\n".encode())
        if REPLACED in line:
            self.tally.fault(record_no, DAMAGED)
        self.tally.loaded += 1
        return row

    def _cells(
        self, record: etree._Element, flat: dict[str, str] | None, used: set[etree._Element], *, is_record: bool
    ) -> list[str | None]:
        """Return the text of every field, and add the elements that it was looked for in to those that are used."""
        if flat is not None and self._is_flat:
            return list(map(flat.get, self._places))
        cells: list[str | None] = []
        # Looked through once for a record and not once for each of its fields.
        inside: _Inside = {}
        for place in self._fields.values():
            if flat is not None and len(place) == 1 and place[0] in self._named:
                cells.append(flat.get(place[0], ""))
                continue
            found = self._at(record, place, inside, is_record=is_record)
            used.update(found)
            cells.append(self._separator.join(text for each in found if (text := _text(each))))
        return cells

    def _at(
        self, record: etree._Element, place: tuple[str, ...], inside: _Inside, *, is_record: bool
    ) -> list[etree._Element]:
        if not is_record:
            # The element around stands here: paths into the missing record find nothing, paths out of it are shorter.
            outward = place.count("..")
            if place[0] and outward < self._reach:
                return []
            place = place[outward:] if place[0] else place
        found = [record]
        parts = place
        if not place[0]:
            root = record.getroottree().getroot()
            found, parts = ([root] if _local(root) == place[1] else []), place[2:]
        for part in parts:
            if part == "..":
                found = [parent for each in found if (parent := each.getparent()) is not None]
            elif part != ".":
                found = [child for each in found for child in _by_name(each, inside).get(part, ())]
        return found


class Stream:
    """The file as clean UTF-8, for a parser that pulls; with `mend`, stray ampersands are made text."""

    def __init__(self, content: Content, found: encoding.Encoding, *, mend: bool) -> None:
        """Read the file in this encoding."""
        self._blocks = encoding.utf8_blocks(content, found)
        self._mend = mend
        self._kept = b""

    def read(self, _size: int = -1) -> bytes:
        """Return the next block; none at the end."""
        block = next(self._blocks, None)
        if not self._mend:
            return _without_controls(block or b"")
        text = self._kept + (block or b"")
        # An ampersand at the very end is told only with the next block.
        cut = text.rfind(b"&", len(text) - _LONGEST_ENTITY) if block else -1
        self._kept = text[cut:] if cut > 0 else b""
        return _STRAY.sub(b"&amp;", _without_controls(text[:cut] if cut > 0 else text))


def encoding_of(content: Content) -> encoding.Encoding:
    """Return the encoding of an XML file: by its mark, by what it declares where that can be so, or by its bytes."""
    with content.open() as file:
        head = file.read(4096)
    declared = _DECLARED.search(head)
    if encoding.of_head(head) is None and declared:
        codec = _codec(declared[1].decode())
        if codec not in (None, "utf-8", "ascii") and not codec.startswith(("utf-16", "utf-32", "utf-7")):
            return encoding.Encoding(codec, is_damaged=True)
    return encoding.of_content(content)


def _codec(name: str) -> str | None:
    """Return the codec of that name if a declaration, which we could read, reads the same in it.

    Python also calls codecs what is no encoding of text (rot13, base64, idna); those fail here or read something else.
    """
    sample = b"<?xml version='1.0'?>\\n"
    try:
        codec = codecs.lookup(name).name
        read = codecs.getincrementaldecoder(codec)("replace").decode(sample, final=True)
    except Exception:
        return None  # each codec that is none has an error of its own
    return codec if read == sample.decode() else None


def _without_controls(block: bytes) -> bytes:
    # Looking for them with a pattern takes ten times as long as counting what is left without them.
    is_clean = len(block.translate(None, _CONTROLS)) == len(block)
    return block if is_clean else _FORBIDDEN.sub(_REPLACED, block)


def _texts_of(record: etree._Element) -> dict[str, str] | None:
    """Return the texts in a record by name of element, where it is a flat list of them and no name comes twice.

    Most records of most layouts are; going through them once takes a fifth of looking each property up.
    """
    if _IS_NESTED(record):
        return None
    found = {_names[child.tag]: (child.text or "").strip() for child in record}
    return found if len(found) == len(record) and "" not in found else None


def _collect(element: etree._Element, prefix: str, skip: str, used: set[etree._Element], extra: dict[str, Any]) -> None:
    """Add what stands in an element and no field used, by path: leaves, attributes, and text beside other elements.

    A path that repeats gives a list. Not the records in it.
    """
    _keep_attributes(extra, prefix, element)
    _keep_text(extra, f"{prefix}text()", _own_parts(element))
    waiting = [(child, prefix, 1) for child in reversed(element) if _local(child) != skip]
    while waiting:
        child, path, depth = waiting.pop()
        name = _local(child)
        if not name:
            continue
        path += name
        if len(child) and depth < DEEPEST:
            waiting += [(each, f"{path}/", depth + 1) for each in reversed(child)]
            if child not in used:
                _keep_text(extra, f"{path}/text()", _own_parts(child))
        elif child not in used:
            _keep_text(extra, path, child.itertext())
        for each in (child,) if depth < DEEPEST else child.iter():
            _keep_attributes(extra, f"{path}/", each)


def _own_parts(element: etree._Element) -> Iterator[str]:
    """Yield the text of an element that stands beside its children and not in them."""
    yield element.text or ""
    for child in element:
        yield child.tail or ""


def _keep_text(extra: dict[str, Any], path: str, parts: Iterator[Any]) -> None:
    if text := " ".join(part for each in parts if (part := str(each).strip())):
        _keep(extra, path, text)


def _keep_attributes(extra: dict[str, Any], prefix: str, element: etree._Element) -> None:
    for attribute, value in element.attrib.items():
        _keep(extra, f"{prefix}@{etree.QName(attribute).localname}", str(value))


def _keep(extra: dict[str, Any], path: str, text: str) -> None:
    known = extra.get(path)
    if isinstance(known, list):
        known.append(text)
    else:
        extra[path] = text if known is None else [known, text]


def _forget(element: etree._Element) -> None:
    """Free what has been read; what stands before the first record (the header) stays."""
    element.clear()
    while (previous := element.getprevious()) is not None and previous.tag == element.tag:
        parent = element.getparent()
        if parent is None:
            return
        parent.remove(previous)


def _line_no(element: etree._Element) -> int:
    line_no = element.sourceline
    return line_no if isinstance(line_no, int) else 0


def _by_name(element: etree._Element, inside: _Inside) -> dict[str, list[etree._Element]]:
    """Return the children of an element by name, and remember them."""
    known = inside.get(element)
    if known is None:
        known = inside[element] = {}
        for child in element:
            known.setdefault(_local(child), []).append(child)
    return known


def _children(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if _local(child) == name]


def _local(element: etree._Element | None) -> str:
    return _names[element.tag] if element is not None else ""


class _Names(dict[Any, str]):
    """Names of elements without their namespace; none for what is no element. Bounded: a layout has a few hundred."""

    def __missing__(self, tag: Any) -> str:
        local = tag.rpartition("}")[2] if isinstance(tag, str) else ""
        if len(self) < MOST_NAMES:
            self[tag] = local
        return local


_names = _Names()


def _text(element: etree._Element) -> str:
    return "".join(map(str, element.itertext())).strip() if len(element) else (element.text or "").strip()
