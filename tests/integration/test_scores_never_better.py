"""No defect and no silence raises a score, whatever the counts: a property over invented deliveries.

Mend: frontdoor/warehouse/migrations/0043_scores.sql (quality.rule_scores).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Database
from tests.integration import quality_support as support

RULES = ("TRY-001", "TRY-002", "TRY-003")
HOUSE = support.house(
    support.record_rule("TRY-001", "false"),
    support.record_rule("TRY-002", "false", dimension="conformity", score_dimension="conformity"),
    support.record_rule("TRY-003", "false", dimension="conformity", score_dimension="conformity"),
)


@dataclass(frozen=True)
class Sent:
    """Records read and not read; by rule, records that it applies to and those of them that fail (None: not run)."""

    loaded: int
    dead: int
    rules: tuple[tuple[int, int] | None, ...]
    is_unreadable: bool = False


@pytest.fixture(scope="module")
def connection(database: Database) -> Iterator[Any]:
    opened = database.connect()
    support.prepare(opened, HOUSE)
    yield opened
    opened.close()


@st.composite
def deliveries(draw: st.DrawFn) -> Sent:
    loaded = draw(st.integers(1, 6))
    rules = []
    for _ in RULES:
        checked = draw(st.integers(0, loaded))
        rules.append(draw(st.sampled_from([None, (checked, draw(st.integers(0, checked)))])))
    return Sent(loaded, draw(st.integers(0, 2)), tuple(rules))


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Sent, Sent]:
    """A delivery, and the same with one thing more wrong."""
    sent = draw(deliveries())
    number = draw(st.integers(0, len(RULES) - 1))
    counts = sent.rules[number]

    def with_rule(changed: tuple[int, int] | None) -> Sent:
        return replace(sent, rules=(*sent.rules[:number], changed, *sent.rules[number + 1 :]))

    what = draw(st.sampled_from(["one more fails", "not run", "one record unread", "all unreadable"]))
    if what == "one more fails" and counts and counts[1] < counts[0]:
        return sent, with_rule((counts[0], counts[1] + 1))
    if what == "not run":
        return sent, with_rule(None)
    if what == "one record unread":
        rules: list[tuple[int, int] | None] = []
        for each in sent.rules:
            if each is None:
                rules.append(None)
                continue
            checked, failed = each
            # Whether the record was one that failed, one that passed, or one that the rule does not apply to.
            kinds = [(0, 0)] * (checked < sent.loaded) + [(1, 1)] * (failed > 0) + [(1, 0)] * (checked > failed)
            one, bad = draw(st.sampled_from(kinds))
            rules.append((checked - one, failed - bad))
        return sent, replace(sent, loaded=sent.loaded - 1, dead=sent.dead + 1, rules=tuple(rules))
    return sent, replace(sent, is_unreadable=True)


def scores(connection: Any, sent: list[Sent]) -> dict[str, float]:
    """Dimension -> share passed of all these deliveries. Nothing is kept."""
    ids = []
    try:
        with connection.cursor() as cursor:
            for each in sent:
                ids.append(_put(cursor, each))
            cursor.execute(
                "select dimension, sum(checked_count - failed_count), sum(checked_count + not_run_count)"
                " from quality.rule_scores(%s) group by 1",
                (ids,),
            )
            return {dimension: float(passed) / float(asked) for dimension, passed, asked in cursor.fetchall() if asked}
    finally:
        connection.rollback()


def _put(cursor: Any, sent: Sent) -> int:
    cursor.execute(
        "insert into intake.files (agency_code, source, file_name, taken_token, sha256_received, sha256_stored,"
        " size_bytes, received_at, status) values (%s, %s, 'a', gen_random_uuid()::text, 'a', 'a', 1, %s, 'received')"
        " returning file_id",
        (support.AGENCY, support.FEED, support.RECEIVED),
    )
    (file_id,) = cursor.fetchone()
    counts = (0, 0, 0) if sent.is_unreadable else (sent.loaded + sent.dead, sent.loaded, sent.dead)
    cursor.execute(
        "insert into intake.deliveries (file_id, member_no, agency_code, source, feed, contract_version,"
        " agency_version, status, size_bytes, received_at, published_at, records_in, records_loaded, records_dead)"
        " values (%s, 1, %s, %s, %s, '1.0.0', '1', %s, 1, %s, %s, %s, %s, %s) returning delivery_id",
        (
            *(file_id, support.AGENCY, support.FEED, support.FEED),
            "dead_letter" if sent.is_unreadable else "published",
            *(support.RECEIVED, None if sent.is_unreadable else support.RECEIVED, *counts),
        ),
    )
    (delivery_id,) = cursor.fetchone()
    if sent.is_unreadable:
        return int(delivery_id)
    for rule_id, said in zip(RULES, sent.rules, strict=True):
        checked, failed = said or (0, 0)
        status = "not_run" if said is None else "fail" if failed else "pass" if checked else "not_applicable"
        cursor.execute(
            "insert into quality.check_results values (%s, %s, %s, %s, %s)",
            (delivery_id, rule_id, status, checked, failed),
        )
        cursor.execute(
            "insert into quality.findings (delivery_id, record_no, rule_id, contract_version, state, found_at)"
            " select %s, number, %s, '1.0.0', 'new', %s from generate_series(1, %s) as number",
            (delivery_id, rule_id, support.RECEIVED, failed),
        )
    for rule in HOUSE.file_rules:
        cursor.execute("insert into quality.check_results values (%s, %s, 'pass', 1, 0)", (delivery_id, rule.rule_id))
    return int(delivery_id)


@given(others=st.lists(deliveries(), max_size=2), pair=spoiled())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_thing_more_wrong_never_raises_a_score(
    connection: Any, others: list[Sent], pair: tuple[Sent, Sent]
) -> None:
    well, worse = pair
    # The one before it, by which the size of a file that nobody could read is reckoned.
    before = replace(well, dead=0, loaded=well.loaded + well.dead)
    as_it_was, as_it_is = scores(connection, [*others, before, well]), scores(connection, [*others, before, worse])
    # Where nothing was asked there was no score; one that is not perfect is no better than none.
    better = {name: ratio for name, ratio in as_it_is.items() if ratio > as_it_was.get(name, 1) + 1e-9}
    assert not better, as_it_was
    assert set(as_it_is) >= set(as_it_was), "and no dimension vanishes"


def test_what_nobody_could_read_counts_against_every_dimension(connection: Any) -> None:
    good = Sent(4, 0, ((4, 0), (4, 0), (0, 0)))
    assert scores(connection, [good, good]) == pytest.approx({"completeness": 1, "conformity": 1, "coverage": 1})
    half = scores(connection, [good, replace(good, is_unreadable=True)])
    assert half["coverage"] == 0.5 and half["completeness"] < 1 and half["conformity"] < 0.5
