"""A record is read and judged by the version of the day it was received, also when it is judged again later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from frontdoor import quality
from frontdoor.contract.model import Signature
from frontdoor.contract.signing import in_force
from tests.integration import quality_support as support

NEW_YEAR = date(2026, 11, 3)
RULE = support.record_rule("TRI-001", "answer_state <> 'ok'")
OTHER = support.record_rule("TRI-002", "forename_state <> 'ok'")


def signed(*days: date) -> Any:
    return MappingProxyType(
        {party: Signature(day, "somebody") for party, day in zip(("sender", "council"), days, strict=False)}
    )


def house_of(*signatures: date) -> Any:
    """Two versions: the second knows another label, and waives a rule that the first does not."""
    made = support.house(RULE, OTHER)
    (first,) = made.agency_feeds
    first = replace(first, valid_to=date(2026, 11, 2))
    codes = MappingProxyType({"yes_no": MappingProxyType({"Ja": "yes"})})
    second = replace(
        first,
        version="2",
        valid_from=NEW_YEAR,
        valid_to=None,
        codes=codes,
        waived_rules=("TRI-002",),
        signed=signed(*signatures),
    )
    return replace(made, agency_feeds=tuple(in_force([first, second])), declared=(first, second))


def found(database: Any, connection: Any, house: Any, ids: list[int]) -> list[Any]:
    support.read(connection, house, *ids)
    quality.judge(connection, database.settings, house, support.FEED, ids)
    return support.rows(
        connection,
        "select delivery_id, record_no, rule_id from quality.findings where rule_id like 'TRI-%%'"
        " and delivery_id = any(%s) order by 1, 2, 3",
        (ids,),
    )


def test_each_record_is_judged_by_the_version_of_its_day(database: Any) -> None:
    connection = database.connect()
    house = house_of(date(2026, 10, 1), date(2026, 10, 20))
    support.prepare(connection, house)
    records = [{"ref": "1", "answer": "Aye"}, {"ref": "2", "answer": "Ja"}]
    # Half an hour apart, on either side of midnight in London.
    before = support.deliver(connection, records, received_at=datetime(2026, 11, 2, 23, 45, tzinfo=UTC))
    after = support.deliver(connection, records, received_at=datetime(2026, 11, 3, 0, 15, tzinfo=UTC))
    wanted = [(before, 1, "TRI-002"), (before, 2, "TRI-001"), (before, 2, "TRI-002"), (after, 1, "TRI-001")]
    assert found(database, connection, house, [before, after]) == wanted
    # Judged again, one by one and in any order, it is the same.
    assert found(database, connection, house, [after]) + found(database, connection, house, [before]) == [
        *wanted[3:],
        *wanted[:3],
    ]

    # Not signed by both: the older one judges on.
    for half in (house_of(), house_of(date(2026, 10, 1))):
        both = found(database, connection, half, [before, after])
        assert [rule for delivery, _, rule in both if delivery == after] == ["TRI-002", "TRI-001", "TRI-002"]
    # Signed on the day itself: from the day after.
    late = house_of(date(2026, 10, 1), NEW_YEAR)
    next_day = support.deliver(connection, records, received_at=datetime(2026, 11, 4, 0, 15, tzinfo=UTC))
    both = found(database, connection, late, [after, next_day])
    assert [rule for delivery, _, rule in both if delivery == after] == ["TRI-002", "TRI-001", "TRI-002"]
    assert [rule for delivery, _, rule in both if delivery == next_day] == ["TRI-001"]
    connection.close()
