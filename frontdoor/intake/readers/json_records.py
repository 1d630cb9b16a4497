"""JSON: one object a line, a list of objects, or an object that holds a list of objects; streamed, record by record.

Every record is one object; its names are compared with the agency's and the contract's as the headers of columns are.
Values are text, exactly as written: no number is ever made a number (``1.10`` stays, and so does a number of a million
digits). ``null`` is blank; ``true`` and ``false`` are these words, which the reading takes for yes and no.

An object under a name that nobody knows is opened: what is in it has the name ``outer.inner``, by which an agency may
agree it. A list becomes its parts with the agreement's list separator between them. An object where one text belongs,
and one in a list, is written ``name: value, name: value``. Whenever such a text says less than what was sent, the value
as sent is kept in `extra` under the property's name, with numbers as text. A name that comes twice is read once; the
later ones are kept in `extra` as ``name#2``. What stands around a list of records (``extract_as_of`` beside
``records``) holds for each of them, under its own name where the contract has it, else in `extra` as ``../name``; what
comes after the list is kept with its last record.

A line that is no object is a dead letter of exactly that line, and reading goes on. In a list there is no next line:
where it breaks off, what came before is loaded and the rest is one dead letter.

The scanner is the standard library's, which is written in C, keeps names that come twice and hands over numbers as
text. A parser that streams by events (ijson) gives Python one event for each name and value, and makes numbers of
numbers; it was not measured here. msgspec takes a third of the time and keeps one name of two, so it reads the lines in
which all is text and no name can come twice: most of them.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from types import NoneType
from typing import Any

import msgspec

from frontdoor.contract import Property
from frontdoor.intake.content import Content
from frontdoor.intake.readers import encoding, headers, nil, sender_header
from frontdoor.intake.readers.lines import LONGEST_LINE, Lines
from frontdoor.intake.readers.rows import REPLACED, Lineage, Row, Tally, extra_json, line_of
from frontdoor.intake.reasons import Unreadable

HEADER_ONLY, DAMAGED, GUESSED = "FIL-001", "FIL-009", "FIL-008"
# No record is nested deeper; a value that is, is refused before anything follows it down.
DEEPEST = 64
# A record of a list that takes more text than this is none.
LONGEST_RECORD = LONGEST_LINE
# How much of something too deep is passed over in search of its end.
MOST_PASSED_OVER = 2**20
# An object that is no longer is looked at as a whole before it is decided what it holds.
SMALL_DOCUMENT = 2**18
# So many different sets of names are remembered; senders have a handful.
MOST_PLANS = 500
_SPACE = re.compile("[ \t\r\n\ufeff\x1e]*")
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z)|[\[{]+|[\]}]+', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff\0]")
_FALSE_END = "\0"

# An object is a tuple of (name, value), a list is a list, all else is text, True, False or None.
_DECODER: Any = json.JSONDecoder(
    object_pairs_hook=tuple, parse_float=str, parse_int=str, parse_constant=str, strict=False
)
_scan = _DECODER.scan_once
_decode = msgspec.json.Decoder().decode

Pairs = Sequence[tuple[str, Any]]


class _Broken(Exception):
    """What stands here is no whole JSON value, or one that is too deep. `code`: a key of the reasons."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class JsonReader:
    """One member of a file in JSON, being read for one feed."""

    delimiter = ","
    quote = '"'

    def __init__(
        self,
        content: Content,
        words: headers.Vocabulary,
        lineage: Lineage,
        properties: Sequence[Property],
        *,
        separator: str,
        is_lines: bool,
    ) -> None:
        """Read as lines, or as one document; lists are joined with `separator`."""
        self.tally = Tally()
        self._content, self._words = content, words
        self._before, self._after = (part.encode() for part in lineage.around(self.delimiter))
        self._encoding = encoding.of_content(content)
        self._properties = tuple(each.name for each in properties)
        self._lists = frozenset(each.name for each in properties if each.is_list)
        self._technical = frozenset(each.name for each in properties if each.is_technical)
        self._separator = separator
        self._is_lines = is_lines
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._seen: dict[str, None] = {}
        self._faults: dict[str, None] = {}
        self._unknown_count = 0

    @property
    def columns(self) -> Sequence[str]:
        """The properties that a row carries: all, because any record may have any of them."""
        return self._properties

    @property
    def reading(self) -> Mapping[str, Any]:
        """How the bytes were read."""
        return {
            "format": "jsonl" if self._is_lines else "json",
            "encoding": self._encoding.codec,
            "recognised": len(self._seen),
            "unknown": self._unknown_count,
        }

    def rows(self) -> Iterator[Row]:
        """Yield the records in the order of the file."""
        yield from self._of_lines() if self._is_lines else self._of_document()
        self._tell_of_the_file()

    def _of_lines(self) -> Iterator[Row]:
        sample = next(encoding.utf8_blocks(self._content, self._encoding), b"")
        is_cr = b"\r" in sample and b"\n" not in sample
        lines = Lines(encoding.utf8_blocks(self._content, self._encoding, is_cr=is_cr))
        waiting = lines.waiting
        line_no = 0
        first_fault = None
        while waiting or lines.refill():
            for line in waiting:
                line_no += 1
                if line is None:
                    self.tally.letter(line_no, "line_too_long")
                    continue
                if _may_tell(line) and self._is_told(line):
                    continue
                if flat := _flat_record(line):
                    yield self._row(line_no, line_no, tuple(flat), flat.values(), has_nul=False)
                    continue
                text = line.decode("utf-8", "replace").strip(" \t\r\ufeff\x1e\x1a")
                if not text:
                    continue
                try:
                    names, values = _parted(_record_of(text))
                    yield self._row(line_no, line_no, names, values, has_nul="\\" in text and "\\u0000" in text)
                except _Broken as broken:
                    first_fault = first_fault or broken.code
                    self.tally.letter(line_no, broken.code)
            waiting.clear()
        if first_fault and not self.tally.loaded:
            raise Unreadable("json_too_deep" if first_fault == "json_too_deep" else "json_malformed")

    def _of_document(self) -> Iterator[Row]:
        text = _Text(encoding.utf8_blocks(self._content, self._encoding))
        record_no = 0
        document = _Document(text, self._is_envelope)
        for found in document.records():
            record_no += 1
            if isinstance(found, _Letter):
                if not self.tally.loaded and not record_no - 1 and found.is_end:
                    raise Unreadable("json_too_deep" if found.code == "json_too_deep" else "json_malformed")
                self.tally.letter(found.line_no, found.code)
                continue
            if not self.tally.loaded and self._tells(found.pairs):
                continue
            if found.after or not self.tally.loaded:
                self._tells((*found.around, *found.after), is_alone=False)
            pairs, beside = self._lend(found)
            yield self._row(record_no, found.line_no, *_parted(pairs), beside, has_nul=True)
        self._tells(document.around_nothing, is_alone=False)

    def _is_told(self, line: bytes) -> bool:
        """Tell whether a line says something of the delivery and is no record, and note it."""
        try:
            return self._tells(_record_of(line.decode("utf-8", "replace").strip(" \t\r\ufeff\x1e\x1a")))
        except _Broken:
            return False

    def _tells(self, pairs: Pairs, *, is_alone: bool = True) -> bool:
        """Note what the sender says of the delivery, and who signs for none; tell whether these names are no record.

        Alone, a signature may have other names beside it, a count may not: such an object may be a record.
        """
        said = dict(pairs)
        told = [name for name in sender_header.NAMES if name in said and self._words.property_of(name) is None]
        is_signed = nil.NAME in said and not (is_alone and any(self._words.property_of(name) for name in said))
        if is_alone and not is_signed and len(told) < max(len(said), 1):
            return False
        for name in told:
            self.tally.told.note(name, said[name])
        if is_signed:
            self.tally.nil_signed_by = nil.role(said[nil.NAME]) if isinstance(said[nil.NAME], str) else ""
        return True

    def _is_envelope(self, outer: Pairs, inner: Any) -> bool:
        """Tell whether an object whose names so far are `outer` lends them to records, of which `inner` is one."""
        if not isinstance(inner, tuple):
            return False
        known = {self._words.property_of(name) for name, _ in outer} - {None} - self._technical
        known_inside = {self._words.property_of(name) for name, _ in _opened(inner, self._words)} - {None}
        return len(known_inside) >= len(known)

    def _lend(self, found: _Found) -> tuple[Pairs, Pairs]:
        """Return the pairs of a record with those that hold for all of its list, and what is kept beside them."""
        if not found.around and not found.after:
            return found.pairs, ()
        own = {self._words.property_of(name) for name, _ in found.pairs}
        lent = [pair for pair in found.around if (known := self._words.property_of(pair[0])) and known not in own]
        beside = [(f"../{pair[0]}", pair[1]) for pair in (*found.around, *found.after) if pair not in lent]
        return [*found.pairs, *lent], beside

    def _row(
        self,
        record_no: int,
        line_no: int,
        names: tuple[str, ...],
        said: Iterable[Any],
        beside: Pairs = (),
        *,
        has_nul: bool,
    ) -> Row:
        plan = self._plans.get(names) or self._plan(names)
        values = [*said, ""]
        if plan.labels and tuple in set(map(type, plan.unknown(values))):
            names, said = _parted(_opened(tuple(zip(names, values, strict=False)), self._words))
            plan = self._plans.get(names) or self._plan(names)
            values = [*said, ""]
        # Names within an object that was opened may be known: counted now.
        self._unknown_count = max(self._unknown_count, plan.unknown_count)
        extra: dict[str, Any] = {}
        if plan.labels or beside:
            for label, value in (*zip(plan.labels, plan.unknown(values), strict=True), *beside):
                if value != "" and value is not None:
                    _keep(extra, label, _plain(value))
        cells = plan.known(values)
        try:
            joined = _FALSE_END.join(cells)
        except TypeError:  # asking every cell first would take as long as all the rest
            cells = tuple(
                cell if cell.__class__ is str else self._cell(name, cell, extra)
                for name, cell in zip(self._properties, cells, strict=True)
            )
            joined = _FALSE_END.join(cells)
        self.tally.loaded += 1
        body: bytes | None = None
        if not has_nul or joined.count(_FALSE_END) == len(cells) - 1:
            if '"' in joined:
                joined = joined.replace('"', '""')
            row = f'"{joined.replace(_FALSE_END, _SEAM)}",'
            if extra:
                said = extra_json(extra)
                row += '"' + said.replace('"', '""') + '"\n' if "\\u0000" not in said else _FALSE_END
            else:
                row += "{}\n"
            try:
                body = None if row[-1] == _FALSE_END else row.encode()
            except UnicodeEncodeError:
                body = None
        if body is None:
            clean, clean_extra = [_SURROGATE.sub(REPLACED, cell) for cell in cells], _cleaned(extra)
            body = line_of([*clean, extra_json(clean_extra)], self.delimiter, self.quote).encode() + b"\n"
            if clean != [*cells] or clean_extra != extra:
                self.tally.fault(record_no, DAMAGED)
        elif self._encoding.is_damaged and REPLACED.encode() in body:
            self.tally.fault(record_no, DAMAGED)
        return Row(record_no, line_no, b"%b%d%b%b" % (self._before, record_no, self._after, body))

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        """Return where each property stands among these names, having noted what is wrong with them."""
        found = self._words.columns(names)
        places = {name: at for at, name in enumerate(found.properties) if name}
        unknown = [at for at, name in enumerate(found.properties) if not name]
        # The last value is the blank that stands for what is not there.
        plan = _Plan(
            _getter([places.get(name, -1) for name in self._properties]),
            _getter(unknown),
            tuple(found.labels[at] for at in unknown),
            len(unknown) if {headers.UNKNOWN, headers.NONE_RECOGNISED} & set(found.faults) else 0,
        )
        self._seen.update(dict.fromkeys(places))
        self._faults.update(dict.fromkeys(fault for fault in found.faults if fault == headers.TWICE))
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self._plans[names] = plan
        return plan

    def _cell(self, name: str, value: Any, extra: dict[str, Any]) -> str:
        """Return a value that is no text as the text of a cell, and keep in `extra` what that does not say."""
        if isinstance(value, list):
            parts = [_said(each) for each in value]
            is_simple = all(
                part and not isinstance(each, list | tuple) for part, each in zip(parts, value, strict=True)
            )
            is_told = len(value) == 1 or (name in self._lists and not any(self._separator in part for part in parts))
            if value and not (is_simple and is_told):
                extra[name] = _plain(value)
            return self._separator.join(part for part in parts if part)
        if isinstance(value, tuple) and value:
            extra[name] = _plain(value)
        return _said(value)

    def _tell_of_the_file(self) -> None:
        if self.tally.is_nil:
            return
        if self.tally.nil_signed_by:
            self.tally.file_fault(nil.WITH_RECORDS)
        for fault in self._faults:
            self.tally.file_fault(fault)
        if self.tally.loaded and not self._seen:
            self.tally.file_fault(headers.NONE_RECOGNISED)
        elif self.tally.loaded:
            if self._unknown_count:
                self.tally.file_fault(headers.UNKNOWN)
            if set(self._words.required) - set(self._seen):
                self.tally.file_fault(headers.MISSING)
        if self._encoding.is_fallback:
            self.tally.file_fault(GUESSED)
        if not self.tally.loaded and not self.tally.dead:
            self.tally.file_fault(HEADER_ONLY)


