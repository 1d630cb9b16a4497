"""What was first told, counted bit by bit: times, grades and partners' sufficiency, late, corrected and out of order.

Each indicator is worked out here a second time, record by record, from what was sent; and building bit by bit has to
give what one build of everything gives.
"""

import csv
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from frontdoor.warehouse.reference_tables import SEEDS
from tests.dbt import records
from tests.dbt.conftest import Marts

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DELIVERIES = 8
KEYS = 45
# Deliveries are so far apart that weeks and months change between them.
APART = timedelta(days=4)
INDICATORS = ("Q06_lag", "Q06_lag_minutes", "Q06_graded", "Q06_low_grade", "Q06_high_grade")

Told = tuple[datetime, dict[str, Any]]
Counted = tuple[int | None, int, int]


def limit_minutes() -> int:
    """The agreed time from knowing to sending, from the seeds."""
    with (SEEDS / "clocks.csv").open(encoding="utf-8", newline="") as file:
        (row,) = [each for each in csv.DictReader(file) if each["clock_id"] == "police_known_to_sent"]
    assert (row["limit_unit"], row["valid_to"]) == ("hours", ""), "the limit changed: let this test know of it"
    return int(row["limit_value"]) * 60


def grade_letter(marts: Marts, letter: str) -> str:
    return "".join(letter if each.name == "grade" else "P" for each in marts.house.feeds["police"].elements)


def random_notice(marts: Marts, chance: random.Random, key: str, received_at: datetime) -> dict[str, Any]:
    """A notice under that key; what a sender says of the child does not change, so that no two contradict."""
    number = int(key[1:])
    known_at = chance.choice(
        [
            None,
            datetime(1970, 1, 1, tzinfo=UTC),
            received_at + timedelta(minutes=1),
            *(received_at - timedelta(minutes=minutes) for minutes in (5, 17, 600, 1439, 1440, 1450, 4000)),
            received_at - timedelta(hours=24, seconds=1),
        ]
    )
    sent_at = chance.choice(
        [None, *(received_at - timedelta(minutes=minutes) for minutes in (0, 10, 601, -60))],
    )
    grade = chance.choice([None, "green", "green", "amber", "red"])
    letter = "P" if grade else chance.choice("MMN")
    unread = chance.random() < 0.15
    return {
        "notification_ref": key,
        "child_ref": "1",
        "dob": (None, date(2015, 2, 1), date(2026, 2, 1))[number % 3],
        "known_at": known_at,
        "sent_at": sent_at,
        "child_risk_grade": grade,
        "child_risk_grade_state": "ok" if grade else chance.choice(["missing", "unmapped"]),
        "red_line_facts": None if unread else chance.choice([None, ["none"], ["none"], ["weapon"]]),
        **({"red_line_facts_state": "unmapped"} if unread else {}),
        "powers_used": chance.choice([None, "none", "none", "not_known", "police_protection"]),
        "letters": grade_letter(marts, letter),
        "record_action": "new",
    }


def starts(received_at: datetime) -> Iterable[tuple[str, date]]:
    """The week and the month of a winter day in London."""
    day = received_at.date()
    return (("week", day - timedelta(days=day.weekday())), ("month", day.replace(day=1)))


def minutes_taken(received_at: datetime, row: dict[str, Any]) -> dict[str, int | None]:
    """Minutes to sending and to receiving, rounded up; None where they cannot be judged."""
    known_at, sent_at = row["known_at"], row["sent_at"]
    if known_at is not None and (known_at.year == 1970 or known_at > received_at):
        known_at = None
    if known_at is not None and sent_at is not None and sent_at < known_at:
        known_at = None
    if sent_at is not None and sent_at > received_at:
        sent_at = None

    def between(end: datetime | None) -> int | None:
        if known_at is None or end is None:
            return None
        return math.ceil((end - known_at) / timedelta(minutes=1))

    return {"known_to_sent": between(sent_at), "known_to_received": between(received_at)}


def urgent_fact(received_at: datetime, row: dict[str, Any]) -> bool | None:
    """Whether a fact of POL-022 stands; None where one was not answered and none is stated."""
    born, facts, powers = row["dob"], row["red_line_facts"], row["powers_used"]
    if facts == ["weapon"] or powers == "police_protection":
        return True
    if born is not None and (received_at.date() - born).days < 365:
        return True
    return False if born is not None and facts == ["none"] and powers == "none" else None


def worst_quantile(times: list[int | None], share: float) -> int | None:
    """The time within which that share is known to have come."""
    ordered = sorted(math.inf if each is None else each for each in times)
    value = ordered[math.ceil(share * len(ordered) - 1e-9) - 1]
    return None if value == math.inf else int(value)


def tally(flags: Iterable[bool | None]) -> Counted:
    """(counted, of how many, not judged); a flag of None cannot be judged."""
    judged = list(flags)
    return (judged.count(True), len(judged) - judged.count(None), judged.count(None))


