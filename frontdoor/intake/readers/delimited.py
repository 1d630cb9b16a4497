"""Delimited text: CSV and its relatives, read line by line with exact numbers and no row merged in silence.

Most lines are clean, and are passed on byte by byte between lineage and `extra`, which is as quick as Postgres reads.
All others are read cell by cell. A record is short or long with its cells kept; only a line whose quotation marks do
not balance cannot be told apart, and becomes a dead letter of exactly that line; reading goes on at the next.

A quoted cell may run over several lines. Two stray marks look the same and would swallow the records between them, so
such a cell is refused when the lines inside it are records themselves (`_swallows`).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from frontdoor.intake.content import Content
from frontdoor.intake.readers import dialect, encoding, headers, layers, nil
from frontdoor.intake.readers.grammar import Cells, Grammar
from frontdoor.intake.readers.lines import Lines
from frontdoor.intake.readers.rows import REPLACED, Lineage, Row, Tally, extra_json, line_of

HEADER_ONLY, SHORT, LONG, GUESSED, DAMAGED = "FIL-001", "FIL-006", "FIL-007", "FIL-008", "FIL-009"
ABOVE, AGAIN, OTHER_COUNT, CUT, GARBLED, BENT = "FIL-020", "FIL-021", "FIL-022", "FIL-023", "FIL-024", "FIL-025"
# A cell over more lines or bytes than this is not a narrative but a mark that was never closed.
MOST_LINES, MOST_BYTES = 5_000, 2**20
# From this width on a line inside a cell does not have as many delimiters as a record by accident.
TELLING_WIDTH = 8
SAMPLE_BYTES = 2**18
_REPLACED = REPLACED.encode()
_DIGITS = b"0123456789"
# A last line that counts is short.
LONGEST_COUNT = 64
# UTF-8 that was read as Windows-1252 and written as UTF-8 again, before it reached us.
_GARBLED = re.compile(rb"\xc3[\x82-\x85](?:\xc2[\x80-\xbf]|\xc5[\x92\x93\xa0\xa1\xb8\xbd\xbe])|\xc3\xa2\xe2\x82\xac")


class _Last(NamedTuple):
    """A line that is a count if nothing comes after it, and a record otherwise."""

    record_no: int
    line_no: int
    cells: list[str]
    told: int


class DelimitedReader:
    """One delimited file being read for one feed."""

    def __init__(self, content: Content, words: headers.Vocabulary, lineage: Lineage) -> None:
        """Look at the whole file for its encoding, and at its beginning for delimiter and headers."""
        self.tally = Tally()
        self._words = words
        self._lineage = lineage
        self._encoding = encoding.of_content(content)
        sample = next(encoding.utf8_blocks(content, self._encoding), b"")[:SAMPLE_BYTES]
        is_cr = b"\r" in sample and b"\n" not in sample
        text = sample.replace(b"\r", b"\n").decode("utf-8", "replace") if is_cr else sample.decode("utf-8", "replace")
        self._dialect = dialect.of_sample(text, lambda header: words.property_of(header) is not None)
        found = words.columns(self._dialect.header)
        # A file that is the signature alone names no column.
        role = None if found.recognised else nil.signed_by(self._dialect.header)
        self.tally.nil_signed_by = role or ""
        is_told = role is not None or (not found.recognised and self.tally.told.note_line(self._dialect.header))
        # Below lines that tell of the delivery, what nobody knows for headers may be the first record.
        may_be_header = not (self._dialect.has_no_header or self._dialect.has_lines_above)
        self._has_header = bool(found.recognised) or may_be_header or is_told
        self._columns = found if self._has_header else headers.numbered(len(self._dialect.header))
        self._grammar = Grammar(self._dialect.delimiter, self._dialect.quote, len(self._columns.properties))
        self._lines = Lines(encoding.utf8_blocks(content, self._encoding, is_cr=is_cr))
        # The columns of the lines being read: the file's own, until a line names others.
        self._current = self._columns
        self._last: _Last | None = None

    @property
    def columns(self) -> Sequence[str]:
        """The properties that a row carries, in the order of the file."""
        return self._columns.recognised

    @property
    def delimiter(self) -> str:
        """The delimiter of the file."""
        return self._dialect.delimiter

    @property
    def quote(self) -> str:
        """The quotation mark of the file."""
        return self._dialect.quote

    @property
    def reading(self) -> Mapping[str, Any]:
        """How the bytes were read."""
        return {
            "format": "delimited",
            "encoding": self._encoding.codec,
            "delimiter": self.delimiter,
            "quote": self.quote,
            "has_header": self._has_header,
            # By how much a spreadsheet's row number is ahead of ours.
            "rows_ahead": self._dialect.lines_skipped + self._has_header,
            "headers": len(self._columns.properties),
            "recognised": len(self._columns.recognised),
            "unknown": len(self._columns.properties) - len(self._columns.recognised),
        }

    def rows(self) -> Iterator[Row]:
        """Yield the records in the order of the file."""
        waiting, grammar, tally = self._lines.waiting, self._grammar, self.tally
        is_clean = grammar.is_clean
        before, after = (part.encode() for part in self._lineage.around(self.delimiter))
        is_exact, is_damaged = self._columns.is_exact, self._encoding.is_damaged
        end = grammar.delimiter_byte + b"{}\n"
        above = yield from self._lines_above(before, after)
        line_no, record_no = above + self._skip_header(), above - self._dialect.lines_skipped
        while waiting or self._lines.refill():
            at = 0
            while at < len(waiting):
                line = waiting[at]
                at += 1
                line_no += 1
                record_no += 1
                if line is None:
                    tally.letter(line_no, "line_too_long")
                    continue
                if line[-1:] == b"\r":
                    line = line[:-1]
                if is_exact and is_clean(line) and not self._may_be_no_record(line):
                    tally.loaded += 1
                    if is_damaged and _REPLACED in line:
                        tally.fault(record_no, DAMAGED)
                    if not line.isascii() and _GARBLED.search(line):
                        tally.fault(record_no, GARBLED)
                    if self._last:
                        yield self._no_count(before, after)
                    yield Row(record_no, line_no, b"%b%d%b%b%b" % (before, record_no, after, line, end))
                    continue
                if not line.strip(b" \x1a"):
                    continue  # a blank line is no record, but a row of the sender's spreadsheet
                read, used = self._whole_record(waiting, at - 1)
                if read is None:
                    tally.letter(line_no, "unbalanced_quote")
                    continue
                cells = read.cells
                if read.is_bent:
                    tally.fault(record_no, BENT)
                if self._last:
                    yield self._no_count(before, after)
                if layers.names_columns(cells, self._words):
                    self._name_columns(cells)
                    is_clean = self._grammar.is_clean
                    # Under other headers the cells stand in another order than the rows that we give.
                    is_exact = self._current is self._columns and self._columns.is_exact
                elif (told := layers.count_told(cells, self._lineage.received_at.date())) is not None:
                    self._last = _Last(record_no, line_no, cells, told)
                else:
                    yield Row(record_no, line_no, self._careful(record_no, cells, before, after))
                at += used - 1
                line_no += used - 1
            waiting.clear()
        self._tell_of_the_file()

    def _lines_above(self, before: bytes, after: bytes) -> Generator[Row, None, int]:
        """Drop the lines above the header, but yield those that may be records; return how many lines they are."""
        skipped = self._dialect.lines_skipped
        lines = self._take(self._dialect.lines_before)
        for number, line in enumerate(lines[skipped:], start=1):
            cells = self._grammar.cells(_text(line or b"")).cells
            if (role := nil.signed_by(cells)) is not None:
                self.tally.nil_signed_by = role
            elif self.tally.told.note_line(cells):
                continue
            elif layers.is_record_above(cells, len(self._columns.properties)):
                yield Row(number, skipped + number, self._careful(number, cells, before, after))
            elif any(cell.strip() for cell in cells):
                self.tally.file_fault(ABOVE)
        return len(lines)

    def _skip_header(self) -> int:
        """Drop the header; return how many lines it takes."""
        return len(self._take(self._dialect.header_lines if self._has_header else 0))

    def _take(self, count: int) -> list[bytes | None]:
        while len(self._lines.waiting) < count and self._lines.refill():
            pass
        lines = self._lines.waiting[:count]
        del self._lines.waiting[:count]
        return lines

    def _may_be_no_record(self, line: bytes) -> bool:
        """Tell whether a clean line is worth asking whether it names columns or counts records; most are not."""
        first = line.partition(self._grammar.delimiter_byte)[0].strip(b"\"' ")
        if first.translate(None, _DIGITS) != first:
            return len(line) <= LONGEST_COUNT and first[:1].isalpha()
        return len(line) <= LONGEST_COUNT or self._words.property_of(_text(first)) is not None

    def _name_columns(self, cells: list[str]) -> None:
        """Read what follows under the headers that a line below the first ones gives: the same again, or others."""
        self.tally.file_fault(AGAIN)
        self._current = self._words.columns(cells)
        self._grammar = Grammar(self.delimiter, self.quote, len(cells))
        if self._current.properties == self._columns.properties:
            self._current = self._columns

    def _no_count(self, before: bytes, after: bytes) -> Row:
        """Return the row of a line that was taken for a count until something came after it."""
        last, self._last = self._last, None
        assert last is not None
        return Row(last.record_no, last.line_no, self._careful(last.record_no, last.cells, before, after))

    def _whole_record(self, waiting: list[bytes | None], at: int) -> tuple[Cells | None, int]:
        """Return the record that begins at a line, and how many lines it takes; None if its marks do not balance."""
        first = waiting[at] or b""
        read = self._grammar.cells(_text(first))
        if read.is_bent and (mended := self._grammar.mended(_text(first))):
            return Cells(mended, is_bent=True), 1
        if not read.is_open:
            width = len(self._current.properties)
            # Read kindly, a line must at least come out right, or marks and cells are mixed up.
            is_lost = read.is_broken or (read.is_bent and len(read.cells) != width)
            return (None if is_lost else read), 1
        if read.is_bent:
            return None, 1
        lines, size = [first], len(first)
        while len(lines) < MOST_LINES and size < MOST_BYTES:
            if at + len(lines) >= len(waiting) and not self._lines.refill():
                return None, 1
            line = waiting[at + len(lines)]
            if line is None:
                return None, 1
            lines.append(line)
            size += len(line) + 1
            if not self._grammar.stays_open(line):
                read = self._grammar.cells(_text(b"\n".join(lines)))
                if read.is_bent:
                    return None, 1
                if not read.is_open:
                    return (None if self._swallows(lines, is_closed=True) else read), len(lines)
            if self._swallows(lines, is_closed=False):
                return None, 1
        return None, 1

    def _swallows(self, lines: list[bytes], *, is_closed: bool) -> bool:
        """Tell whether the last of these lines shows that the first does not open a narrative but swallows records."""
        width = len(self._current.properties)
        if width < 2:
            return False
        first, last = _bare(lines[0]), _bare(lines[-1])
        is_first_full = self._grammar.literal_width(first) == width
        if is_closed:
            return is_first_full and self._grammar.literal_width(last) == width
        return (width >= TELLING_WIDTH or is_first_full) and self._grammar.is_clean(last)

    def _careful(self, record_no: int, cells: list[str], before: bytes, after: bytes) -> bytes:
        """Return the row of a record that is not passed on as it is, and note what is wrong with it."""
        columns = self._current
        width = len(columns.properties)
        extra: dict[str, Any] = {}
        if len(cells) < width:
            self.tally.fault(record_no, SHORT)
        elif any(cells[width:]):
            # Which cell is the surplus one nobody knows: columns after it may be shifted, so all are kept as they came.
            self.tally.fault(record_no, LONG)
            extra = {"_surplus": cells[width:], "_cells": cells}
        if self._encoding.is_damaged and any(REPLACED in cell for cell in cells):
            self.tally.fault(record_no, DAMAGED)
        if any(not cell.isascii() and _GARBLED.search(cell.encode("utf-8", "replace")) for cell in cells):
            self.tally.fault(record_no, GARBLED)
        self.tally.loaded += 1
        padded = cells + [""] * (width - len(cells))
        known: dict[str, str] = dict.fromkeys(self._columns.recognised, "")
        for name, label, cell in zip(columns.properties, columns.labels, padded, strict=False):
            if name in known:
                known[name] = cell
            elif cell:
                extra[label] = cell
        row = line_of([*known.values(), extra_json(extra)], self.delimiter, self.quote)
        return b"%b%d%b%b\n" % (before, record_no, after, row.encode("utf-8", "replace"))

    def _tell_of_the_file(self) -> None:
        if self.tally.is_nil:
            return
        if self.tally.nil_signed_by:
            self.tally.file_fault(nil.WITH_RECORDS)
        for rule_id in self._columns.faults:
            self.tally.file_fault(rule_id)
        if self._encoding.is_fallback:
            self.tally.file_fault(GUESSED)
        if self._last and self._last.told >= 0:
            self.tally.told.last_line_count = self._last.told
            if self._last.told != self.tally.loaded + self.tally.dead:
                self.tally.file_fault(OTHER_COUNT)
        if self._lines.is_cut:
            self.tally.file_fault(CUT)
        if not self.tally.loaded and not self.tally.dead:
            self.tally.file_fault(HEADER_ONLY)


def _text(line: bytes) -> str:
    return _bare(line).decode("utf-8", "replace")


def _bare(line: bytes) -> bytes:
    return line[:-1] if line[-1:] == b"\r" else line
