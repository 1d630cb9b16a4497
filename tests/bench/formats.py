"""The same police records as CSV, JSON lines, XML and XLSX: how quickly each is taken and loaded, beside CSV.

Quick by default: 100,000 records (BENCH_RECORDS). Each format is loaded between two loads of the CSV, whose mean counts,
so that a change of load on the machine favours neither. Another format is a line in ``FORMATS`` and a function that
writes the table.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from frontdoor import database, intake, settings, warehouse
from frontdoor.contract import AgencyFeed, House, Layout, load_house
from frontdoor.platform import postgres
from frontdoor.settings import Settings
from tests.bench import Figure
from tests.bench.load import write_rows

RECORDS = int(os.environ.get("BENCH_RECORDS", "100000"))
AGENCY, FEED = "wearside_police", "police"

Table = Iterator[list[str]]


def write_jsonl(path: Path, names: list[str], table: Table) -> None:
    """Write one object a line, every value a text."""
    with path.open("w", encoding="utf-8") as file:
        for cells in table:
            file.write(json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False) + "\n")


def write_xml(path: Path, names: list[str], table: Table) -> None:
    """Write one element a cell."""
    with path.open("w", encoding="utf-8") as file:
        file.write("<Notices>\n")
        for cells in table:
            inside = "".join(
                f"<{name}>{escape(cell)}</{name}>" for name, cell in zip(names, cells, strict=True) if cell
            )
            file.write(f"<Notice>{inside}</Notice>\n")
        file.write("</Notices>\n")


def write_xlsx(path: Path, names: list[str], table: Table) -> None:
    """Write one sheet, every value a text, with strings that cells share as spreadsheets have them."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate((names, *table)):
            for column, cell in enumerate(cells):
                if cell:
                    sheet.write_string(row, column, cell)


# format -> (the folder it lands in, how it is written, what share of CSV's rate it must have)
FORMATS: dict[str, tuple[str, Callable[[Path, list[str], Table], None], float]] = {
    "JSON lines": (FEED, write_jsonl, 0.4),
    "XML": ("notices", write_xml, 0.2),
    "XLSX": (FEED, write_xlsx, 0.05),
}


def run(scratch: Path) -> list[Figure]:
    """Measure and return the figures."""
    here = settings.load({"FRONTDOOR_HOME": str(scratch / "home")})
    house = _house()
    names = [each.name for each in house.feeds[FEED].properties]
    postgres.start(here, preferred_port=0)
    try:
        connection = database.connect(here)
        warehouse.migrate(connection)
        warehouse.ensure_raw_tables(connection, house)
        plain = scratch / "plain.csv"
        write_rows(plain, house, RECORDS)
        _load(connection, here, house, plain, FEED)  # warms the server and its partition
        figures = []
        before = _load(connection, here, house, plain, FEED)
        for name, (source, write, bar) in FORMATS.items():
            path = scratch / "other"
            write(path, names, _table(plain))
            seconds = _load(connection, here, house, path, source)
            after = _load(connection, here, house, plain, FEED)
            beside = (before + after) / 2
            before = after
            figures.append(
                Figure(
                    f"load of {RECORDS:,} police records as {name} ({path.stat().st_size / 1e6:,.0f} MB) against CSV",
                    f"{beside / seconds:.2f} of its rate ({RECORDS / seconds:,.0f} a second, CSV {RECORDS / beside:,.0f})",
                    f">= {bar}",
                    beside / seconds >= bar,
                )
            )
        connection.close()
    finally:
        postgres.stop(here)
    return figures


def _house() -> House:
    """The real house, and a layout by which the same records can come as XML."""
    house = load_house()
    fields = {each.name: each.name for each in house.feeds[FEED].properties}
    mapping = {FEED: {"record": "Notices/Notice", "fields": fields}}
    layout = Layout("notices", "Notices", (FEED,), "xml", mapping, "Europe/London")
    agreed = AgencyFeed(
        AGENCY,
        FEED,
        "notices",
        "1",
        date(2016, 4, 1),
        None,
        "xml",
        {},
        {},
        ";",
        ("YYYY-MM-DD",),
        ("YYYY-MM-DD HH24:MI",),
    )
    return replace(house, layouts={**house.layouts, "notices": layout}, agency_feeds=(*house.agency_feeds, agreed))


def _table(plain: Path) -> Table:
    with plain.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def _load(connection: Any, here: Settings, house: House, path: Path, source: str) -> float:
    """Land a copy of the file, take and load it into an empty table; return seconds."""
    with connection, connection.cursor() as cursor:
        cursor.execute("truncate intake.files, intake.members, intake.deliveries, raw.police cascade")
    folder = here.landing / AGENCY / source
    folder.mkdir(parents=True, exist_ok=True)
    # A name of its own keeps the copy out of sight until it is whole.
    (folder / ".unfinished").write_bytes(path.read_bytes())
    os.rename(folder / ".unfinished", folder / "file")
    status = (folder / "file").stat()
    began = time.monotonic()
    intake.take(connection, here, house, source=source, moved={(status.st_ino, status.st_ctime_ns)})
    with connection.cursor() as cursor:
        cursor.execute("select delivery_id from intake.deliveries where status = 'received'")
        ((delivery_id,),) = cursor.fetchall()
        intake.load(connection, here, house, delivery_id)
    connection.commit()
    seconds = time.monotonic() - began
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(*), count(notification_ref) from raw.police")
        assert cursor.fetchone() == (RECORDS, RECORDS), "not every record was loaded"
        cursor.execute("select count(*) from quality.dead_letters")
        assert cursor.fetchone() == (0,), "a record was not read"
    return seconds