def _may_tell(line: bytes) -> bool:
    """Tell whether a line is worth asking whether it is no record; hardly any is."""
    if nil.NAME.encode() in line:
        return True
    return len(line) <= sender_header.LONGEST_LINE and any(name in line for name in _TELLING)


_TELLING = tuple(name.encode() for name in sender_header.NAMES)
_first, _second = itemgetter(0), itemgetter(1)
_SEAM = '","'


class _Plan:
    """How the values of records with the same names become cells and `extra`."""

    __slots__ = ("known", "labels", "unknown", "unknown_count")

    def __init__(self, known: Any, unknown: Any, labels: tuple[str, ...], unknown_count: int) -> None:
        self.known, self.unknown, self.labels, self.unknown_count = known, unknown, labels, unknown_count


def _getter(places: list[int]) -> Any:
    """Return what picks these places out of a list, always as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[at] for at in places)


def _parted(pairs: Pairs) -> tuple[tuple[str, ...], Iterable[Any]]:
    return tuple(map(_first, pairs)), map(_second, pairs)


def _flat_record(line: bytes) -> dict[str, str | None] | None:
    """Return the record that a line is, where all in it is text or null and no name comes twice; None: look closer.

    Where nothing is escaped, every quote stands around a name or a text: a name that came twice leaves some over.
    """
    if b"\\" in line:
        return None
    try:
        found = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if found.__class__ is not dict or not {str, NoneType}.issuperset(map(type, found.values())):
        return None
    texts = len(found) - list(found.values()).count(None)
    return found if line.count(b'"') == 2 * (len(found) + texts) else None


def _record_of(text: str) -> Pairs:
    """Return the record that a line is; raise `_Broken` for what is none."""
    if _is_too_deep(text):
        raise _Broken("json_too_deep")
    try:
        value, end = _scan(text, 0)
    except (ValueError, StopIteration):
        raise _Broken("json_broken") from None
    if end < len(text) and text[end:].strip(" \t,"):
        raise _Broken("json_broken")
    if not isinstance(value, tuple):
        raise _Broken("json_no_record")
    return value


def _is_too_deep(text: str) -> bool:
    # Most records are flat, and to find no bracket is quicker than to count them.
    if text.find("[") < 0 and text.find("{", 1) < 0:
        return False
    return text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        mark = found[0]
        if mark[0] in "[{":
            depth += len(mark)
            deepest = max(deepest, depth)
        elif mark[0] in "]}":
            depth -= len(mark)
    return deepest


class _Letter:
    """What cannot be read in a document. `is_end`: nothing after it can."""

    def __init__(self, line_no: int, code: str, *, is_end: bool) -> None:
        self.line_no, self.code, self.is_end = line_no, code, is_end


class _Found:
    """A record of a document, with what stands around its list before it, and after it if it is the last."""

    def __init__(self, line_no: int, pairs: Pairs, around: Pairs) -> None:
        self.line_no, self.pairs, self.around = line_no, pairs, around
        self.after: Pairs = ()


class _Text:
    """The text of a document, of which the part that is being read is held."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.held, self.at, self._line_no, self._counted = "", 0, 1, 0
        self._let_go = 0
        # From here on all is held, until we have decided what it is.
        self.mark: int | None = None

    @property
    def position(self) -> int:
        """How many characters were passed over."""
        return self._let_go + self.at

    def more(self) -> bool:
        """Hold at least twice as much as before; False at the end."""
        cut = self.at if self.mark is None else self.mark
        if cut > len(self.held) // 2:
            self._count(max(cut, self._counted))
            self.held, self.at, self._counted = self.held[cut:], self.at - cut, self._counted - cut
            self._let_go += cut
            self.mark = None if self.mark is None else 0
        parts, wanted, got = [self.held], max(len(self.held), 1), 0
        while got < wanted:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(self._decoder.decode(block))
            got += len(parts[-1])
        self.held = "".join(parts)
        return got > 0

    def _count(self, at: int) -> None:
        self._line_no += self.held.count("\n", self._counted, at)
        self._counted = max(at, self._counted)

    def glance(self) -> tuple[Pairs, int] | None:
        """Return the object that stands here and where it ends, if it is small; pass over nothing."""
        while len(self.held) - self.at < SMALL_DOCUMENT and self.more():
            pass
        try:
            value, end = _scan(self.held, self.at)
        except (ValueError, StopIteration, RecursionError):
            return None
        if _is_too_deep(self.held[self.at : end]):
            return None
        return value, end

    @property
    def line_no(self) -> int:
        """The line that is being read."""
        self._count(self.at)
        return self._line_no

    def peek(self) -> str:
        """Return the next character that is no space; "" at the end."""
        while True:
            match = _SPACE.match(self.held, self.at)
            assert match is not None
            self.at = match.end()
            if self.at < len(self.held):
                return self.held[self.at]
            if not self.more():
                return ""

    def take(self, wanted: str) -> bool:
        """Pass over the next character if it is one of these."""
        if (next_one := self.peek()) and next_one in wanted:
            self.at += 1
            return True
        return False

    def value(self) -> Any:
        """Return the value that stands here, and pass over it; raise `_Broken` if it is none, or too deep."""
        while True:
            self.peek()
            try:
                value, end = _scan(self.held, self.at)
            except RecursionError:
                raise _Broken("json_too_deep") from None
            except (ValueError, StopIteration):
                if len(self.held) - self.at > LONGEST_RECORD or not self.more():
                    raise _Broken("json_broken_off") from None
                continue
            # A number that ends with the text held may go on.
            if end == len(self.held) and self.held[end - 1] not in ']}"' and self.more():
                continue
            if _is_too_deep(self.held[self.at : end]):
                raise _Broken("json_too_deep")
            self.at = end
            return value

    def pass_over(self) -> bool:
        """Go behind a value that is too deep to be read; False if its end is not found soon."""
        while len(self.held) - self.at <= MOST_PASSED_OVER and self.more():
            pass
        depth = 0
        for found in _BRACKETS.finditer(self.held, self.at, self.at + MOST_PASSED_OVER):
            mark = found[0]
            if mark[0] in "[{":
                depth += len(mark)
            elif mark[0] in "]}":
                if depth <= len(mark):
                    self.at = found.start() + depth
                    return True
                depth -= len(mark)
        return False


