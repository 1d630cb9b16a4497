"""One sheet of a workbook, row by row, as the other readers give their files.

A record is a row below the headers with something in it; its line is the number of the row as the spreadsheet shows it.
Hidden rows, columns and sheets are read like all others, a merged cell is its first one, a formula is the result that
is stored with it. The size that a sheet says it has is not believed.

Of a sheet that is cut off or damaged comes what can be read; the rest is one dead letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from frontdoor.intake.content import Content
from frontdoor.intake.readers import cells, dialect, headers, layers, nil, ooxml
from frontdoor.intake.readers.abridged_sheet import AbridgedSheet
from frontdoor.intake.readers.lines import LONGEST_LINE
from frontdoor.intake.readers.rows import REPLACED, Lineage, Row, Tally, extra_json, line_of
from frontdoor.intake.reasons import Unreadable

HEADER_ONLY, LONG, DAMAGED = "FIL-001", "FIL-007", "FIL-009"
ABOVE, AGAIN, OTHER_COUNT = "FIL-020", "FIL-021", "FIL-022"
FORMULAS, FORMULA_STRING, NO_BREAK, MORE_THAN_DATA = "FIL-030", "FIL-031", "FIL-032", "FIL-034"
MOST_ROWS, MOST_COLUMNS = 2**20, 2**14
# What a cell counts for besides its text, where a row is measured.
CELL_LENGTH = 8
# The headers stand among so many rows that say something, and so many bytes, or nowhere.
TOP_ROWS, TOP_BYTES = 200, 2**22
# So many cells of the tops of all sheets are held while a file is taken.
TOP_CELLS = 500_000
_BLANKS = str.maketrans("\u00a0\u2007\u202f", "   ")
_IS_BLANK = re.compile("[\u00a0\u2007\u202f]")
# What a spreadsheet would run if the text were pasted into one; not a number, a telephone number or a bullet.
_RUNS = re.compile(r"\s*(?:=\s*[\w(+\-@'\"]|@\w|[+-]\s*(?:[A-Za-z(@=]|[\d.,() ]+[^\d.,() \s]))")
_ODD_BEGINNINGS = frozenset(("", *"=+-@ \t\r\n"))
_REFERENCE = re.compile(r"[A-Z]{1,3}\Z")


class SheetRow(NamedTuple):
    """A row that says something: its number, its cells up to the last that does, the rules its text breaks, the
    formulas without a result by position. `cells` is None where the row is too long to be a record."""

    row_no: int
    cells: list[str] | None
    faults: tuple[str, ...]
    formulas: Mapping[int, str]


@dataclass(frozen=True)
class Composed:
    """What a published layout adds to the columns of a list: properties with one value for all records, and properties
    that are put together from cells (text with headers in braces; blank where one of them is)."""

    constants: Mapping[str, str] = field(default_factory=dict)
    composed: Mapping[str, str] = field(default_factory=dict)


class WorkbookReader:
    """One sheet being read for one feed."""

    delimiter = ","
    quote = '"'

    def __init__(
        self, content: Content, words: headers.Vocabulary, lineage: Lineage, more: Composed | None = None
    ) -> None:
        """Read what the sheets share and find the headers. Raises Unreadable."""
        self.tally = Tally()
        self._content, self._words, self._lineage = content, words, lineage
        self._more = more or Composed()
        with ooxml.Package(content) as package:
            book = ooxml.Book(package)
            self._has_more = book.has_more
            top = list(top_rows(package, book, _sheet(book, content)))
            self._strings = book.strings()
        self._header = header_of(top, words)
        named = [row.cells or [] for row in top if row.row_no == self._header]
        found = words.columns(named[0]) if named else headers.numbered(0)
        self._first = top[0].row_no if top else 1
        self._has_header = bool(found.recognised) or not (named and dialect.may_be_data(named[0]))
        if not self._has_header:
            found = headers.numbered(max(len(row.cells or ()) for row in top))
        self._columns = self._current = found
        self._placed_for: headers.Columns | None = None
        self._placed: tuple[list[int], list[int]] = ([], [])
        self._added = tuple(
            name for name in (*self._more.constants, *self._more.composed) if name not in found.recognised
        )
        self._last: tuple[SheetRow, int] | None = None

    @property
    def columns(self) -> Sequence[str]:
        """The properties that a row carries."""
        return (*self._columns.recognised, *self._added)

    @property
    def reading(self) -> Mapping[str, Any]:
        """How the bytes were read."""
        return {
            "format": "workbook",
            "has_header": self._has_header,
            "header_row": self._header if self._has_header else None,
            # By how much a row's own number is ahead of ours.
            "rows_ahead": self._first - (not self._has_header),
            "headers": len(self._columns.properties),
            "recognised": len(self._columns.recognised),
            "unknown": len(self._columns.properties) - len(self._columns.recognised),
        }

    def rows(self) -> Iterator[Row]:
        """Yield the records in the order of the sheet."""
        row_no = 0
        with ooxml.Package(self._content) as package:
            book = ooxml.Book(package, self._strings)
            try:
                for row in rows_of(package, book, _sheet(book, self._content)):
                    row_no = row.row_no
                    yield from self._rows(row)
            except ooxml.Broken:
                self.tally.letter(row_no + 1, "workbook_broken_off")
            if book.strings().is_broken:
                self.tally.letter(0, "workbook_broken_off")
            book.strings().close()
        if self._has_more:
            self.tally.file_fault(MORE_THAN_DATA)
        if self.tally.is_nil:
            return
        if self.tally.nil_signed_by:
            self.tally.file_fault(nil.WITH_RECORDS)
        if self._last and self._last[1] >= 0:
            self.tally.told.last_line_count = self._last[1]
            if self._last[1] != self.tally.loaded + self.tally.dead:
                self.tally.file_fault(OTHER_COUNT)
        for rule_id in self._columns.faults:
            self.tally.file_fault(rule_id)
        if not self.tally.loaded and not self.tally.dead:
            self.tally.file_fault(HEADER_ONLY)

    def _rows(self, row: SheetRow) -> Iterator[Row]:
        """Yield the record of a row, if it is one, after a row that was taken for a count until this one came."""
        said, columns = row.cells, self._columns
        if said is None:
            self.tally.letter(row.row_no, "line_too_long")
        elif row.row_no <= self._header and (role := nil.signed_by(said)) is not None:
            self.tally.nil_signed_by = role
        elif row.row_no < self._header and self.tally.told.note_line(said):
            return
        elif self._has_header and row.row_no == self._header:
            self._note(0, row.faults)
        elif self._has_header and row.row_no < self._header and not layers.is_record_above(said, len(columns.labels)):
            self.tally.file_fault(ABOVE)
        else:
            if self._last:
                last, self._last = self._last, None
                yield self._row(last[0])
            first = next((cell for cell in said if cell), "")
            if self._words.property_of(first) and layers.names_columns(said, self._words):
                self.tally.file_fault(AGAIN)
                self._current = self._words.columns(said)
                if self._current.properties == columns.properties:
                    self._current = columns
            elif (told := layers.count_told(said, self._lineage.received_at.date())) is not None:
                self._last = (row, told)
            else:
                yield self._row(row)

    def _row(self, row: SheetRow) -> Row:
        columns, said = self._current, row.cells or []
        record_no, width = row.row_no - self._first + (0 if self._has_header else 1), len(columns.properties)
        # A record above the headers is counted with the rows, and so are those below.
        record_no += self._has_header and row.row_no < self._header
        self._note(record_no, row.faults)
        extra: dict[str, Any] = {}
        if any(said[width:]):
            self.tally.fault(record_no, LONG)
            extra = {"_surplus": said[width:], "_cells": said}
        # One cell more than there are columns: the blank that stands for what is not there.
        padded = [*said[:width], *[""] * (width + 1 - min(len(said), width))]
        known, unknown = self._places(columns)
        for at in unknown:
            if padded[at]:
                extra[columns.labels[at]] = padded[at]
        if row.formulas:
            extra["_formulas"] = {
                columns.labels[at] if at < width else f"column_{at + 1}": text for at, text in row.formulas.items()
            }
        added = [self._more.constants.get(name) or self._put_together(name, said) for name in self._added]
        self.tally.loaded += 1
        line = line_of([*map(padded.__getitem__, known), *added, extra_json(extra)], self.delimiter, self.quote)
        before, after = self._lineage.around(self.delimiter)
        return Row(record_no, row.row_no, f"{before}{record_no}{after}{line}\n".encode("utf-8", "replace"))

    def _places(self, columns: headers.Columns) -> tuple[list[int], list[int]]:
        """Return where the properties stand in these columns (behind the last: nowhere), and where all else does."""
        if columns is not self._placed_for:
            wanted, behind = self._columns.recognised, len(columns.properties)
            at_of = {name: at for at, name in enumerate(columns.properties) if name in wanted}
            unknown = [at for at, name in enumerate(columns.properties) if name not in at_of]
            self._placed_for, self._placed = columns, ([at_of.get(name, behind) for name in wanted], unknown)
        return self._placed

    def _put_together(self, name: str, said: list[str]) -> str:
        text = self._more.composed[name]
        for header in re.findall(r"{([^}]*)}", text):
            cell = next(
                (
                    cell
                    for cell, word in zip(said, self._current.words, strict=False)
                    if word == headers.normalised(header)
                ),
                "",
            ).strip()
            if not cell:
                return ""
            text = text.replace(f"{{{header}}}", cell)
        return text

    def _note(self, record_no: int, faults: Sequence[str]) -> None:
        for rule_id in faults:
            if rule_id == FORMULAS or not record_no:
                self.tally.file_fault(rule_id)
            else:
                self.tally.fault(record_no, rule_id)


def header_of(top: Sequence[SheetRow], words: headers.Vocabulary) -> int:
    """Return the number of the row that names the columns: the first of those with most headers that we know.

    Without any it is the first row; a row further down must know more of them than a record does by accident.
    """
    best, most = (top[0].row_no if top else 1), 0
    for place, row in enumerate(top):
        known = len({words.property_of(cell) for cell in row.cells or () if cell} - {None})
        if known > most and (place == 0 or known >= dialect.TELLING_HEADERS):
            best, most = row.row_no, known
    return best


def top_rows(
    package: ooxml.Package, book: ooxml.Book, sheet: ooxml.Sheet, most_cells: int = TOP_CELLS
) -> Iterator[SheetRow]:
    """Yield the rows at the top of a sheet that say something. Raises Unreadable where not even they can be read."""
    found = 0
    try:
        for row in rows_of(package, book, sheet, most_bytes=TOP_BYTES):
            most_cells -= len(row.cells or ())
            if most_cells < 0:
                return
            yield row
            found += 1
            if found == TOP_ROWS:
                return
    except ooxml.Broken:
        if not found:
            raise Unreadable("workbook_broken") from None


def count_rows(content: Content, sheet_no: int) -> int:
    """Return how many rows of a sheet say something, as far as it can be read."""
    count = 0
    try:
        with ooxml.Package(content) as package:
            book = ooxml.Book(package)
            for _ in rows_of(package, book, book.sheets_by_number[sheet_no]):
                count += 1
    except (ooxml.Broken, Unreadable):
        pass
    return count


def rows_of(
    package: ooxml.Package, book: ooxml.Book, sheet: ooxml.Sheet, *, most_bytes: int | None = None
) -> Iterator[SheetRow]:
    """Yield the rows of a sheet that say something, in order. Raises Broken and Unreadable."""
    ready: list[SheetRow] = []
    parsed = _Parsed(book, ready)
    blocks = 0
    try:
        for _ in package.parse(sheet.part, parsed.start, parsed.end, parsed.data, parsed.plain.pieces):
            blocks += 1
            if ready:
                yield from ready
                ready.clear()
            if most_bytes and blocks * ooxml.BLOCK_BYTES > most_bytes:
                return
    except ooxml.Broken:
        yield from ready
        raise


class _Parsed:
    """The state of a sheet while it is parsed. Whole rows are appended to a list.

    Five of these calls are made for every cell of a row that is not plain, so they do their work themselves and in the
    order of what is frequent.
    """

    def __init__(self, book: ooxml.Book, ready: list[SheetRow]) -> None:
        self._ready, self._kinds, self._is_1904 = ready, book.kinds, book.is_1904
        self.plain = AbridgedSheet()
        self._strings = book.strings()
        self._near = self._strings.near
        self._positions: dict[str, int] = {"": 0}
        self._row_no, self._row_length, self._at = 0, 0, -1
        self._cells: list[str] = []
        self._faults: set[str] = set()
        self._formulas: dict[int, str] = {}
        self._what, self._style = "n", ""
        self._text: list[str] = []
        self._formula: str | None = None
        self._is_open = self._is_phonetic = False

    def start(self, tag: str, found: dict[str, str]) -> None:
        tag = ooxml.local[tag]
        if tag == "c":
            # The column of the reference; the next one where there is none, or none that goes forward.
            letters = found.get("r", "").rstrip("0123456789")
            at = self._positions.get(letters)
            if at is None:
                at = self._position(letters)
            self._at = at - 1 if self._at < at - 1 < MOST_COLUMNS else self._at + 1
            self._what, self._style = found.get("t", "n"), found.get("s", "")
            self._formula = None
            self._text.clear()
        elif tag in ("v", "t"):
            self._is_open = not self._is_phonetic
        elif tag == "f":
            self._text.clear()
            self._is_open, self._formula = True, ""
        elif tag == "rPh":
            self._is_phonetic = True
        elif tag == "row":
            number = found.get("r", "")
            stated = int(number) if number.isdecimal() and len(number) < 8 else 0
            self._row_no = stated if self._row_no < stated <= MOST_ROWS else self._row_no + 1
            self._row_length, self._at = 0, -1
            if self.plain.mark in found:
                self._take_plain()

    def _take_plain(self) -> None:
        """Put the cells of a row, which was taken out before the sheet was parsed, into the row."""
        positions = self._positions
        for letters, style, what, text in self.plain.taken():
            at = positions.get(letters) or self._position(letters)
            self._at = at - 1 if self._at < at - 1 < MOST_COLUMNS else self._at + 1
            self._what, self._style, self._formula = what or "n", style, None
            self._text.clear()
            if text:
                self._is_open = not self._is_phonetic
                self.data(text)
                self._is_open = False
                if self._text:
                    self._take(text)

    def data(self, text: str) -> None:
        if self._is_open:
            self._row_length += len(text)
            if self._row_length <= LONGEST_LINE:
                self._text.append(text)

    def end(self, tag: str) -> None:
        tag = ooxml.local[tag]
        if tag in ("v", "t"):
            self._is_open = False
        elif tag == "c":
            if self._text or self._formula is not None:
                self._take(self._text[0] if len(self._text) == 1 else "".join(self._text))
        elif tag == "f":
            self._formula, self._is_open = "".join(self._text), False
            self._text.clear()
        elif tag == "rPh":
            self._is_phonetic = False
        elif tag == "row":
            is_long = self._row_length > LONGEST_LINE
            if is_long or self._cells or self._formulas:
                cells = None if is_long else self._cells
                self._ready.append(SheetRow(self._row_no, cells, tuple(sorted(self._faults)), self._formulas))
                self._cells, self._formulas = [], {}
                self._faults.clear()

    def _position(self, letters: str) -> int:
        """The number of a column, from 1; 0 where the letters name none."""
        at = 0
        for letter in letters if _REFERENCE.match(letters) else "":
            at = at * 26 + ord(letter) - 64
        if len(self._positions) < MOST_COLUMNS:
            self._positions[letters] = at
        return at

    def _take(self, stored: str) -> None:
        """Put the text of the cell into the row."""
        if self._formula is not None:
            self._faults.add(FORMULAS)
        text = self._read(stored)
        if text is None:
            self._row_length = LONGEST_LINE + 1
            return
        if not text:
            if self._formula:
                self._formulas[self._at] = "=" + self._formula
            return
        self._row_length += CELL_LENGTH
        if self._at > len(self._cells):
            self._cells.extend([""] * (self._at - len(self._cells)))
        self._cells.append(text)

    def _read(self, text: str) -> str | None:
        what = self._what
        if what == "s":
            if not text.isdecimal() or len(text) > 9:
                return self._checked(REPLACED) if text else ""
            position = int(text)
            stored = self._near[position] if position < len(self._near) else self._strings.far(position)
            if stored is None:
                return None
            self._row_length += len(stored)
            # Most texts: nothing odd about them.
            return stored if stored.isascii() and stored[:1] not in _ODD_BEGINNINGS else self._checked(stored)
        if what == "n":
            return cells.of_number(text, self._kind(), self._is_1904) if text else ""
        if what == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(text, text)
        if what == "d":
            return cells.of_iso(text, self._kind())
        if what == "e":
            return text
        return self._checked(cells.of_string(text))

    def _kind(self) -> str | None:
        style = self._style
        if not style.isdecimal() or len(style) > 6:
            return self._kinds[0] if self._kinds else None
        at = int(style)
        return self._kinds[at] if at < len(self._kinds) else None

    def _checked(self, text: str) -> str:
        """Return text with its no-break spaces as spaces, having noted what is odd about it."""
        if not text.isascii():
            if REPLACED in text:
                self._faults.add(DAMAGED)
            if _IS_BLANK.search(text):
                self._faults.add(NO_BREAK)
                text = text.translate(_BLANKS)
        if text[:1] in _ODD_BEGINNINGS and _RUNS.match(text):
            self._faults.add(FORMULA_STRING)
        return text


def _sheet(book: ooxml.Book, content: Content) -> ooxml.Sheet:
    try:
        return book.sheets_by_number[content.place["sheet"]]
    except KeyError:
        raise Unreadable("workbook_broken") from None
