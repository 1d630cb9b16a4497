"""The grammar of one record of delimited text: which cells a line has, and whether it is whole.

Spreadsheets, police systems and people disagree on quoting, so three readings are tried, from strict to kind:
a *clean* line, which Postgres would read exactly as we do, may be passed on byte by byte; in a line that is not clean,
spaces around a quoted cell are dropped and a quotation mark inside a cell is taken as it stands; a line whose last cell
is opened and never closed is *open*, and may go on in the next line. Where marks inside a quoted cell were not doubled,
the cell is taken to end where a mark stands before a delimiter (`mended`), provided that the record then has its width.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cells:
    """What a text was read as. `is_open`: its last cell is not closed. `is_bent`: a quoted cell goes on after its
    closing mark and was taken as it stands; `is_broken`: the marks in such a cell do not even pair."""

    cells: list[str]
    is_open: bool = False
    is_bent: bool = False
    is_broken: bool = False


class Grammar:
    """Delimiter and quotation mark of one file, and the number of cells of its records once that is known."""

    def __init__(self, delimiter: str, quote: str, width: int | None = None) -> None:
        """Make the patterns; `width` is needed only to tell clean lines."""
        self.delimiter, self.quote, self.width = delimiter, quote, width
        self.delimiter_byte, self.quote_byte = delimiter.encode(), quote.encode()
        self._between = (width or 1) - 1
        self._seam = f"{quote}{delimiter}{quote}".encode()
        d, q = re.escape(delimiter), re.escape(quote)
        quoted = rf"{q}[^{q}]*+(?:{q}{q}[^{q}]*+)*+{q}"
        self._quoted = re.compile(rf"[ ]*({quoted})[ ]*(?={d}|\Z)")
        self._opened = re.compile(rf"[ ]*{q}([^{q}]*+(?:{q}{q}[^{q}]*+)*+)\Z")
        # After a closing mark that nothing should follow: the cell ends at the next delimiter all the same.
        self._bent = re.compile(rf"[ ]*{quoted}[^{d}]*+")
        self._inside = re.compile(rf"[^{q}]*+(?:{q}{q}[^{q}]*+)*+".encode())
        cell = rf"(?:{quoted}|[^{q}{d}\r\n]*+)"
        clean = rf"{cell}(?:{d}{cell}){{{(width or 1) - 1}}}"
        self._clean = re.compile(clean.encode())

    def is_clean(self, line: bytes) -> bool:
        """Tell whether a line is one record of full width that Postgres reads as we do.

        Most lines have no quoted cell, or one, or nothing but quoted cells: these are told by counting.
        """
        quote, delimiter, between = self.quote_byte, self.delimiter_byte, self._between
        if b"\r" not in line:
            parts = line.split(quote, 3)
            if len(parts) == 1:
                return line.count(delimiter) == between and bool(line)
            if len(parts) == 3:
                before, _, after = parts
                return (
                    before.count(delimiter) + after.count(delimiter) == between
                    and (not before or before.endswith(delimiter))
                    and (not after or after.startswith(delimiter))
                )
            # Every mark between the first and the last belongs to a seam between two cells: none is left inside a cell.
            if (
                line.startswith(quote)
                and line.endswith(quote)
                and line.count(quote) == 2 * between + 2
                and line.count(self._seam, 1, len(line) - 1) == between
            ):
                return True
        return self._clean.fullmatch(line) is not None

    def stays_open(self, line: bytes) -> bool:
        """Tell whether a quoted cell that is open before a line is still open after it."""
        return self._inside.fullmatch(line) is not None

    def literal_width(self, line: bytes) -> int:
        """Return how many cells a line has if quotation marks mean nothing."""
        return line.count(self.delimiter_byte) + 1

    def mended(self, text: str) -> list[str] | None:
        """Read a line whose quoted cells hold marks that are not doubled; None unless it then has the file's width."""
        quote, cells, open_cell = self.quote, list[str](), None
        pieces = text.split(self.delimiter)
        if len(pieces) >= 2 * (self.width or 1) - 1:
            return None  # room for two records, of which one would end up in a cell of the other
        for piece in pieces:
            whole = piece if open_cell is None else f"{open_cell}{self.delimiter}{piece}"
            bare = whole.strip(" ")
            if not bare.startswith(quote):
                cells.append(whole)
            elif len(bare) > 1 and bare.endswith(quote) and not bare.endswith(f"\\{quote}"):
                inside = bare[1:-1].replace(f"\\{quote}", quote).replace(quote * 2, quote)
                cells.append(inside)
                open_cell = None
            else:
                open_cell = whole
        return cells if open_cell is None and len(cells) == self.width else None

    def cells(self, text: str) -> Cells:
        """Read a text as one record."""
        cells: list[str] = []
        at, is_bent, is_broken, quote, delimiter = 0, False, False, self.quote, self.delimiter
        while True:
            end: int
            starts_quoted = text[at : at + 1] in (quote, " ")
            if starts_quoted and (match := self._quoted.match(text, at)):
                cells.append(match[1][1:-1].replace(quote * 2, quote))
                end = match.end()
            elif starts_quoted and (match := self._opened.match(text, at)):
                cells.append(match[1].replace(quote * 2, quote))
                return Cells(cells, True, is_bent, is_broken)
            elif starts_quoted and (match := self._bent.match(text, at)):
                cells.append(text[at : match.end()])
                end, is_bent = match.end(), True
                is_broken = is_broken or match[0].count(quote) % 2 == 1
            else:
                end = text.find(delimiter, at)
                end = len(text) if end < 0 else end
                cells.append(text[at:end])
            if end >= len(text):
                return Cells(cells, False, is_bent, is_broken)
            at = end + len(delimiter)