class _Document:
    """A document of one or several values, walked for its records."""

    def __init__(self, text: _Text, is_envelope: Any) -> None:
        self._text, self._is_envelope = text, is_envelope
        # What stands around a list that holds nothing.
        self.around_nothing: Pairs = ()

    def records(self) -> Iterator[_Found | _Letter]:
        """Yield records, and what cannot be read; nothing follows a letter that is the end."""
        text = self._text
        try:
            while next_one := text.peek():
                if next_one == "[":
                    text.at += 1
                    yield from self._of_list(())
                elif next_one == "{":
                    yield from self._of_object()
                else:
                    raise _Broken("json_broken_off")
                text.take(",")
        except _Broken as broken:
            yield _Letter(text.line_no, broken.code, is_end=True)

    def _of_list(self, around: Pairs) -> Iterator[_Found | _Letter]:
        """Yield the records of a list whose opening bracket was passed."""
        text = self._text
        while not text.take("]"):
            text.peek()
            line_no = text.line_no
            try:
                value = text.value()
            except _Broken as broken:
                if broken.code != "json_too_deep" or not text.pass_over():
                    raise
                yield _Letter(line_no, broken.code, is_end=False)
            else:
                is_record = isinstance(value, tuple)
                yield _Found(line_no, value, around) if is_record else _Letter(line_no, "json_no_record", is_end=False)
            if not text.take(",") and text.peek() != "]":
                raise _Broken("json_broken_off")

    def _of_object(self) -> Iterator[_Found | _Letter]:
        """Yield the object as a record, or the records in its lists."""
        text = self._text
        line_no = text.line_no
        small = text.glance()
        if small and not any(isinstance(value, list) and _is_of_objects(value) for _, value in small[0]):
            text.at = small[1]
            yield _Found(line_no, small[0], ())
            return
        text.take("{")
        pairs: list[tuple[str, Any]] = []
        last: _Found | _Letter | None = None
        lists, own = 0, 0
        after: list[tuple[str, Any]] = []
        while not text.take("}"):
            name = text.value() if text.peek() == '"' else None
            if name is None or not text.take(":"):
                raise _Broken("json_broken_off")
            if text.peek() == "[" and self._holds_records(small[0] if small else pairs):
                lists += 1
                text.at += 1
                for found in self._of_list(tuple(pairs)):
                    if last is not None:
                        yield last
                    last = found
            else:
                began = text.position
                (after if lists else pairs).append((name, text.value()))
                own += text.position - began + len(name)
                if own > LONGEST_RECORD:
                    raise _Broken("json_broken_off")
            if not text.take(",") and text.peek() != "}":
                raise _Broken("json_broken_off")
        if not lists:
            yield _Found(line_no, tuple(pairs), ())
            return
        if isinstance(last, _Found):
            last.after = after
        if last is not None:
            yield last
        else:
            self.around_nothing = (*pairs, *after)

    def _holds_records(self, pairs: Pairs) -> bool:
        """Tell whether the list that stands here is one of records; looks at the first, and passes over nothing."""
        text = self._text
        text.mark = text.at
        text.at += 1  # behind the bracket
        try:
            return bool(self._is_envelope(pairs, () if text.peek() == "]" else text.value()))
        except _Broken:
            return True
        finally:
            text.at, text.mark = text.mark, None


