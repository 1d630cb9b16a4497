"""How a sender finds a record of ours again in its own file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from frontdoor.contract.model import House


class Rows(NamedTuple):
    """What the sender counts, and by how much its number is ahead of ours (`_record_no`, 1..n)."""

    label: str
    ahead: int


def rows_of(house: House, source: str, reading: Mapping[str, Any]) -> Rows:
    """How rows are counted in a file of this source that was read so (`intake.members.reading`).

    A spreadsheet counts the line of headers, and any title above it; a line of JSON is its own number; a published
    return has no rows, only records.
    """
    read_as = reading.get("format", "")
    if read_as == "jsonl":
        return Rows("Lines of your file", 0)
    layout = house.layouts.get(source)
    if (layout and not layout.lists) or read_as == "json":
        return Rows("Records of your file, counted from the top", 0)
    return Rows("Rows of your file", int(reading.get("rows_ahead", 1)))
