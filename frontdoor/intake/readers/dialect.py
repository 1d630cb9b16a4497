"""Which delimiter and quotation mark a file uses, and whether its first line names the columns.

The best evidence are headers that the contract or the agency file knows: the dialect under which most of them appear is
right, and the line that has them names the columns, even when a title or a note stands above it. Only where none is
known, the first line does, in the dialect under which the first records agree on a width.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from frontdoor.intake.readers import sender_header
from frontdoor.intake.readers.grammar import Grammar

DELIMITERS = (",", ";", "\t", "|", "^", "~")
QUOTES = ('"', "'")
SAMPLE_RECORDS = 20
MOST_HEADER_LINES = 50
# How far down the line with the headers is looked for, and how many known ones tell it from a record.
MOST_LINES_ABOVE = 200
TELLING_HEADERS = 2
# What no header looks like: a number, a date or the beginning of a time stamp.
LONGEST_HEADER = 60
MOST_HEADER_DIGITS = 2
_DATUM = re.compile(r"\s*(\d+|\d{4}-\d\d-\d\d.*|\d{1,2}/\d{1,2}/\d{2,4}.*)\s*")


@dataclass(frozen=True)
class Dialect:
    """How the lines are to be read.

    `header`: the cells that name the columns; `header_lines`: how many lines they take; `lines_before`: lines above
    them, of which `lines_skipped` hold nothing (blank, or a spreadsheet's ``sep=;``).
    """

    delimiter: str
    quote: str
    header: tuple[str, ...]
    header_lines: int
    lines_before: int = 0
    lines_skipped: int = 0

    @property
    def has_lines_above(self) -> bool:
        """Whether something stands above the header."""
        return self.lines_before > self.lines_skipped

    @property
    def has_no_header(self) -> bool:
        """Whether the first record may be data, which only matters when no header is known.

        In doubt it is: headers kept as a record are a line more in triage, a record taken for headers is a child lost.
        """
        return may_be_data(self.header)


def may_be_data(first: Sequence[str]) -> bool:
    """Tell whether the cells of a first record may be data and no headers."""
    cells = [cell.strip() for cell in first]
    return len(set(cells)) < len(cells) or any(
        len(cell) > LONGEST_HEADER
        or sum(map(str.isdigit, cell)) > MOST_HEADER_DIGITS
        or _DATUM.fullmatch(cell) is not None
        for cell in cells
    )


def of_sample(sample: str, is_known: Callable[[str], bool]) -> Dialect:
    """Return the dialect of a file that begins with `sample`; `is_known` tells a header that we understand."""
    lines = sample.split("\n")
    before = 0
    while before < len(lines) - 1 and not lines[before].strip("\r \ufeff"):
        before += 1
    delimiters: tuple[str, ...] = DELIMITERS
    hint = re.fullmatch(r"\s*\"?sep=(.)\"?\r?", lines[before], re.IGNORECASE)
    if hint and hint[1] in DELIMITERS:
        delimiters, before = (hint[1],), before + 1
    found: list[tuple[int, Dialect]] = []
    for delimiter in delimiters:
        for quote in QUOTES:
            if quote == "'" and not lines[before].lstrip().startswith("'"):
                continue
            grammar = Grammar(delimiter, quote)
            top = _below_what_is_told(lines, before, grammar)
            header, used = _record(lines[top : top + MOST_HEADER_LINES], grammar)
            first = Dialect(delimiter, quote, tuple(header), used, top, before)
            found.append((sum(map(is_known, header)), first))
            found += _further_down(lines, first, is_known)
    most = max(known for known, _ in found)
    best = [each for known, each in found if known == most]
    if len(best) == 1:
        return best[0]
    agree = [_agreement(lines[each.lines_before + each.header_lines :], each) for each in best]
    return max(zip(agree, best, strict=True), key=lambda each: (each[0], len(each[1].header) if any(agree) else 0))[1]


def _further_down(lines: list[str], first: Dialect, is_known: Callable[[str], bool]) -> list[tuple[int, Dialect]]:
    """Return the first line below the first that names more columns that we know, with how many; none is usual."""
    grammar, known = Grammar(first.delimiter, first.quote), sum(map(is_known, first.header))
    if known >= TELLING_HEADERS:
        return []
    top = first.lines_before
    for at, line in enumerate(lines[top + 1 : top + MOST_LINES_ABOVE], start=top + 1):
        if line.count(first.delimiter) + 1 >= TELLING_HEADERS:
            header, used = _record(lines[at : at + MOST_HEADER_LINES], grammar)
            more = sum(map(is_known, header))
            if more >= TELLING_HEADERS and more > known:
                return [(more, Dialect(first.delimiter, first.quote, tuple(header), used, at, first.lines_skipped))]
    return []


def _below_what_is_told(lines: list[str], top: int, grammar: Grammar) -> int:
    """Return the first line that says nothing of the delivery; without any other the first line of all."""
    for at, line in enumerate(lines[top : top + MOST_LINES_ABOVE], start=top):
        if line.strip("\r \ufeff") and not sender_header.is_said_in(grammar.cells(line.removesuffix("\r")).cells):
            return at
    return top


def _record(lines: list[str], grammar: Grammar) -> tuple[list[str], int]:
    text = ""
    for used, line in enumerate(lines, start=1):
        text = f"{text}\n{line}" if used > 1 else line
        read = grammar.cells(text.removesuffix("\r"))
        if not read.is_open:
            return read.cells, used
    # A mark that is never closed: the first line is taken as it stands.
    return lines[0].removesuffix("\r").split(grammar.delimiter), 1


def _agreement(lines: list[str], guess: Dialect) -> int:
    """Return how many of the first records have the width of the header; none, if that is one."""
    grammar, width, agree = Grammar(guess.delimiter, guess.quote), len(guess.header), 0
    if width == 1:
        return 0
    for line in lines[:SAMPLE_RECORDS]:
        read = grammar.cells(line.removesuffix("\r"))
        agree += not read.is_open and len(read.cells) == width
    return agree