def _is_of_objects(value: list[Any]) -> bool:
    """Tell whether a list may be one of records; an empty one may."""
    return all(isinstance(each, tuple) for each in value)


def _opened(pairs: Pairs, words: headers.Vocabulary, depth: int = 0) -> list[tuple[str, Any]]:
    """Return the pairs with objects under unknown names opened, as ``outer.inner``."""
    opened: list[tuple[str, Any]] = []
    for name, value in pairs:
        if isinstance(value, tuple) and value and depth < DEEPEST and words.property_of(name) is None:
            opened += _opened([(f"{name}.{inner}", each) for inner, each in value], words, depth + 1)
        else:
            opened.append((name, value))
    return opened


def _said(value: Any) -> str:
    """Return a value as words for a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(f"{name}: {said}" for name, each in value if (said := _said(each)))
    if isinstance(value, list):
        return ", ".join(said for each in value if (said := _said(each)))
    return str(value)


def _plain(value: Any) -> Any:
    """Return a value as `extra` keeps it: objects as objects, names that come twice as ``name#2``."""
    if isinstance(value, tuple):
        kept: dict[str, Any] = {}
        for name, each in value:
            _keep(kept, name, _plain(each))
        return kept
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _keep(kept: dict[str, Any], name: str, value: Any) -> None:
    """Add a value under its name, or under ``name#2`` where that is taken."""
    label, number = name, 1
    while label in kept:
        number += 1
        label = f"{name}#{number}"
    kept[label] = value


def _cleaned(value: Any) -> Any:
    """Return what `extra` keeps without what Postgres cannot: NUL, and halves of characters."""
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for name, each in value.items():
            _keep(kept, _SURROGATE.sub(REPLACED, name), _cleaned(each))
        return kept
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    return _SURROGATE.sub(REPLACED, value) if isinstance(value, str) else value
