"""Samples are what they say: a good file breaks nothing and lacks nothing; a file made to break a rule breaks that one.

They go from the landing zone through reader, reading and checks, in the agency's own headers, labels and dates. Where
one fails: open frontdoor/simulator/good.py or broken.py, or the agency's file under expectations/.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from frontdoor import clock, intake, quality, warehouse
from frontdoor.contract import House, load_house
from frontdoor.simulator.broken import AFTER_THE_GOOD, GONE, PAIRED, SHARED, STANDARD, TWICE
from frontdoor.simulator.sample import sample_records

SENDERS = (
    ("wearside_police", "police"),
    ("wearside_schools", "referral"),
    ("wearside_health", "referral"),
    ("wearside_housing", "referral"),
    ("wearside_partnership", "police"),
    ("wearside_council", "visit"),
    ("wearside_council", "cin_census"),
)
RECORDS = 5


@dataclass(frozen=True)
class Outcome:
    """What became of one file: rules broken and by how many records, letters of sufficiency, state of its records."""

    broken: dict[str, int]
    letters: set[str]
    unread: int


@cache
def the_house() -> House:
    return load_house()


def is_snapshot(source: str) -> bool:
    return source in the_house().feeds and the_house().feeds[source].delivery_mode == "snapshot"


def rules_of(agency: str, source: str) -> list[str]:
    house = the_house()
    feed = house.feeds[source if source in house.feeds else house.layouts[source].feeds[0]]
    return [rule.rule_id for rule in feed.rules if rule.applies(house.agencies[agency], source)]


WANTED = [(*sender, rule) for sender in SENDERS for rule in (None, *rules_of(*sender))]


@pytest.fixture(scope="module")
def outcomes(database: Any) -> dict[tuple[str, str, str | None], Outcome]:
    house, settings, on = the_house(), database.settings, clock.now().date()
    connection = database.connect()
    warehouse.ensure_raw_tables(connection, house)
    warehouse.load_reference(connection, house)
    for number, (agency, source, rule) in enumerate(WANTED):
        folder = settings.landing / agency / source
        folder.mkdir(parents=True, exist_ok=True)
        # A rule about what came earlier fails after the good file of the same seed; and a snapshot holds what the one
        # before it held.
        seed = 0 if rule is None or rule in AFTER_THE_GOOD or is_snapshot(source) else number
        content = sample_records(house, agency, source, RECORDS, seed=seed, break_rule=rule, on=on)
        (folder / f"{number:03d}-{rule}").write_bytes(content)
    intake.take(connection, settings, house)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select d.delivery_id, d.feed, f.file_name from intake.deliveries as d"
            " inner join intake.files as f on d.file_id = f.file_id order by d.delivery_id"
        )
        taken = cursor.fetchall()
    for delivery_id, _, _ in taken:
        intake.load(connection, settings, house, delivery_id)
        quality.read(connection, house, [delivery_id])
        connection.commit()
    for feed in house.feeds:
        quality.judge(connection, settings, house, feed, [each[0] for each in taken if each[1] == feed])
    found = {}
    with connection, connection.cursor() as cursor:
        for delivery_id, feed, name in taken:
            cursor.execute("select rule_id from quality.findings where delivery_id = %s", (delivery_id,))
            broken = Counter(row[0] for row in cursor.fetchall())
            cursor.execute(f"select _sufficiency from raw.{feed}_read where _delivery_id = %s", (delivery_id,))
            letters = [row[0] for row in cursor.fetchall()]
            found[WANTED[int(name[:3])]] = Outcome(dict(broken), set("".join(letters)), RECORDS - len(letters))
    connection.close()
    return found


@pytest.mark.parametrize(("agency", "source"), SENDERS)
def test_a_good_file_breaks_nothing_and_lacks_nothing(
    agency: str, source: str, outcomes: dict[tuple[str, str, str | None], Outcome]
) -> None:
    outcome = outcomes[agency, source, None]
    assert outcome.unread == 0
    assert outcome.broken == {}
    assert outcome.letters <= ({"N"} if source == "cin_census" else {"P", "N"})
    assert "P" in outcome.letters or source == "cin_census"


@pytest.mark.parametrize(("agency", "source", "rule"), [each for each in WANTED if each[2]])
def test_a_file_made_to_break_a_rule_breaks_that_one_alone(
    agency: str, source: str, rule: str, outcomes: dict[tuple[str, str, str | None], Outcome]
) -> None:
    # Where one visit takes another's number, the other's number is gone from the file.
    also = {each: 1 for each in GONE if rule in SHARED and is_snapshot(source)}
    found = 5 if rule in STANDARD else 2 if rule in SHARED | PAIRED | TWICE else 1
    assert outcomes[agency, source, rule].broken == {rule: found} | also


@pytest.mark.parametrize(("agency", "source"), SENDERS)
def test_the_same_seed_and_day_give_the_same_file(agency: str, source: str) -> None:
    on = clock.now().date()
    first, second = (sample_records(the_house(), agency, source, 3, seed=9, on=on) for _ in range(2))
    assert first == second
    assert first != sample_records(the_house(), agency, source, 3, seed=10, on=on)


def test_a_rule_that_is_not_put_to_a_sender_cannot_be_broken_in_its_file() -> None:
    with pytest.raises(ValueError, match="REF-101 cannot fail in a file that wearside_schools sends"):
        sample_records(the_house(), "wearside_schools", "referral", 3, break_rule="REF-101")
