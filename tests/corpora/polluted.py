"""Delimited files with one fault each: what senders' systems, spreadsheets, transfers and people do to a good table.

`polluted(number)` gives the file of that number: its bytes, the records that were meant, and the rules that may name the
fault where it cannot be undone. The same number always gives the same file.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass

COLUMNS = (
    "notification_ref",
    "child_ref",
    "forename",
    "surname",
    "dob",
    "sent_at",
    "child_risk_grade",
    "narrative",
    "officer_unit",
    "address",
)
FORENAMES = ("Ann", "Zoë", "Béla", "Siân", "O'Dell", "Mary Jane", "Łucja", "D", "Nia-Rose")
SURNAMES = ("Oak", "Ash-Lee", "Müller", "de la Cruz", "St. John", "Fell", "Brontë")
WORDS = [
    "the",
    "child",
    "was",
    "seen",
    "at",
    "home",
    "with",
    "an",
    "older",
    "sister",
    "who",
    "said",
    "that",
    "nobody",
    "had",
    "eaten",
    "since",
    "the",
    "day",
    "before",
]
REFUSED, DEAD = "refused", "dead"


@dataclass(frozen=True)
class Polluted:
    """One file. `named_by`: what may say the fault, and says it whenever the records do not come out as they were meant.
    `harms`: how many of the records the fault may spoil (None: all); with 0 it must be undone."""

    kind: str
    content: bytes
    meant: list[dict[str, str]]
    named_by: frozenset[str]
    harms: int | None


@dataclass
class Table:
    """A good table on its way to being spoiled: rows as cells, and how they are written."""

    rows: list[list[str]]
    header: list[str]
    delimiter: str = ","
    quote: str = '"'
    newline: str = "\r\n"
    codec: str = "utf-8"
    quoting: int = csv.QUOTE_MINIMAL

    def lines(self) -> list[str]:
        """The header and the rows as text without line ends; a cell may hold line ends of its own."""
        return [self.line(cells) for cells in (self.header, *self.rows)]

    def line(self, cells: list[str]) -> str:
        """One row as text."""
        out = io.StringIO(newline="")
        csv.writer(
            out,
            delimiter=self.delimiter,
            quotechar=self.quote,
            quoting=self.quoting,  # type: ignore[arg-type]
            lineterminator="\n",
        ).writerow(cells)
        return out.getvalue().removesuffix("\n")

    def meant(self) -> list[dict[str, str]]:
        """What a perfect reader gives."""
        return [dict(zip(COLUMNS, row, strict=True)) for row in self.rows]

    def written(self, lines: list[str] | None = None) -> bytes:
        """The file."""
        return "".join(line + self.newline for line in lines or self.lines()).encode(self.codec)


Fault = Callable[[Table, random.Random], bytes]
FAULTS: dict[str, tuple[Fault, frozenset[str], int | None]] = {}


def fault(*named_by: str, harms: int | None = 0) -> Callable[[Fault], Fault]:
    """Register a fault, what names it, and how many records it may spoil."""

    def register(made: Fault) -> Fault:
        FAULTS[made.__name__] = made, frozenset(named_by), harms
        return made

    return register


def polluted(number: int) -> Polluted:
    """The file of that number."""
    kinds = sorted(FAULTS)
    kind = kinds[number % len(kinds)]
    make, named_by, harms = FAULTS[kind]
    chance = random.Random(f"{kind} {number}")
    table = good(chance)
    content = make(table, chance)
    return Polluted(kind, content, table.meant(), named_by, harms)


def good(chance: random.Random) -> Table:
    """A good table: 2 to 25 records, with texts of all lengths."""
    rows = []
    for number in range(chance.randint(2, 25)):
        narrative = " ".join(chance.choices(WORDS, k=chance.choice((6, 20, 60))))
        rows.append(
            [
                f"N{chance.randint(1000, 9999)}-{number}",
                f"C{chance.randint(1, 9)}",
                chance.choice(FORENAMES),
                chance.choice(SURNAMES),
                f"20{chance.randint(10, 25)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
                f"2026-03-{chance.randint(10, 28)} 1{chance.randint(0, 9)}:30",
                chance.choice(("red", "amber", "green", "")),
                chance.choice((narrative, f"{narrative}, {narrative}", f'He said "{narrative}" twice.')),
                chance.choice(("Response North", "Safeguarding")),
                f"{chance.randint(1, 99)} Elm Row, Wearside",
            ]
        )
    return Table(rows, list(COLUMNS))


def _place(table: Table, chance: random.Random) -> int:
    """A row of the lines that is not the header."""
    return chance.randrange(1, len(table.rows) + 1)


@fault()
def another_delimiter(table: Table, chance: random.Random) -> bytes:
    table.delimiter = chance.choice(";\t|^~")
    return table.written()


@fault("FIL-002", REFUSED, harms=None)
def a_delimiter_nobody_uses(table: Table, chance: random.Random) -> bytes:
    table.delimiter = chance.choice(":\x01§")
    return table.written()


@fault()
def another_quote(table: Table, chance: random.Random) -> bytes:
    table.quote, table.quoting = "'", csv.QUOTE_ALL
    return table.written()


@fault()
def everything_quoted(table: Table, chance: random.Random) -> bytes:
    table.quoting = csv.QUOTE_ALL
    return table.written()


@fault()
def quoted_row_by_row(table: Table, chance: random.Random) -> bytes:
    lines = [table.line(table.header)]
    for cells in table.rows:
        table.quoting = chance.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL))
        lines.append(table.line(cells))
    return table.written(lines)


@fault()
def other_line_ends(table: Table, chance: random.Random) -> bytes:
    table.newline = chance.choice(("\n", "\r"))
    return table.written()


@fault()
def mixed_line_ends(table: Table, chance: random.Random) -> bytes:
    return "".join(line + chance.choice(("\n", "\r\n")) for line in table.lines()).encode()


@fault()
def unicode_of_another_kind(table: Table, chance: random.Random) -> bytes:
    table.codec = chance.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"))
    return table.written()


@fault("FIL-008")
def no_unicode(table: Table, chance: random.Random) -> bytes:
    table.rows = [[cell.replace("Ł", "L") for cell in row] for row in table.rows]
    return table.written().decode().encode(chance.choice(("cp1252", "latin-1")))


@fault("FIL-008", harms=None)
def letters_of_another_machine(table: Table, chance: random.Random) -> bytes:
    table.rows = [[cell.replace("Ł", "L") for cell in row] for row in table.rows]
    table.rows[0][2] = "Zoë"
    return table.written().decode().encode(chance.choice(("cp850", "mac_roman")))


@fault("FIL-024")
def spoiled_on_the_way(table: Table, chance: random.Random) -> bytes:
    row = chance.choice(table.rows)
    row[2] = "Zoë".encode().decode("cp1252")
    return table.written()


@fault()
def a_title_above(table: Table, chance: random.Random) -> bytes:
    title = ["Notifications to the front door", "", "Extracted on 12/03/2026 by the safeguarding unit", "Page, 1"]
    return table.written(title[: chance.randint(1, 4)] + table.lines())


@fault()
def headers_sorted_into_the_records(table: Table, chance: random.Random) -> bytes:
    first, *rest = table.lines()
    at = chance.randint(1, len(rest))
    return table.written([*rest[:at], first, *rest[at:]])


@fault()
def headers_again(table: Table, chance: random.Random) -> bytes:
    lines = table.lines()
    lines.insert(_place(table, chance) + 1, chance.choice(("", "\ufeff")) + lines[0])
    return table.written(lines)


@fault()
def a_second_table_with_other_columns(table: Table, chance: random.Random) -> bytes:
    at, order = chance.randrange(1, len(table.rows)), chance.sample(range(len(COLUMNS)), len(COLUMNS))
    second = [table.line([cells[place] for place in order]) for cells in (table.header, *table.rows[at:])]
    return table.written([*table.lines()[: at + 1], *[""] * chance.randint(0, 1), *second])


@fault("FIL-002", harms=None)
def no_headers(table: Table, chance: random.Random) -> bytes:
    return table.written(table.lines()[1:])


@fault("FIL-004", "FIL-003", harms=None)
def a_header_renamed(table: Table, chance: random.Random) -> bytes:
    table.header[chance.randrange(len(COLUMNS))] = "Something new"
    return table.written()


@fault("FIL-005", harms=None)
def a_header_twice(table: Table, chance: random.Random) -> bytes:
    table.header[-1] = table.header[chance.randrange(len(COLUMNS) - 1)]
    return table.written()


@fault()
def headers_written_otherwise(table: Table, chance: random.Random) -> bytes:
    table.header = [chance.choice((name.upper(), f" {name} ", name.replace("_", " ").title())) for name in table.header]
    return table.written()


@fault()
def columns_in_another_order(table: Table, chance: random.Random) -> bytes:
    order = chance.sample(range(len(COLUMNS)), len(COLUMNS))
    return table.written([table.line([cells[place] for place in order]) for cells in (table.header, *table.rows)])


@fault()
def a_column_more(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(COLUMNS) + 1)
    cells = ([*table.header[:at], "Odd", *table.header[at:]], *([*row[:at], "x, y", *row[at:]] for row in table.rows))
    return table.written([table.line(row) for row in cells])


@fault()
def delimiters_at_the_end(table: Table, chance: random.Random) -> bytes:
    first, *rest = table.lines()
    more = "," * chance.randint(1, 4)
    return table.written([first + chance.choice(("", more)), *(line + more for line in rest)])


@fault("FIL-006", harms=1)
def a_short_row(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    lines = table.lines()
    lines[at + 1] = table.line(table.rows[at][: chance.randint(1, len(COLUMNS) - 1)])
    return table.written(lines)


@fault("FIL-006", harms=1)
def a_cell_left_out(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    lines, cells = table.lines(), list(table.rows[at])
    del cells[chance.randrange(len(cells))]
    lines[at + 1] = table.line(cells)
    return table.written(lines)


@fault("FIL-007", harms=1)
def a_delimiter_too_many(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    lines, cells = table.lines(), list(table.rows[at])
    cells.insert(chance.randrange(len(cells)), "more")
    lines[at + 1] = table.line(cells)
    return table.written(lines)


@fault("FIL-007", DEAD, harms=2)
def two_rows_in_one_line(table: Table, chance: random.Random) -> bytes:
    lines = table.lines()
    at = chance.randrange(1, len(lines) - 1)
    lines[at : at + 2] = [lines[at] + chance.choice(("", ",")) + lines[at + 1]]
    return table.written(lines)


@fault("FIL-006", DEAD, harms=1)
def a_row_over_two_lines(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    table.rows[at][7] = "seen at home\nwith an older sister"
    lines = table.lines()
    lines[at + 1] = lines[at + 1].replace('"seen at home\nwith an older sister"', "seen at home\nwith an older sister")
    return table.written(lines)


@fault("FIL-006", "FIL-007", harms=1)
def a_row_with_another_delimiter(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    lines, table.delimiter = table.lines(), ";"
    lines[at + 1] = table.line(table.rows[at])
    return table.written(lines)


@fault()
def blank_lines(table: Table, chance: random.Random) -> bytes:
    lines = table.lines()
    for _ in range(chance.randint(1, 5)):
        lines.insert(chance.randint(0, len(lines)), chance.choice(("", "  ")))
    return table.written(lines)


@fault()
def a_last_line_that_counts(table: Table, chance: random.Random) -> bytes:
    count = len(table.rows)
    last = chance.choice(
        (f"TRAILER,{count}", f"Total records: {count}", f"Total,{count},,,,,,,,", "END OF FILE", "EOF")
    )
    return table.written([*table.lines(), *[""] * chance.randint(0, 1), last])


@fault("FIL-022", harms=1)
def fewer_records_than_counted(table: Table, chance: random.Random) -> bytes:
    count, lines = len(table.rows), table.lines()
    del lines[_place(table, chance)]
    return table.written([*lines, chance.choice((f"TRAILER,{count}", f"Total records: {count}"))])


@fault()
def a_spreadsheets_hint(table: Table, chance: random.Random) -> bytes:
    table.delimiter = chance.choice(",;|")
    return table.written([f"sep={table.delimiter}", *table.lines()])


@fault()
def spaces_around_cells(table: Table, chance: random.Random) -> bytes:
    table.rows = [[cell if '"' in cell or "," in cell else f" {cell} " for cell in row] for row in table.rows]
    return table.written()


@fault("FIL-009", harms=1)
def a_nul(table: Table, chance: random.Random) -> bytes:
    row = chance.choice(table.rows)
    row[7] = f"seen{chr(0)}at home"
    return table.written()


@fault("FIL-009", "FIL-008", harms=None)
def bytes_that_are_no_text(table: Table, chance: random.Random) -> bytes:
    row = chance.choice(table.rows)
    row[7] = "seen # at home"
    return table.written().replace(b"#", bytes([chance.choice((0x81, 0xFE, 0xFF))]))


@fault(DEAD, "FIL-025", harms=1)
def a_quote_never_closed(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    lines, cells = table.lines(), list(table.rows[at])
    cells[7] = "#"
    lines[at + 1] = table.line(cells).replace("#", '"seen at home')
    return table.written(lines)


@fault()
def a_quote_inside_a_bare_cell(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    table.rows[at][3] = "5 foot 6"
    lines = table.lines()
    table.rows[at][3] = 'Al "Bud" Fell'
    lines[at + 1] = lines[at + 1].replace("5 foot 6", 'Al "Bud" Fell')
    return table.written(lines)


@fault("FIL-025", harms=0)
def quotes_not_doubled(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    said = chance.choice(('He said "no" twice', 'the "older" one'))
    table.rows[at][7] = "#, seen"
    lines = table.lines()
    lines[at + 1] = lines[at + 1].replace("#", said)
    table.rows[at][7] = f"{said}, seen"
    return table.written(lines)


@fault("FIL-025", harms=0)
def quotes_escaped_by_a_backslash(table: Table, chance: random.Random) -> bytes:
    at = chance.randrange(len(table.rows))
    table.rows[at][7] = "#, seen"
    lines = table.lines()
    lines[at + 1] = lines[at + 1].replace("#", r"He said \"no\" twice")
    table.rows[at][7] = 'He said "no" twice, seen'
    return table.written(lines)


@fault()
def line_ends_in_cells(table: Table, chance: random.Random) -> bytes:
    chance.choice(table.rows)[7] = "Seen at home.\r\n\r\nWith an older sister.\nNobody had eaten."
    table.newline = "\r\n"
    return table.written()


@fault("FIL-023", "FIL-006", "FIL-003", "FIL-002", "FIL-001", DEAD, REFUSED, harms=None)
def cut_off(table: Table, chance: random.Random) -> bytes:
    content = table.written()
    at = chance.randrange(1, len(content))
    # Between two records nothing tells of a cut but a count; that is the fault of another name here.
    return content[: at - 2 if content[:at].endswith(b"\r\n") else at]


@fault()
def a_long_cell(table: Table, chance: random.Random) -> bytes:
    chance.choice(table.rows)[7] = "seen at home, " * 20_000 + "no more"
    return table.written()


@fault()
def an_old_end_of_file(table: Table, chance: random.Random) -> bytes:
    return table.written() + b"\x1a"


@fault("FIL-001", harms=None)
def no_record(table: Table, chance: random.Random) -> bytes:
    return table.written(table.lines()[:1])


@fault(REFUSED, harms=None)
def nothing_but_space(table: Table, chance: random.Random) -> bytes:
    return chance.choice((b"", b"\r\n \r\n", b"\xef\xbb\xbf", b"\0\0\0"))


@fault(REFUSED, harms=None)
def something_else_under_this_name(table: Table, chance: random.Random) -> bytes:
    return chance.choice((b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"\x7fELF\x02\x01")) + chance.randbytes(500)
