"""Delimited text: CSV and its relatives, read line by line with exact numbers and no row merged in silence.

Most lines are clean, and are passed on byte by byte between lineage and `extra`, which is as quick as Postgres reads.
All others are read cell by cell. A record is short or long with its cells kept; only a line whose quotation marks do
not balance cannot be told apart, and becomes a dead letter of exactly that line; reading goes on at the next.

A quoted cell may run over several lines. Two stray marks look the same and would swallow the records between them, so
such a cell is refused when the lines inside it are records themselves (`_swallows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from frontdoor.intake.content import Content
from frontdoor.intake.readers import dialect, encoding, headers
from frontdoor.intake.readers.grammar import Grammar
from frontdoor.intake.readers.lines import Lines
from frontdoor.intake.readers.rows import REPLACED, Lineage, Row, Tally, extra_json, line_of

HEADER_ONLY, SHORT, LONG, GUESSED, DAMAGED = "FIL-001", "FIL-006", "FIL-007", "FIL-008", "FIL-009"
# A cell over more lines or bytes than this is not a narrative but a mark that was never closed.
MOST_LINES, MOST_BYTES = 5_000, 2**20
# From this width on a line inside a cell does not have as many delimiters as a record by accident.
TELLING_WIDTH = 8
SAMPLE_BYTES = 2**18
_REPLACED = REPLACED.encode()


class DelimitedReader:
    """One delimited file being read for one feed."""

    def __init__(self, content: Content, words: headers.Vocabulary, lineage: Lineage) -> None:
        """Look at the whole file for its encoding, and at its beginning for delimiter and headers."""
        self.tally = Tally()
        self._lineage = lineage
        self._encoding = encoding.of_content(content)
        sample = next(encoding.utf8_blocks(content, self._encoding), b"")[:SAMPLE_BYTES]
        is_cr = b"\r" in sample and b"\n" not in sample
        text = sample.replace(b"\r", b"\n").decode("utf-8", "replace") if is_cr else sample.decode("utf-8", "replace")
        self._dialect = dialect.of_sample(text, lambda header: words.property_of(header) is not None)
        found = words.columns(self._dialect.header)
        self._has_header = bool(found.recognised) or not self._dialect.has_no_header
        self._columns = found if self._has_header else headers.numbered(len(self._dialect.header))
        self._grammar = Grammar(self._dialect.delimiter, self._dialect.quote, len(self._columns.properties))
        self._lines = Lines(encoding.utf8_blocks(content, self._encoding, is_cr=is_cr))

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
        line_no = self._skip_header()
        record_no = 0
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
                if is_exact and is_clean(line):
                    tally.loaded += 1
                    if is_damaged and _REPLACED in line:
                        tally.fault(record_no, DAMAGED)
                    yield Row(record_no, line_no, b"%b%d%b%b%b" % (before, record_no, after, line, end))
                    continue
                if not line.strip(b" \x1a"):
                    continue  # a blank line is no record, but a row of the sender's spreadsheet
                text, used = self._whole_record(waiting, at - 1)
                if text is None:
                    tally.letter(line_no, "unbalanced_quote")
                    continue
                cells = grammar.cells(text).cells
                yield Row(record_no, line_no, self._careful(record_no, cells, before, after))
                at += used - 1
                line_no += used - 1
            waiting.clear()
        self._tell_of_the_file()

    def _skip_header(self) -> int:
        """Drop the lines up to and with the header; return how many they are."""
        skip = self._dialect.lines_before + (self._dialect.header_lines if self._has_header else 0)
        while len(self._lines.waiting) < skip and self._lines.refill():
            pass
        del self._lines.waiting[:skip]
        return skip

    def _whole_record(self, waiting: list[bytes | None], at: int) -> tuple[str | None, int]:
        """Return the record that begins at a line, and how many lines it takes; None if its marks do not balance."""
        first = waiting[at] or b""
        read = self._grammar.cells(_text(first))
        if not read.is_open:
            width = len(self._columns.properties)
            # Read kindly, a line must at least come out right, or marks and cells are mixed up.
            is_lost = read.is_broken or (read.is_bent and len(read.cells) != width)
            return (None if is_lost else _text(first)), 1
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
                    return (None if self._swallows(lines, is_closed=True) else _text(b"\n".join(lines))), len(lines)
            if self._swallows(lines, is_closed=False):
                return None, 1
        return None, 1

    def _swallows(self, lines: list[bytes], *, is_closed: bool) -> bool:
        """Tell whether the last of these lines shows that the first does not open a narrative but swallows records."""
        width = len(self._columns.properties)
        if width < 2:
            return False
        first, last = _bare(lines[0]), _bare(lines[-1])
        is_first_full = self._grammar.literal_width(first) == width
        if is_closed:
            return is_first_full and self._grammar.literal_width(last) == width
        return (width >= TELLING_WIDTH or is_first_full) and self._grammar.is_clean(last)

    def _careful(self, record_no: int, cells: list[str], before: bytes, after: bytes) -> bytes:
        """Return the row of a record that is not passed on as it is, and note what is wrong with it."""
        columns = self._columns
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
        self.tally.loaded += 1
        padded = cells + [""] * (width - len(cells))
        known: list[str] = []
        for name, label, cell in zip(columns.properties, columns.labels, padded, strict=False):
            if name:
                known.append(cell)
            elif cell:
                extra[label] = cell
        row = line_of([*known, extra_json(extra)], self.delimiter, self.quote)
        return b"%b%d%b%b\n" % (before, record_no, after, row.encode("utf-8", "replace"))

    def _tell_of_the_file(self) -> None:
        for rule_id in self._columns.faults:
            self.tally.file_fault(rule_id)
        if self._encoding.is_fallback:
            self.tally.file_fault(GUESSED)
        if not self.tally.loaded and not self.tally.dead:
            self.tally.file_fault(HEADER_ONLY)


def _text(line: bytes) -> str:
    return _bare(line).decode("utf-8", "replace")


def _bare(line: bytes) -> bytes:
    return line[:-1] if line[-1:] == b"\r" else line
