"""A receipt as a web page: one file that needs no network, no script and no other file; it prints on A4."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2

ROWS_SHOWN = 1_000
RANGES_SHOWN = 40


def page(document: Mapping[str, Any]) -> str:
    """The page of a receipt (`receipts.documents`). Every text of it is escaped."""
    at_rows: defaultdict[str, list[int]] = defaultdict(list)
    rules = {rule["rule_id"]: rule for rule in document["rules"]}
    for finding in document["findings"]:
        if finding["row"] is not None and finding["state"] in ("new", "persisting"):
            at_rows[finding["rule_id"]].append(finding["row"])
    by_row = groupby(document["findings"][:ROWS_SHOWN], key=lambda finding: finding["row"])
    return _template().render(
        document,
        local=lambda instant: _local(instant, document["receipt"]["timezone"]),
        rule_of=rules,
        # What is asked of the records, then of the file.
        in_order=sorted(rules.values(), key=lambda rule: (rule["scope"] == "file", rule["rule_id"])),
        at_rows={rule_id: ranges(rows) for rule_id, rows in at_rows.items()},
        by_row=[(row, list(found)) for row, found in by_row],
        rows_left_out=max(len(document["findings"]) - ROWS_SHOWN, 0) + document["findings_not_listed"],
        expected={each["property"]: each for each in document["columns"]},
    )


def ranges(numbers: Iterable[int]) -> str:
    """Return "2-14, 17, 20-21" and, where there are too many to read, how many more."""
    parts: list[str] = []
    left_out = 0
    for _, run in groupby(enumerate(sorted(set(numbers))), key=lambda pair: pair[1] - pair[0]):
        rows = [row for _, row in run]
        if len(parts) == RANGES_SHOWN:
            left_out += len(rows)
        else:
            parts.append(str(rows[0]) if len(rows) == 1 else f"{rows[0]}-{rows[-1]}")
    return ", ".join(parts) + (f" and {left_out:,} more" if left_out else "")


def _local(instant: datetime | None, zone: str) -> str:
    if instant is None:
        return "never"
    there = instant.astimezone(ZoneInfo(zone))
    return f"{there:%A} {there.day} {there:%B %Y, %H:%M}"


@cache
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html")
