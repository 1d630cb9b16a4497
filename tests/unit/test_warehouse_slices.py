"""What a build drains, decided without a database. A failure is mended in frontdoor/warehouse/slices.py."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdoor.warehouse import slices
from frontdoor.warehouse.slices import Claim, Slice

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class OneAnswer:
    """A connection whose only query answers with these rows."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        """Keep the rows."""
        self.rows = rows

    def __enter__(self) -> "OneAnswer":
        """A cursor that is the connection."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def cursor(self) -> "OneAnswer":
        """The cursor."""
        return self

    def execute(self, query: str, values: tuple[list[int]]) -> None:
        """Leave out what was tried, as the query does."""
        self.rows = [row for row in self.rows if row[0] not in values[0]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows."""
        return self.rows


def waiting(
    delivery_id: int, records: int, *, built: int = 0, failures: int = 0, deaths: int = 0, last: int = 0
) -> Any:
    return (delivery_id, "police", AT, built, records - built, failures, deaths, last)


def claim(*rows: tuple[Any, ...], tried: tuple[int, ...] = (), turn_of_large: bool = False) -> Claim:
    return slices.claim(OneAnswer(list(rows)), tried=tried, turn_of_large=turn_of_large)  # type: ignore[arg-type]


def ids(made: Claim) -> list[int]:
    return [each.delivery_id for each in made.slices]


def test_nothing_waiting_is_an_empty_claim() -> None:
    assert claim() == Claim()
    assert claim(waiting(1, 5), tried=(1,)) == Claim()


def test_small_deliveries_come_whole_and_smallest_first() -> None:
    made = claim(waiting(1, 500), waiting(2, 3), waiting(3, 0))
    assert ids(made) == [3, 2, 1]
    assert all((each.record_from, each.record_to) == (1, slices.NO_END) for each in made.slices)


def test_small_and_large_take_turns() -> None:
    rows = (waiting(1, 1_000_000), waiting(2, 100))
    assert ids(claim(*rows)) == [2]
    by_turn = claim(*rows, turn_of_large=True)
    assert ids(by_turn) == [2, 1]
    assert by_turn.has_large


def test_large_delivery_is_sliced_to_its_open_end() -> None:
    size = slices.SLICE_RECORDS
    first = claim(waiting(1, 2 * size + 5)).slices[0]
    assert (first.record_from, first.record_to, first.records) == (1, size, size)
    last = claim(waiting(1, 2 * size + 5, built=2 * size)).slices[0]
    assert (last.record_from, last.record_to, last.records) == (2 * size + 1, slices.NO_END, 5)


def test_failed_deliveries_come_after_fresh_ones_and_the_longest_untried_first() -> None:
    failed = (waiting(1, 5, failures=1, last=9), waiting(2, 5, failures=3, last=7))
    assert ids(claim(*failed, waiting(3, 900))) == [3]
    again = claim(*failed)
    assert (ids(again), again.is_retry) == ([2, 1], True)


def test_delivery_that_was_in_two_dead_builds_comes_alone() -> None:
    rows = (waiting(1, 5, failures=2, deaths=2, last=3), waiting(2, 5, failures=2, deaths=1, last=4))
    assert ids(claim(*rows)) == [1]


@given(
    st.lists(st.integers(0, 400_000), min_size=1, max_size=400),
    st.booleans(),
)
def test_any_claim_is_bounded_and_never_empty(sizes: list[int], turn_of_large: bool) -> None:
    made = claim(*(waiting(number, size) for number, size in enumerate(sizes)), turn_of_large=turn_of_large)
    assert made.slices
    assert len(made.slices) <= slices.MOST_DELIVERIES
    assert sum(each.records for each in made.slices) <= slices.MOST_RECORDS + slices.LARGE_RECORDS


@pytest.mark.parametrize("records", [0, 1, 9_999, 10_000, 24_999, 25_000, 25_001, 1_000_000])
def test_slices_of_a_delivery_cover_every_record_number_once(records: int) -> None:
    built, covered = 0, []
    while True:
        one: Slice = claim(waiting(1, records, built=built), turn_of_large=True).slices[0]
        covered.append((one.record_from, one.record_to))
        if one.record_to == slices.NO_END:
            break
        built = one.record_to
    assert covered[0][0] == 1
    assert all(after[0] == before[1] + 1 for before, after in pairwise(covered))
