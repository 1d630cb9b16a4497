"""An account told before of another matter counts as not told, and what could not be looked at is said. Mend: quality/reading/accounts.py."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from frontdoor import quality, warehouse
from frontdoor.contract import House, load_house
from frontdoor.quality.reading import accounts
from frontdoor.simulator.sample import sample_records
from tests.dbt.records import rows
from tests.feeds.test_cases import deliver

AT = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
ACCOUNT = "He came in by the back door and shouted; the child stood in the hall and did not move until he had gone."


@pytest.fixture(scope="module")
def house() -> House:
    return load_house()


@pytest.fixture
def connection(database: Any, house: House) -> Iterator[Any]:
    connection = database.connect()
    warehouse.ensure_raw_tables(connection, house)
    warehouse.load_reference(connection, house)
    quality.publish_sufficiency_elements(connection, house)
    yield connection
    with connection, connection.cursor() as cursor:
        cursor.execute("truncate raw.police, raw.police_read, quality.findings, quality.check_results")
    connection.close()


def notices(house: House, count: int, *, first: int = 1, narrative: str | None = None) -> tuple[dict[str, str], ...]:
    """Notices about children who have nothing to do with one another; with one account, or each with its own."""
    content = sample_records(house, "wearside_police", "police", first + count - 1, seed=3, on=AT.date()).decode()
    names = {each.name for each in house.feeds["police"].properties}
    made = [{k: v for k, v in row.items() if k in names} for row in csv.DictReader(io.StringIO(content))]
    return tuple(row | ({"narrative": narrative} if narrative else {}) for row in made[first - 1 :])


def bring(database: Any, connection: Any, house: House, told: tuple[dict[str, str], ...], at: datetime = AT) -> int:
    with connection, connection.cursor() as cursor:
        delivery_id = deliver(cursor, "police", "wearside_police", at, told)
        quality.read(connection, house, [delivery_id])
    quality.judge(connection, database.settings, house, "police", [delivery_id])
    return delivery_id


def what(connection: Any, house: House, delivery_id: int) -> str:
    """The letter of what happened, record by record."""
    at = [each.name for each in house.feeds["police"].elements].index("what") + 1
    found = rows(
        connection,
        f"select string_agg(substr(_sufficiency, {at}, 1), '' order by _record_no) from raw.police_read"
        " where _delivery_id = %s",
        delivery_id,
    )
    return str(found[0][0])


def found(connection: Any, delivery_id: int) -> list[tuple[int, str]]:
    return rows(
        connection,
        "select record_no, rule_id from quality.findings where delivery_id = %s and rule_id in ('POL-031', 'POL-032')"
        " order by record_no",
        delivery_id,
    )


def test_copied_account_counts_as_missing_and_no_other_letter_changes(
    database: Any, connection: Any, house: House
) -> None:
    first = bring(database, connection, house, notices(house, 1, narrative=ACCOUNT))
    copied = bring(database, connection, house, notices(house, 3, first=2, narrative=ACCOUNT), AT + timedelta(days=1))
    assert (what(connection, house, first), found(connection, first)) == ("P", [])
    assert what(connection, house, copied) == "MMM"
    assert found(connection, copied) == [(number, "POL-031") for number in (1, 2, 3)]
    with connection, connection.cursor() as cursor:
        own = deliver(cursor, "police", "wearside_police", AT + timedelta(days=2), notices(house, 3, first=2))
        quality.read(connection, house, [own])
    differ = rows(
        connection,
        "select count(*), max(length(replace(a._sufficiency, 'M', '')) - length(replace(b._sufficiency, 'M', '')))"
        " from raw.police_read as a inner join raw.police_read as b on a.record_key = b.record_key"
        " where a._delivery_id = %s and b._delivery_id = %s",
        own,
        copied,
    )
    assert differ == [(3, 1)], "of each record one letter changed"


def test_standard_text_is_told_by_none_of_its_records_and_reading_again_says_the_same(
    database: Any, connection: Any, house: House
) -> None:
    four = bring(database, connection, house, notices(house, 4, narrative=ACCOUNT))
    fifth = bring(database, connection, house, notices(house, 1, first=5, narrative=ACCOUNT), AT + timedelta(days=1))
    for _ in range(2):
        assert (what(connection, house, four), what(connection, house, fifth)) == ("PMMM", "M")
        assert {rule for _, rule in found(connection, four)} == {"POL-031"}, "then it stood in four matters only"
        assert found(connection, fifth) == [(1, "POL-032")]
        with connection:
            quality.read(connection, house, [four, fifth])
        quality.judge(connection, database.settings, house, "police", [four, fifth])
    sixty = bring(database, connection, house, notices(house, 60, narrative=ACCOUNT), AT + timedelta(days=2))
    assert what(connection, house, sixty) == "M" * 60


def test_corrected_account_is_told_and_closes_the_question(database: Any, connection: Any, house: House) -> None:
    bring(database, connection, house, notices(house, 1, narrative=ACCOUNT))
    copied = bring(database, connection, house, notices(house, 1, first=2, narrative=ACCOUNT), AT + timedelta(days=1))
    mended = bring(database, connection, house, notices(house, 1, first=2), AT + timedelta(days=2))
    assert what(connection, house, mended) == "P"
    closed = rows(
        connection,
        "select state, resolved_by_delivery_id from quality.findings where delivery_id = %s and rule_id = 'POL-031'",
        copied,
    )
    assert closed == [("resolved", mended)]


def test_where_nobody_could_look_the_rules_have_not_run_and_every_record_is_there(
    database: Any, connection: Any, house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(database, connection, house, notices(house, 1, narrative=ACCOUNT))
    monkeypatch.setattr(accounts, "_told_as", lambda *_: "select there is no such column")
    with caplog.at_level(logging.ERROR):
        copied = bring(database, connection, house, notices(house, 2, first=2, narrative=ACCOUNT))
    not_run = rows(
        connection,
        "select rule_id from quality.check_results where delivery_id = %s and status = 'not_run' order by rule_id",
        copied,
    )
    assert not_run == [("POL-031",), ("POL-032",)]
    assert what(connection, house, copied) == "PP"
    assert rows(connection, "select verdict from intake.deliveries where delivery_id = %s", copied) == [
        ("accepted_with_findings",)
    ]
    assert "accounts of police were not held against earlier ones" in caplog.text and "back door" not in caplog.text


@pytest.mark.parametrize(
    ("change", "asked", "spared"),
    [
        ({"notice_type": "missing", "harm_type": "missing"}, {"return"}, {"perpetrator", "access", "adults_risk", "school_told"}),
        ({"notice_type": "missing", "harm_type": "sexual_exploitation"}, {"return", "perpetrator", "access"}, {"adults_risk"}),
        ({"notice_type": "exploitation", "harm_type": "criminal_exploitation"}, {"perpetrator", "access"}, {"return", "adults_risk"}),
        ({"notice_type": "domestic", "harm_type": "domestic_abuse"}, {"perpetrator", "access", "adults_risk"}, {"return", "powers"}),
        ({"notice_type": "custody", "harm_type": "neglect"}, set(), {"perpetrator", "access", "return", "powers", "adults_risk"}),
        ({"powers_used": "police_protection"}, {"powers"}, {"return"}),
        ({"powers_used": "a power of ours"}, {"powers"}, {"return"}),
    ],
)  # fmt: skip
def test_what_is_asked_depends_on_the_concern(
    connection: Any, house: House, change: dict[str, str], asked: set[str], spared: set[str]
) -> None:
    (notice,) = notices(house, 1)
    with connection, connection.cursor() as cursor:
        delivery_id = deliver(cursor, "police", "wearside_police", AT, (notice | change,))
        quality.read(connection, house, [delivery_id])
    ((letters,),) = rows(connection, "select _sufficiency from raw.police_read where _delivery_id = %s", delivery_id)
    names = [each.name for each in house.feeds["police"].elements]
    not_asked = {name for name, letter in zip(names, letters, strict=True) if letter == "N"}
    assert spared <= not_asked and not asked & not_asked
