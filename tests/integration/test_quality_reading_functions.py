"""The functions of the schema `reading` raise on no text and mean the same as Python's calendar and clocks.

If one of these fails, open frontdoor/warehouse/migrations/0007_reading_functions.sql.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from frontdoor.quality.reading import labels
from frontdoor.quality.reading.formats import iso_order

pytestmark = pytest.mark.on_both_servers

# Clocks on the wall: without a zone on purpose.
# ruff: noqa: DTZ001
LOCAL_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1))
LONDON = ZoneInfo("Europe/London")
AT_EASE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
# Postgres holds no NUL and no half of a surrogate pair; whatever else a file may hold.
TEXT = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=60)
NEARLY = st.text("0123456789-/.:TZ +eE,JanFebinfity٣\u00a0", max_size=30)
HOSTILE = st.one_of(
    TEXT,
    NEARLY,
    st.sampled_from(
        [
            *(
                "",
                " ",
                "\u00a0",
                "infinity",
                "-infinity",
                "today",
                "now",
                "epoch",
                "0000-00-00",
                "0000-01-01",
                "99999-01-01",
            ),
            *("2021-02-29", "1900-02-29", "2000-02-29", "2026-13-01", "2026-01-32", "31/02/2026", "9" * 40, "-" * 19),
            *(
                "1" * 10 + ".0",
                "+2147483648",
                "-2147483648",
                "1e400",
                "0x1F",
                "NaN",
                "2026-11-03T25:00:00",
                "'; drop table x",
            ),
            *(
                "9999-12-31T23:59:59-15:59",
                "0001-01-01T00:00:00+15:59",
                "2026-01-01T00:00:00+99:99",
                "%s%d{0}",
                "\\x00",
                "$1",
            ),
        ]
    ),
)


@pytest.fixture(scope="module")
def cursor(database: Any) -> Any:
    connection = database.connect()
    connection.autocommit = True
    yield connection.cursor()
    connection.close()


def ask(cursor: Any, sql: str, *sent: Any) -> Any:
    # Through a table, as the reading does: constants would be folded while planning.
    columns = ", ".join(f"%s::text as sent{n or ''}" for n in range(len(sent)))
    cursor.execute(f"select {sql} from (select {columns} offset 0) as given", sent)
    return cursor.fetchone()[0]


@AT_EASE
@given(HOSTILE)
def test_any_text_read_as_anything_raises_nothing(cursor: Any, text: str) -> None:
    formats = ("DD/MM/YYYY", "DD Mon YYYY", "DD/MM/YY", "YYYYMMDD", "MM/DD/YYYY HH24:MI:SS", "DD-Mon-YY HH24:MI")
    day = iso_order("sent", formats, 2026, with_time=False)
    stamp = iso_order("sent", formats, 2026, with_time=True)
    cursor.execute(
        f"""
        select reading.trimmed(sent), reading.label(sent), reading.code(sent, '{{"a": "b"}}'),
            reading.whole_number(sent), reading.day(day), reading.instant(stamp, wall, 'Europe/London'),
            reading.is_clock_change(sent, 'Europe/London'),
            reading.instant_slowly(sent, 'Europe/London'), reading.date_slowly(sent),
            reading.completed(sent), reading.serial(sent, 2026, true), reading.serial(sent, 2026, false)
        from (
            select sent, {day} as day, {stamp} as stamp, reading.wall_clock({stamp}) as wall
            from (select %s::text as sent offset 0) as given offset 0
        ) as given
        """.replace("%", "%%").replace("%%s::text", "%s::text"),
        (text,),
    )
    assert cursor.fetchone() is not None


@AT_EASE
@given(HOSTILE)
def test_a_label_in_python_and_in_the_database_is_the_same(cursor: Any, text: str) -> None:
    assert ask(cursor, "reading.label(sent)", text) == labels.label(text)


@AT_EASE
@given(st.integers(0, 99_999), st.integers(0, 86_399), st.booleans())
@example(45321, 0, False)
def test_a_number_of_a_spreadsheet_is_the_day_and_second_that_it_shows(
    cursor: Any, days: int, seconds: int, with_time: bool
) -> None:
    moment = datetime(1899, 12, 30) + timedelta(days, seconds)
    sent = f"{days:05d}" + (repr(seconds / 86_400)[1:] if seconds > 9 else "")
    moment = moment if seconds > 9 else datetime(1899, 12, 30) + timedelta(days)
    form = "%Y-%m-%dT%H:%M:%S" if with_time or seconds > 9 else "%Y-%m-%d"
    expected = moment.strftime(form) if datetime(1940, 1, 1) <= moment < datetime(2032, 1, 1) else None
    assert ask(cursor, f"reading.serial(sent, 2026, {with_time})", sent) == expected


@pytest.mark.parametrize(
    ("sent", "years"),
    [("6.138", 6), ("0.19", 0), ("12", 12), ("6,9", 6), ("-0.5", None), ("6.1.2", None), ("1e3", None)],
)
def test_an_age_with_a_fraction_is_the_years_completed(cursor: Any, sent: str, years: int | None) -> None:
    assert ask(cursor, "reading.completed(sent)", sent) == years


@AT_EASE
@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%dT00:00:00"]))
@example(date(2024, 2, 29), "%Y-%m-%d")
@example(date(1900, 1, 1), "%Y-%m-%d")
def test_a_day_that_exists_is_read(cursor: Any, day: date, written: str) -> None:
    text = day.strftime(written)
    text = text.replace(text.split("-")[0].split("/")[0], f"{day.year:04d}", 1)
    assert ask(cursor, "reading.day(sent)", text) == day


@AT_EASE
@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
def test_a_day_is_read_only_if_the_calendar_has_it(cursor: Any, year: int, month: int, day: int) -> None:
    try:
        expected = date(year, month, day)
    except ValueError:
        expected = None
    assert ask(cursor, "reading.day(sent)", f"{year:04d}-{month:02d}-{day:02d}") == expected


@AT_EASE
@given(LOCAL_TIMES, st.sampled_from([" ", "T"]), st.booleans())
@example(datetime(2026, 10, 25, 1, 30), "T", True)
@example(datetime(2026, 3, 29, 1, 30), "T", True)
def test_a_stamp_without_offset_takes_the_first_instant_of_its_hour(
    cursor: Any, local: datetime, between: str, with_seconds: bool
) -> None:
    local = local.replace(microsecond=0) if with_seconds else local.replace(second=0, microsecond=0)
    text = local.strftime(f"%Y-%m-%d{between}%H:%M" + (":%S" if with_seconds else ""))
    # Python's fold=0 is the first of two instants, and moves a missing hour forward.
    expected = local.replace(tzinfo=LONDON, fold=0).astimezone(UTC)
    assert ask(cursor, "reading.instant(sent, reading.wall_clock(sent), 'Europe/London')", text) == expected
    assert ask(cursor, "reading.instant_slowly(sent, 'Europe/London')", text) == expected
    twice = local.replace(tzinfo=LONDON, fold=1).utcoffset() != local.replace(tzinfo=LONDON, fold=0).utcoffset()
    assert ask(cursor, "reading.is_clock_change(sent, 'Europe/London')", text) is twice


@AT_EASE
@given(LOCAL_TIMES, st.integers(-14 * 60, 14 * 60))
def test_a_stamp_with_offset_is_that_instant(cursor: Any, local: datetime, minutes: int) -> None:
    sign, ahead = ("-" if minutes < 0 else "+"), timedelta(minutes=minutes)
    offset = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    text = local.isoformat(timespec="milliseconds") + offset
    expected = (local.replace(microsecond=local.microsecond // 1000 * 1000) - ahead).replace(tzinfo=UTC)
    assert ask(cursor, "reading.instant(sent, reading.wall_clock(sent), 'Europe/London')", text) == expected
    assert ask(cursor, "reading.is_clock_change(sent, 'Europe/London')", text) is False


@pytest.mark.parametrize(
    ("formats", "text", "expected"),
    [
        (("DD/MM/YYYY",), "03/11/2026", "2026-11-03"),
        (("DD/MM/YYYY",), "3.1.2026", "2026-1-3"),
        (("MM/DD/YYYY",), "11/03/2026", "2026-11-03"),
        (("DD Mon YYYY",), "3 November 2026", "2026-11-3"),
        (("DD-Mon-YY",), "03-nov-19", "2019-11-03"),
        (("DD/MM/YY",), "03/11/31", "2031-11-03"),
        (("DD/MM/YY",), "03/11/32", "1932-11-03"),
        (("YYYYMMDD",), "20261103", "2026-11-03"),
        (("DD/MM/YYYY",), "2026-11-03", "2026-11-03"),
        (("DD/MM/YYYY",), "3rd of May", "3rd of May"),
        (("DD Mon YYYY",), "3 Brumaire 2026", "3 Brumaire 2026"),
        (("a format nobody knows",), "03/11/2026", "03/11/2026"),
    ],
)
def test_a_date_as_agreed_is_put_in_iso_order(cursor: Any, formats: tuple[str, ...], text: str, expected: str) -> None:
    assert ask(cursor, iso_order("sent", formats, 2026, with_time=False).replace("%", "%%"), text) == expected


@pytest.mark.parametrize(
    ("formats", "text", "expected"),
    [
        (("DD/MM/YYYY HH24:MI",), "03/11/2026 07:05", "2026-11-03T07:05"),
        (("DD/MM/YYYY HH24:MI:SS",), "3/11/2026 7:05:09", "2026-11-3T7:05:09"),
        (("YYYY-MM-DD",), "2026-11-03", "2026-11-03T00:00"),
        (("DD/MM/YYYY", "DD/MM/YYYY HH24:MI"), "03/11/2026", "2026-11-03T00:00"),
        (("DD/MM/YYYY", "DD/MM/YYYY HH24:MI"), "03/11/2026 07:05", "2026-11-03T07:05"),
        (("DD/MM/YYYY HH24:MI",), "03/11/2026", "03/11/2026"),
    ],
)
def test_a_stamp_as_agreed_is_put_in_iso_order(cursor: Any, formats: tuple[str, ...], text: str, expected: str) -> None:
    assert ask(cursor, iso_order("sent", formats, 2026, with_time=True).replace("%", "%%"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("007", 7),
        ("-5", -5),
        ("3.0", 3),
        ("2147483647", 2**31 - 1),
        ("2147483648", None),
        ("3.5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_a_number_is_read_if_it_is_whole_and_fits(cursor: Any, text: str, expected: int | None) -> None:
    assert ask(cursor, "reading.whole_number(sent)", text) == expected


def test_what_surrounds_a_text_is_trimmed_and_no_letter(cursor: Any) -> None:
    assert ask(cursor, "reading.trimmed(sent)", "\ufeff\u00a0\t Vivian v \u200b\r\n") == "Vivian v"
