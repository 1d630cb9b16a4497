"""On which days a delivery is due, and which of them a file settles. Mend: frontdoor/quality/expected.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdoor import reference
from frontdoor.contract import Expected
from frontdoor.quality.expected import OPEN, Arrival, Day, days_due, settled_by

LONDON = ZoneInfo("Europe/London")


def due(expected: Expected | None, after: str, until: str) -> list[Day]:
    instants = (datetime.fromisoformat(each).replace(tzinfo=LONDON) for each in (after, until))
    return list(days_due(lambda _: expected, LONDON, reference.is_working_day, *instants))


def named(days: list[Day]) -> list[str]:
    return [f"{day.expected_on:%a %d}" for day in days]


def test_working_days_leave_out_weekends_and_bank_holidays() -> None:
    # 25 March 2027 is the Thursday before Easter.
    days = due(Expected("working_days", time(9)), "2027-03-24 12:00", "2027-03-31 12:00")
    assert named(days) == ["Thu 25", "Tue 30", "Wed 31"]


def test_day_of_the_week_is_due_also_on_a_bank_holiday() -> None:
    assert named(due(Expected("mondays", time(9)), "2027-03-22 09:00", "2027-04-05 08:59")) == ["Mon 29"]


def test_only_what_is_due_after_the_first_instant_and_up_to_the_second_is_asked_for() -> None:
    every_day = Expected("every_day", time(9))
    assert named(due(every_day, "2027-03-01 08:59", "2027-03-02 09:00")) == ["Mon 01", "Tue 02"]
    assert named(due(every_day, "2027-03-01 09:00", "2027-03-02 08:59")) == []
    assert due(None, "2027-03-01 00:00", "2027-04-01 00:00") == []


@pytest.mark.parametrize(
    ("by", "day", "utc"),
    [
        (time(9), date(2027, 3, 27), "2027-03-27 09:00"),
        (time(9), date(2027, 3, 28), "2027-03-28 08:00"),
        (time(1, 30), date(2027, 3, 28), "2027-03-28 01:30"),
        (time(9), date(2027, 10, 30), "2027-10-30 08:00"),
        (time(9), date(2027, 10, 31), "2027-10-31 09:00"),
        (time(1, 30), date(2027, 10, 31), "2027-10-31 00:30"),
    ],
)
def test_hour_is_the_clock_on_the_wall_also_on_the_day_the_clocks_change(by: time, day: date, utc: str) -> None:
    assert Expected("every_day", by).due_at(day, LONDON) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2027-{text}").replace(tzinfo=LONDON)


def days(*states: str) -> list[Day]:
    """Working days from Monday 1 March 2027 on."""
    dates = [date(2027, 3, 1) + timedelta(days=number) for number in (0, 1, 2, 3, 4, 7)]
    return [Day(day, datetime.combine(day, time(9), LONDON), state) for day, state in zip(dates, states, strict=False)]


@pytest.mark.parametrize(
    ("received", "what", "before", "settled"),
    [
        ("03-02 08:59", "increment", ("missing", "expected"), {2: "received"}),
        ("03-02 09:01", "increment", ("received", "expected"), {2: "late"}),
        ("03-02 12:00", "increment", ("missing", "received"), {1: "late"}),
        ("03-02 12:00", "increment", ("received", "received"), {}),
        ("03-03 08:00", "snapshot", ("missing", "unusable", "expected"), {1: "late", 2: "late", 3: "received"}),
        ("03-03 08:00", "nil", ("missing", "received", "expected"), {1: "signed_nil", 3: "signed_nil"}),
        ("03-02 08:00", "nothing", ("missing", "expected"), {2: "unusable"}),
        ("03-02 12:00", "nothing", ("missing", "received"), {}),
        ("03-02 08:30", "increment", ("received", "unusable"), {2: "received"}),
        # On Sunday evening for Monday; on Saturday morning for nobody.
        ("03-07 22:00", "increment", ("received",) * 5 + ("expected",), {8: "received"}),
        ("03-06 08:00", "increment", ("received",) * 5 + ("expected",), {}),
        ("03-06 08:00", "increment", ("received", "missing", *("received",) * 3, "expected"), {2: "late"}),
        # A day that is still to come is nobody's before.
        ("03-02 22:00", "increment", ("received", "received", "expected"), {}),
        ("03-02 22:00", "snapshot", ("received", "missing", "expected"), {2: "late"}),
    ],
)
def test_file_settles_its_day_and_as_many_before_as_it_speaks_of(
    received: str, what: str, before: tuple[str, ...], settled: dict[int, str]
) -> None:
    arrival = Arrival(1, at(received), what == "snapshot", what in ("snapshot", "increment"), what == "nil")
    assert {day.day: state for day, state in settled_by(arrival, days(*before), LONDON).items()} == settled


STATES = ("expected", "received", "late", "missing", "signed_nil", "unusable")


@given(
    st.lists(st.sampled_from(STATES), min_size=1, max_size=6),
    st.integers(0, 9 * 24 * 60),
    st.sampled_from(["snapshot", "increment", "nil", "nothing"]),
)
def test_no_file_makes_a_day_look_better_than_it_was(states: list[str], minutes: int, what: str) -> None:
    received_at = at("02-28") + timedelta(minutes=minutes)
    arrival = Arrival(1, received_at, what == "snapshot", what in ("snapshot", "increment"), what == "nil")
    known = {day.expected_on: day for day in days(*states)}
    changed = settled_by(arrival, list(known.values()), LONDON)
    for on, state in changed.items():
        assert known[on].state in OPEN, "what is settled stays"
        assert state != "received" or received_at <= known[on].due_at
        assert state != "unusable" or what == "nothing"
    if what in ("increment", "nothing"):
        assert len(changed) <= 1
    if what == "nothing":
        assert set(changed.values()) <= {"unusable"}
