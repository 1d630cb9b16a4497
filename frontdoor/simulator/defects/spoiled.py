"""Changes of a whole file, each for the formats that it is declared for in files.py.

Each takes what the file holds, how the agency sends it, and chance, and gives the changed bytes, or None where the file
has nothing to change.
"""

from __future__ import annotations

from datetime import datetime
from random import Random

from frontdoor.contract import AgencyFeed
from frontdoor.simulator.defects import opened
from frontdoor.simulator.workbook import python_format

DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001 a spreadsheet knows no zones
RENAMED = "Column of another export"
TELLING = ("narrative", "status")
FREE = ("narrative", "team_code")
FORMULA = '=HYPERLINK("http://files.invalid/case","see case")'


def serial_dates(content: bytes, agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """Every date and time as the number by which a spreadsheet keeps it."""
    forms = [python_format(each) for each in (agreed.timestamp_formats[0], agreed.date_formats[0])]
    rows = opened.rows_of(content)
    made = [rows[0], *([_serial(cell, forms) for cell in row] for row in rows[1:])]
    return opened.of_rows(made) if made != rows else None


def _serial(cell: str, forms: list[str]) -> str:
    for form in forms:
        try:
            days = (datetime.strptime(cell, form) - DAY_0).total_seconds() / 86400  # noqa: DTZ007 a clock on the wall
        except ValueError:
            continue
        return f"{days:.6f}".rstrip("0").rstrip(".")
    return cell


def typed(content: bytes) -> str | None:
    """The text with a dash as word processors type it, so that its encoding shows; None where it has no sentences."""
    head, end, rest = content.decode().partition("\n")
    if head.startswith("{"):
        head, end, rest = "", "", content.decode()
    made = rest.replace(" and ", " \u2013 and ")
    return head + end + made if made != rest else None


def mojibake(content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """UTF-8 that was read as Windows-1252 and written again."""
    text = typed(content)
    return text.encode().decode("cp1252").encode() if text else None


def marked(content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """A byte order mark before UTF-8."""
    return b"\xef\xbb\xbf" + content


def utf_16(content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """UTF-16, little end first, with its mark."""
    return b"\xff\xfe" + (typed(content) or content.decode()).encode("utf-16-le")


def windows_1252(content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """Windows-1252, with a letter that shows it."""
    text = typed(content)
    return text.encode("cp1252") if text else None


def renamed(content: bytes, agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """One header under a name that nobody agreed."""
    rows = opened.rows_of(content)
    header = opened.header_of(agreed, rows[0], *TELLING)
    return opened.of_rows([[RENAMED if each == header else each for each in rows[0]], *rows[1:]]) if header else None


def renamed_keys(content: bytes, agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """One name within each object that nobody agreed."""
    objects = opened.objects_of(content)
    header = opened.header_of(agreed, list(objects[0]), *TELLING)
    made = [{RENAMED if name == header else name: value for name, value in each.items()} for each in objects]
    return opened.of_objects(made) if header else None


def renamed_in_sheet(content: bytes, agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """One header of the sheet under a name that nobody agreed."""
    sheet = opened.sheet_of(content)
    header = opened.header_of(agreed, list(opened.headers_of_sheet(sheet)), *TELLING)
    return opened.of_sheet(content, sheet.replace(f">{header}<", f">{RENAMED}<", 1)) if header else None


def reordered(content: bytes, _agreed: AgencyFeed, chance: Random) -> bytes | None:
    """The columns in another order."""
    rows = opened.rows_of(content)
    order = _shuffled(len(rows[0]), chance)
    return opened.of_rows([[row[place] for place in order] for row in rows])


def reordered_keys(content: bytes, _agreed: AgencyFeed, chance: Random) -> bytes | None:
    """The names within each object in another order."""
    made = []
    for each in opened.objects_of(content):
        items = list(each.items())
        made.append(dict(items[place] for place in _shuffled(len(items), chance)))
    return opened.of_objects(made)


def dropped(content: bytes, agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """A column that is asked for is not there."""
    rows = opened.rows_of(content)
    header = opened.header_of(agreed, rows[0], *TELLING)
    at = rows[0].index(header) if header else None
    return None if at is None else opened.of_rows([row[:at] + row[at + 1 :] for row in rows])


def dropped_keys(content: bytes, agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """A name that is asked for is in no object."""
    objects = opened.objects_of(content)
    header = opened.header_of(agreed, list(objects[0]), *TELLING)
    made = [{name: value for name, value in each.items() if name != header} for each in objects]
    return opened.of_objects(made) if header else None


def formula_text(content: bytes, agreed: AgencyFeed, chance: Random) -> bytes | None:
    """A cell whose text a spreadsheet would run."""
    rows = opened.rows_of(content)
    header = opened.header_of(agreed, rows[0], *FREE)
    if not header or len(rows) < 2:
        return None
    row = rows[1 + chance.randrange(len(rows) - 1)]
    row[rows[0].index(header)] = FORMULA
    return opened.of_rows(rows)


def formula_in_object(content: bytes, agreed: AgencyFeed, chance: Random) -> bytes | None:
    """A value whose text a spreadsheet would run."""
    objects = opened.objects_of(content)
    header = opened.header_of(agreed, list(objects[0]), *FREE)
    if not header:
        return None
    chance.choice(objects)[header] = FORMULA
    return opened.of_objects(objects)


def formula_in_sheet(content: bytes, agreed: AgencyFeed, chance: Random) -> bytes | None:
    """A cell of text whose text a spreadsheet would run once it is typed into one."""
    text = FORMULA.replace('"', "&quot;")
    return _in_a_cell(content, agreed, chance, '<c r="{place}" t="inlineStr"><is><t>' + text + "</t></is></c>")


def real_formula(content: bytes, agreed: AgencyFeed, chance: Random) -> bytes | None:
    """A formula, with the result that the spreadsheet stored."""
    return _in_a_cell(
        content, agreed, chance, '<c r="{place}" t="str"><f>CONCATENATE("{text}","")</f><v>{text}</v></c>'
    )


def header_only(content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """The headers, and no record."""
    return opened.of_rows(opened.rows_of(content)[:1])


def header_only_sheet(content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """A sheet with headers, and no record."""
    before, row, after = opened.sheet_of(content).partition('<row r="2"')
    return opened.of_sheet(content, before + after[after.index("</sheetData>") :]) if row else None


def empty(_content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """No byte."""
    return b""


def cut_between_cells(content: bytes, _agreed: AgencyFeed, chance: Random) -> bytes | None:
    """The file ends within a row, between two of its cells."""
    rows = opened.rows_of(content)
    if len(rows) < 4:
        return None
    last = 2 + chance.randrange(len(rows) - 3)
    whole = opened.of_rows(rows[:last])
    return whole + opened.of_rows([rows[last][: len(rows[0]) // 2]]).rstrip(b"\n")


def cut_in_a_quotation(content: bytes, _agreed: AgencyFeed, chance: Random) -> bytes | None:
    """The file ends within a text in quotation marks."""
    rows = opened.rows_of(content)
    if len(rows) < 4:
        return None
    last = 2 + chance.randrange(len(rows) - 3)
    line = opened.of_rows([rows[last]])
    at = line.find(b'"')
    return opened.of_rows(rows[:last]) + line[: at + 5] if at >= 0 else None


def cut_in_an_object(content: bytes, _agreed: AgencyFeed, chance: Random) -> bytes | None:
    """The file ends within an object."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 3:
        return None
    last = 1 + chance.randrange(len(lines) - 2)
    return b"".join(lines[:last]) + lines[last][: len(lines[last]) // 2]


def cut_archive(content: bytes, _agreed: AgencyFeed, _chance: Random) -> bytes | None:
    """An archive or workbook of which the last third did not come."""
    return content[: len(content) * 2 // 3]


def _shuffled(count: int, chance: Random) -> list[int]:
    places, order = list(range(count)), []
    while places:
        order.append(places.pop(chance.randrange(len(places))))
    return order


def _in_a_cell(content: bytes, agreed: AgencyFeed, chance: Random, made: str) -> bytes | None:
    sheet = opened.sheet_of(content)
    columns = opened.headers_of_sheet(sheet)
    header = opened.header_of(agreed, list(columns), *FREE)
    if not header:
        return None
    place = f"{columns[header]}{2 + chance.randrange(sheet.count('<row ') - 1)}"
    found = opened.cell_of(sheet, place)
    if found is None:
        return None
    cell = made.replace("{place}", place).replace("{text}", found.group(1))
    return opened.of_sheet(content, sheet[: found.start()] + cell + sheet[found.end() :])