def expected_of(told: list[Told], marts: Marts) -> dict[tuple[str, str], Counted]:
    """By indicator and element what one period should have."""
    limit = limit_minutes()
    found: dict[tuple[str, str], Counted] = {}
    for element in ("known_to_sent", "known_to_received"):
        times = [minutes_taken(*each)[element] for each in told]
        found["Q06_lag", element] = tally(None if each is None else each > limit for each in times)
        for name, share in (("median", 0.5), ("p95", 0.95)):
            _, judged, unjudged = found["Q06_lag", element]
            found["Q06_lag_minutes", f"{element}_{name}"] = (worst_quantile(times, share), judged, unjudged)
    nobody = grade_letter(marts, "N")
    found["Q06_graded", "all"] = tally(
        row["child_risk_grade"] is not None for _, row in told if row["letters"] != nobody
    )
    low: list[bool | None] = []
    high: list[bool | None] = []
    for received_at, row in told:
        grade, fact = row["child_risk_grade"], urgent_fact(received_at, row)
        if grade is None and row["letters"] == nobody:
            continue
        if fact is True:
            low.append(None if grade is None else grade == "green")
        elif fact is None and grade in (None, "green"):
            low.append(None)
        if fact is False:
            high.append(None if grade is None else grade == "red")
        elif fact is None and grade in (None, "red"):
            high.append(None)
    # Without a fact the lowest grade is none too low, and beside one the highest none too high: they are not of it.
    found["Q06_low_grade", "all"] = tally(low)
    found["Q06_high_grade", "all"] = tally(high)
    return found


def counted(marts: Marts, indicators: Iterable[str]) -> dict[tuple[Any, ...], Counted]:
    return {
        row[:4]: row[4:]
        for row in records.rows(
            marts.connection,
            "select indicator_id, element, period_grain, period_start, numerator, denominator, unknown_count"
            " from indicators.indicator_values where basis = 'as_known' and indicator_id = any(%s)",
            list(indicators),
        )
    }


def rebuilt(marts: Marts, build_at: Callable[[datetime], Marts], at: datetime) -> None:
    """Throw the histories and what was counted from them away, and build them in one go."""
    gone = [
        *(f"core.{name}" for name in ("fct_notification_version", "fct_contact_version", "fct_visit_version")),
        *(f"core.{name}" for name in ("fct_notification_telling", "fct_sufficiency")),
        *(
            f"indicators.{name}"
            for (name,) in records.rows(
                marts.connection,
                "select relname from pg_class where oid::regclass::text ~ '^indicators[.]q[0-9]+_[a-z_]+$'"
                " and relkind = 'r'",
            )
        ),
    ]
    assert len(gone) > 10, "the indicators were not found: nothing would be rebuilt"
    with marts.connection.cursor() as cursor:
        cursor.execute(f"drop table {', '.join(gone)} cascade")
    marts.connection.commit()
    build_at(at)


