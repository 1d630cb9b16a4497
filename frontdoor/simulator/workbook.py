"""Records as a workbook: delimited lines put into cells, dates as dates. The same lines give the same bytes."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import IO, Any

from frontdoor.contract import AgencyFeed, Feed, normalised

# Stands in the workbook as the time at which it was made.
MADE_AT = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def write_workbook(file: IO[bytes], feed: Feed, agreed: AgencyFeed, blocks: Iterable[bytes]) -> None:
    """Write one sheet: the header, then the records. blocks: UTF-8 CSV in whole lines, dates in the first formats."""
    import xlsxwriter

    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"constant_memory": True, "strings_to_formulas": False}) as book:
        book.set_properties({"created": MADE_AT})
        shown = {
            "date": (python_format(agreed.date_formats[0]), book.add_format({"num_format": "dd/mm/yyyy"})),
            "timestamp": (
                python_format(agreed.timestamp_formats[0]),
                book.add_format({"num_format": "dd/mm/yyyy hh:mm"}),
            ),
        }
        properties = {normalised(header): name for header, name in agreed.headers.items()}
        kinds = {prop.name: prop.kind for prop in feed.properties if not prop.is_list}
        sheet, forms = book.add_worksheet("Contacts"), []
        for row, cells in enumerate(_rows(blocks)):
            if not row:
                forms = [shown.get(kinds.get(properties.get(normalised(cell), cell), "")) for cell in cells]
            for column, cell in enumerate(cells):
                form = forms[column] if row and column < len(forms) else None
                at = _moment(cell, form[0]) if form else None
                if form and at:
                    sheet.write_datetime(row, column, at, form[1])
                elif cell:
                    sheet.write_string(row, column, cell)
    file.write(made.getvalue())


def write_sheets(file: IO[bytes], sheets: Iterable[tuple[str, Iterable[Sequence[Any]]]]) -> None:
    """Write sheets of these names: rows of texts, numbers and dates, the header first."""
    import xlsxwriter

    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"constant_memory": True, "strings_to_formulas": False}) as book:
        book.set_properties({"created": MADE_AT})
        form = book.add_format({"num_format": "dd/mm/yyyy"})
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for at, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, date):
                        sheet.write_datetime(at, column, datetime.combine(cell, datetime.min.time()), form)
                    elif isinstance(cell, int):
                        sheet.write_number(at, column, cell)
                    elif cell:
                        sheet.write_string(at, column, cell)
    file.write(made.getvalue())


def python_format(words: str) -> str:
    """`strftime`'s form of a format in the words of `to_date`."""
    for word, mark in (("YYYY", "%Y"), ("HH24", "%H"), ("MM", "%m"), ("MI", "%M"), ("DD", "%d"), ("SS", "%S")):
        words = words.replace(word, mark)
    return words


def _rows(blocks: Iterable[bytes]) -> Iterator[list[str]]:
    return csv.reader(line for block in blocks for line in io.StringIO(block.decode(), newline=""))


def _moment(cell: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(cell, form)  # noqa: DTZ007 a clock on the wall
    except ValueError:
        return None
