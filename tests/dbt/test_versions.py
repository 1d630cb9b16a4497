"""Histories built bit by bit, late and out of order, come out as the rule says, and as if they had been built at once.

The rule is written down here a second time, naively, record by record; the models have to agree with it.
"""

import random
from datetime import date, timedelta
from typing import Any

import pytest

from tests.dbt import records
from tests.dbt.conftest import Marts

SEEDS = (1, 2, 3)
KEYS = 60
DELIVERIES = 9
pytestmark = pytest.mark.on_both_servers

RANKS = {"green": 1, "amber": 2, "red": 3}

NAMES = (None, "Ann", "Ben")
BIRTHS = (None, date(2015, 2, 1), date(2015, 1, 2))


def random_row(chance: random.Random, key: str) -> dict[str, Any]:
    """A record under that key; few different ones, so that repeats, contradictions and downgrades are frequent."""
    disputed = int(key[-1]) % 3 == 0
    return {
        "notification_ref": key,
        "child_ref": "1",
        "forename": chance.choice(NAMES) if disputed else chance.choice(NAMES[:2]),
        "dob": chance.choice(BIRTHS) if disputed else chance.choice(BIRTHS[:2]),
        "child_risk_grade": chance.choice([None, "green", "amber", "red"]),
        "red_line_facts": chance.choice([None, ["none"], ["weapon"]]),
        "record_action": chance.choice(["new", "amend", "withdraw"]) if chance.random() < 0.2 else "new",
    }


def expected(sent: list[tuple[int, int, dict[str, Any]]]) -> dict[tuple[int, int], tuple[Any, ...]]:
    """What became of each record of one key: (is_current, is_repeat, superseded_by, is_downgrade, is_withdrawn)."""

    def differ(name: str) -> bool:
        return len({row[name] for _, _, row in sent if row[name] is not None}) > 1

    is_disputed = differ("forename") or differ("dob")

    def case(row: dict[str, Any]) -> Any:
        if not is_disputed:
            return "all"
        return ("alone", str(row)) if row["forename"] is None else (row["forename"], row["dob"])

    def is_only(delivery: int) -> bool:
        return sum(1 for other, _, _ in sent if other == delivery) == 1

    def loses(earlier: dict[str, Any], later: dict[str, Any]) -> bool:
        before, after = earlier["child_risk_grade"], later["child_risk_grade"]
        facts = [set(row["red_line_facts"] or ()) - {"none"} for row in (earlier, later)]
        return (before is not None and (after is None or RANKS[after] < RANKS[before])) or not facts[0] <= facts[1]

    outcome: dict[tuple[int, int], tuple[Any, ...]] = {}
    superseded: dict[tuple[int, int], int] = {}
    repeats: set[tuple[int, int]] = set()
    singles = [(d, n, row) for d, n, row in sent if is_only(d)]
    for place, (d, n, row) in enumerate(singles):
        before = [other for _, _, other in singles[:place] if case(other) == case(row)]
        if before and before[-1] == row:
            repeats.add((d, n))
    for d, n, row in singles:
        for later_d, later_n, later in singles:
            follows = later_d > d and case(later) == case(row) and (later_d, later_n) not in repeats
            if (d, n) not in repeats and follows and not loses(row, later):
                superseded[d, n] = later_d
                break
    copies: dict[tuple[int, str], int] = {}
    numbered = []
    for d, n, row in sent:
        copies[d, str(row)] = copies.get((d, str(row)), 0) + 1
        numbered.append((d, n, row, copies[d, str(row)]))
    for d, n, row, copy in numbered:
        if is_only(d):
            continue
        stands = any(
            is_only(other_d)
            and other_d < d
            and other == row
            and copy == 1
            and (other_d, other_n) not in repeats
            and superseded.get((other_d, other_n), d) >= d
            for other_d, other_n, other in sent
        )
        was_shared = any(
            not is_only(other_d)
            and other_d < d
            and (other, other_copy) == (row, copy)
            and (other_d, other_n) not in repeats
            for other_d, other_n, other, other_copy in numbered
        )
        if stands or was_shared:
            repeats.add((d, n))
    for d, n, row in sent:
        own = [other for _, _, other in singles if case(other) == case(row)]
        is_downgrade = any(
            is_only(d)
            and earlier_d < d
            and case(earlier) == case(row)
            and loses(earlier, row)
            and (earlier_d, earlier_n) not in repeats
            and superseded.get((earlier_d, earlier_n), d + 1) > d
            for earlier_d, earlier_n, earlier in singles
        )
        withdrawn = row["record_action"] == "withdraw"
        outcome[d, n] = (
            (d, n) not in repeats and (d, n) not in superseded,
            (d, n) in repeats,
            None if (d, n) in repeats else superseded.get((d, n)),
            is_downgrade and (d, n) not in repeats,
            withdrawn
            or ((d, n) not in repeats and is_only(d) and bool(own) and own[-1]["record_action"] == "withdraw"),
        )
    return outcome


@pytest.mark.parametrize("seed", SEEDS)
def test_random_histories_built_in_any_order_follow_the_rule(marts: Marts, seed: int) -> None:
    chance = random.Random(seed)
    sent: dict[str, list[tuple[int, int, dict[str, Any]]]] = {}
    waiting: list[int] = []
    for number in range(DELIVERIES):
        rows = []
        for place in range(KEYS):
            key = f"s{seed}k{place}"
            copies = chance.choices((0, 1, 2), (3, 8, 1))[0]
            previous = sent[key][-1][2] if sent.get(key) else None
            for _ in range(copies):
                rows.append(previous if previous and chance.random() < 0.3 else random_row(chance, key))
        chance.shuffle(rows)
        delivery_id = records.deliver(
            marts.connection, marts.house, "police", rows, at=records.START + timedelta(days=number), status="checked"
        )
        for record_no, row in enumerate(rows, start=1):
            sent.setdefault(row["notification_ref"], []).append((delivery_id, record_no, row))
        waiting.append(delivery_id)
        chance.shuffle(waiting)
        while waiting and (chance.random() < 0.6 or number == DELIVERIES - 1):
            records.publish(marts.connection, waiting.pop())
        records.build(marts.settings)
    found = {
        (row[0], row[1]): row[2:]
        for row in records.rows(
            marts.connection,
            "select delivery_id, record_no, is_current, is_repeat, superseded_by_delivery_id, is_downgrade,"
            " is_withdrawn from core.fct_notification_version where sender_reference like %s",
            f"s{seed}k%",
        )
    }
    wanted = {
        place: outcome
        for history in sent.values()
        for place, outcome in expected(sorted(history, key=lambda r: r[:2])).items()
    }
    assert found.keys() == wanted.keys()
    for key, history in sent.items():
        for place in ((d, n) for d, n, _ in history):
            assert found[place] == wanted[place], f"{place} of {key}: {sorted(history, key=lambda r: r[:2])}"
    listed = records.rows(
        marts.connection,
        "select delivery_id, record_no from worklists.triage where sender_reference like %s",
        f"s{seed}k%",
    )
    assert sorted(listed) == sorted(place for place, outcome in wanted.items() if outcome[0])