def everything(marts: Marts) -> list[tuple[Any, ...]]:
    return records.rows(
        marts.connection,
        "select indicator_id, agency_code, team_code, element, period_grain, period_start, basis, numerator, denominator,"
        " unknown_count, rate_ratio, rate_low, rate_high, rate_if_unknown_bad, input_completeness_ratio"
        " from indicators.indicator_values order by 1, 2, 3, 4, 5, 6, 7",
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_times_and_grades_follow_the_first_telling_however_it_is_built(
    marts: Marts, marts_at: Callable[[datetime], Marts], seed: int
) -> None:
    chance = random.Random(seed)
    # Each seed has months of its own.
    begin = MONDAY + timedelta(weeks=0 if seed == 1 else -12)
    sent: dict[str, list[tuple[int, datetime, dict[str, Any]]]] = defaultdict(list)
    waiting: list[int] = []
    published: set[int] = set()
    received: dict[int, datetime] = {}
    first_build = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=100 * seed)
    for number in range(DELIVERIES):
        at = begin + APART * number
        keys = chance.sample(range(KEYS), KEYS // 2)
        rows = [random_notice(marts, chance, f"n{seed * 1000 + key}", at) for key in keys]
        delivery_id = records.deliver(marts.connection, marts.house, "police", rows, at=at, status="checked")
        received[delivery_id] = at
        for row in rows:
            sent[row["notification_ref"]].append((delivery_id, at, row))
        waiting.append(delivery_id)
        chance.shuffle(waiting)
        while waiting and (chance.random() < 0.5 or number == DELIVERIES - 1):
            published.add(waiting[-1])
            records.publish(marts.connection, waiting.pop())
        marts_at(first_build + timedelta(hours=number))
        periods: dict[tuple[str, date], list[Told]] = defaultdict(list)
        for history in sent.values():
            known = [each for each in history if each[0] in published]
            for grain, start in starts(known[0][1]) if known else ():
                periods[grain, start].append(known[0][1:])
        wanted = {
            (indicator, element, grain, start): values
            for (grain, start), told in periods.items()
            for (indicator, element), values in expected_of(told, marts).items()
        }
        found = {
            key: values
            for key, values in counted(marts, INDICATORS).items()
            if begin.date() - timedelta(days=31) < key[3] < (begin + APART * DELIVERIES).date()
        }
        nothing = {key: values for key, values in found.items() if key not in wanted}
        assert {key: found.get(key) for key in wanted} == wanted
        assert {values[1:] for values in nothing.values()} <= {(0, 0)}, "a period without a first telling has counts"
    assert any(values[2] for values in wanted.values()), "nothing that cannot be judged: the test showed nothing"
    assert any(values[0] for key, values in wanted.items() if key[0] == "Q06_low_grade")
    bit_by_bit = everything(marts)
    rebuilt(marts, marts_at, first_build + timedelta(days=1))
    assert everything(marts) == bit_by_bit


def partner_score(marts: Marts, indicator: str, basis: str, start: date) -> list[tuple[Any, ...]]:
    return records.rows(
        marts.connection,
        "select agency_code, element, numerator, denominator, unknown_count from indicators.indicator_values"
        " where indicator_id = %s and basis = %s and period_start = %s and period_grain = 'week'"
        " and element in ('voice', 'all') order by element desc",
        *(indicator, basis, start),
    )


def test_a_partner_is_judged_by_its_first_telling_wherever_that_is_found(
    marts: Marts, marts_at: Callable[[datetime], Marts]
) -> None:
    elements = [each.name for each in marts.house.feeds["referral"].elements]

    def letters(voice: str) -> str:
        return "".join(voice if name == "voice" else "N" for name in elements)

    def contact(number: int, voice: str) -> dict[str, Any]:
        return {
            "contact_reference": f"p{number}",
            "child_ref": "1",
            "narrative": voice,
            "letters": letters(voice),
            # Whatever a record says of itself, it counts as its sender's.
            "record_role": "council_record",
        }

    early, middle, late = (datetime(2026, 6, day, 9, 0, tzinfo=UTC) for day in (1, 8, 15))
    weeks = [each.date() for each in (early, middle, late)]
    put = [
        records.deliver(marts.connection, marts.house, "referral", rows, at=at, status="checked")
        for at, rows in (
            (early, [contact(1, "M"), contact(2, "M")]),
            (middle, [contact(1, "U"), contact(2, "P")]),
            (late, [contact(1, "P"), contact(2, "P"), contact(3, "U")]),
        )
    ]
    records.deliver(marts.connection, marts.house, "referral", [contact(9, "P")], at=middle, agency="wearside_council")
    for delivery_id in put[1:]:
        records.publish(marts.connection, delivery_id)
    marts_at(datetime(2027, 1, 1, tzinfo=UTC))

    def q12(start: date, indicator: str = "Q12_sufficiency") -> list[tuple[Any, ...]]:
        return partner_score(marts, indicator, "as_known", start)

    assert q12(weeks[1]) == [("wearside_schools", "voice", 1, 2, 0), ("wearside_schools", "all", 1, 2, 0)]
    assert q12(weeks[1], "Q12_effort")[0] == ("wearside_schools", "voice", 2, 2, 0)
    assert q12(weeks[2])[0] == ("wearside_schools", "voice", 0, 1, 0)
    # The earlier telling is found after the later ones: it is the first, and nothing is left where it was thought to be.
    records.publish(marts.connection, put[0])
    marts_at(datetime(2027, 1, 2, tzinfo=UTC))
    assert q12(weeks[0])[0] == ("wearside_schools", "voice", 0, 2, 0)
    assert q12(weeks[1]) == [("wearside_schools", "all", 0, 0, 0)]
    assert partner_score(marts, "Q12_sufficiency", "as_corrected", weeks[0]) == []
    corrected = [row for row in partner_score(marts, "Q06_sufficiency", "as_corrected", weeks[0]) if row[1] == "voice"]
    assert corrected == [("wearside_schools", "voice", 2, 2, 0)]
    bit_by_bit = everything(marts)
    rebuilt(marts, marts_at, datetime(2027, 1, 3, tzinfo=UTC))
    assert everything(marts) == bit_by_bit


def test_minutes_are_no_rate_and_those_of_a_few_notices_are_not_shown(
    marts: Marts, marts_at: Callable[[datetime], Marts]
) -> None:
    many, few = (datetime(2026, 10, day, 9, 0, tzinfo=UTC) for day in (5, 12))
    for at, notices in ((many, 20), (few, 5)):
        rows = [
            {"notification_ref": f"{at:%d}-{number}", "child_ref": "1", "known_at": at - timedelta(minutes=3)}
            for number in range(notices)
        ]
        records.deliver(marts.connection, marts.house, "police", rows, at=at)
    marts_at(datetime(2027, 2, 1, tzinfo=UTC))
    shown = (
        "select period_start, numerator, denominator, unit, rate_ratio, rate_low, rate_if_unknown_bad, is_suppressed"
        " from bi.indicator_values where indicator_id = 'Q06_lag_minutes' and element = 'known_to_received_median'"
        " and period_grain = 'week' and period_start = any(%s) order by 1"
    )
    assert records.rows(marts.connection, shown, [many.date(), few.date()]) == [
        (many.date(), 3, 20, "minutes", None, None, None, False),
        (few.date(), None, None, "minutes", None, None, None, True),
    ]
