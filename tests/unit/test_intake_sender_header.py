"""What a sender says of its delivery, and what of it is kept. Mend: frontdoor/intake/readers/sender_header.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdoor.intake.readers.sender_header import NAMES, Told, of_sidecar, said_in


@pytest.mark.parametrize(
    ("cells", "name", "read"),
    [
        (["row_count: 142"], "row_count", 142),
        (["row_count", "142", ""], "row_count", 142),
        (["# Row count = 142"], "row_count", 142),
        (['row_count: "142"'], "row_count", 142),
        (["row_count: 1", "042"], "row_count", 1042),
        (["ROW-COUNT;0"], "row_count", 0),
        (["row_count: 142.0"], "row_count", 142),
        (["row_count: 14.2"], "row_count", None),
        (["row_count: -3"], "row_count", None),
        (["row_count: Ash, Tavin"], "row_count", None),
        (["row_count:"], "row_count", None),
        (["extract_as_of: 2026-03-02T06:00:00Z"], "extract_as_of", datetime(2026, 3, 2, 6, tzinfo=UTC)),
        (["extract_as_of", "02/03/2026 06:00"], "extract_as_of", datetime(2026, 3, 2, 6)),  # noqa: DTZ001
        (["extract as of: 2026-03-02"], "extract_as_of", datetime(2026, 3, 2)),  # noqa: DTZ001
        (["extract_as_of: 0001-01-01"], "extract_as_of", None),
        (["extract_as_of: the 2nd of March"], "extract_as_of", None),
        (["contract_version: v1.2"], "contract_version", "1.2"),
        (["contract_version: Tavin Ash"], "contract_version", None),
    ],
)  # fmt: skip
def test_line_tells_of_the_delivery(cells: list[str], name: str, read: Any) -> None:
    told = Told()
    assert told.note_line(cells)
    assert getattr(told, name) == read
    assert told.is_unclear == (read is None)


@pytest.mark.parametrize(
    "cells",
    [["row_count_total: 3"], ["row_count", "3", "more", "and more"], ["A1", "row_count: 3"], ["narrow count: 3"], [""], []],
)  # fmt: skip
def test_other_line_tells_nothing_and_may_be_a_record(cells: list[str]) -> None:
    told = Told()
    assert not told.note_line(cells) and told == Told()


def test_count_includes_what_could_not_be_read_and_two_counts_are_unclear() -> None:
    told = Told(row_count=5)
    assert not [*told.faults(5, "1.0.0")] and [*told.faults(4, "1.0.0")] == ["FIL-043"]
    told.note_more(Told(row_count=5, contract_version="1.0"))
    assert not [*told.faults(5, "1.0.0")] and [*told.faults(5, "1.1.0")] == ["FIL-045"]
    assert [*told.faults(5, "1.00.0")] == ["FIL-045"]
    told.note_more(Told(row_count=6))
    assert told.row_count == 5 and [*told.faults(5, "1.0.0")] == ["FIL-044"]


def test_time_without_offset_is_the_feed_s_own() -> None:
    told = Told()
    told.note("extract_as_of", "2026-07-02 06:00")
    found = told.as_of_in(ZoneInfo("Europe/London"))
    assert found is not None and found.astimezone(UTC) == datetime(2026, 7, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"row_count: 3\n", 3),
        (b"---\n# made by the export\nrow_count: 3\nextract_as_of: 2026-03-02\n...\n", 3),
        (b"\xef\xbb\xbfrow_count,3\r\ncontract_version,1.0.0\r\n", 3),
        (b"row_count: 3\nA1,Ash,Tavin\n", None),
        (b"notification_ref,surname\nA1,Ash\n", None),
        (b"# nothing\n", None),
        (b"", None),
        (b"row_count: 3\n" + b"#" * 2**14, None),
    ],
)
def test_entry_that_says_anything_else_is_a_file_like_all_others(content: bytes, count: int | None) -> None:
    told = of_sidecar(content)
    assert (told.row_count if told else None) == count


@given(st.sampled_from(NAMES), st.lists(st.text(), max_size=3), st.binary())
def test_nothing_raises_and_only_forms_are_kept(name: str, cells: list[str], content: bytes) -> None:
    told = Told()
    told.note_line([name, *cells])
    assert told.row_count is None or told.row_count >= 0
    assert told.contract_version is None or told.contract_version.replace(".", "").isdigit()
    of_sidecar(content)
    said_in(cells)
