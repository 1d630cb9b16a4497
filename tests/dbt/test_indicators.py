"""What the committee reads: scores as first told and as corrected, visits that grow late while nobody sends."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.dbt import records
from tests.dbt.conftest import Marts

pytestmark = pytest.mark.on_both_servers

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def letters(marts: Marts, feed: str, **states: str) -> str:
    """All elements present, but for those that are named."""
    return "".join(states.get(element.name, "P") for element in marts.house.feeds[feed].elements)


def score(
    marts: Marts, indicator: str, element: str, basis: str, start: date, grain: str = "week"
) -> list[tuple[Any, ...]]:
    return records.rows(
        marts.connection,
        "select numerator, denominator, unknown_count from indicators.indicator_values"
        " where indicator_id = %s and element = %s and basis = %s and period_start = %s"
        " and period_grain = %s and agency_code = 'wearside_schools'",
        *(indicator, element, basis, start, grain),
    )


def test_correction_improves_the_score_since_and_never_the_first(marts: Marts, marts_at: Any) -> None:
    def row(number: int, voice: str) -> dict[str, Any]:
        return {
            "contact_reference": f"c{number}",
            "child_ref": "1",
            "forename": "Ann",
            "narrative": voice,
            "letters": letters(marts, "referral", voice=voice),
        }

    records.deliver(marts.connection, marts.house, "referral", [row(number, "M") for number in range(4)], at=MONDAY)
    marts_at(MONDAY + timedelta(hours=1))
    assert score(marts, "Q06_sufficiency", "voice", "as_known", MONDAY.date()) == [(0, 4, 0)]
    later = MONDAY + timedelta(days=8)
    records.deliver(marts.connection, marts.house, "referral", [row(0, "P"), row(1, "U"), row(2, "M")], at=later)
    marts_at(later + timedelta(hours=1))
    assert score(marts, "Q06_sufficiency", "voice", "as_known", MONDAY.date()) == [(0, 4, 0)]
    assert score(marts, "Q06_sufficiency", "voice", "as_corrected", MONDAY.date()) == [(1, 4, 0)]
    assert score(marts, "Q06_effort", "voice", "as_corrected", MONDAY.date()) == [(2, 4, 0)]
    # Of two answers one is that it is not known; the two that were left out are no answers.
    assert score(marts, "Q06_unknown", "voice", "as_corrected", MONDAY.date()) == [(1, 2, 2)]
    assert score(marts, "Q06_unknown", "voice", "as_known", MONDAY.date()) == [(0, 0, 4)]
    assert score(marts, "Q06_sufficiency", "voice", "as_corrected", later.date() - timedelta(days=1)) == []
    assert score(marts, "Q06_sufficiency", "voice", "as_corrected", date(2026, 3, 1), "month") == [(1, 4, 0)]


def test_record_that_could_not_be_read_cannot_be_judged(marts: Marts, marts_at: Any) -> None:
    at = datetime(2026, 5, 5, 9, 0, tzinfo=UTC)
    delivery_id = records.deliver(
        marts.connection,
        marts.house,
        "referral",
        [{"contact_reference": f"u{number}", "child_ref": "1"} for number in range(2)],
        at=at,
        records_in=4,
    )
    with marts.connection.cursor() as cursor:
        cursor.execute(
            "update raw.referral_read set content_hash = 'unread:1' where _delivery_id = %s and _record_no = 1",
            (delivery_id,),
        )
    marts.connection.commit()
    marts_at(at + timedelta(hours=1))
    week = date(2026, 5, 4)
    assert score(marts, "Q06_sufficiency", "voice", "as_known", week) == [(1, 1, 1)]
    assert records.rows(
        marts.connection,
        "select distinct input_completeness_ratio from indicators.q06_sufficiency where period_start = %s",
        week,
    ) == [(0.5,)]


def visit(child: str, number: int, day: date, **changes: Any) -> dict[str, Any]:
    return {
        "visit_id": f"{child}-{number}",
        "child_id_council": child,
        "plan_type": "cp",
        "standard_id": "cp_visit_14_days",
        "plan_started": date(2026, 1, 5),
        "status": "seen",
        "mode": "home",
        "child_seen": "yes",
        "actual_at": datetime(day.year, day.month, day.day, 15, 0, tzinfo=UTC),
        "team_code": "locality_north",
        "recorded_at": datetime(day.year, day.month, day.day, 17, 0, tzinfo=UTC),
        **changes,
    }


def not_seen(marts: Marts) -> dict[str, int]:
    return dict(
        records.rows(
            marts.connection,
            "select children.child_reference, late.days_over from worklists.not_seen as late"
            " inner join core.dim_child as children on late.child_key = children.child_key",
        )
    )


def gaps(marts: Marts, basis: str) -> dict[date, tuple[int, int, int]]:
    return {
        row[0]: row[1:]
        for row in records.rows(
            marts.connection,
            "select period_start, numerator, denominator, unknown_count from indicators.q16_visit_gap"
            " where team_code = 'all' and basis = %s",
            basis,
        )
    }


def test_children_grow_late_while_nobody_sends(marts: Marts, marts_at: Any) -> None:
    seen_on = date(2026, 3, 2)
    extract = [
        visit("seen", 1, seen_on),
        visit("virtual", 1, date(2026, 2, 10)),
        visit("virtual", 2, seen_on, mode="virtual"),
        visit("unsaid", 1, date(2026, 2, 10)),
        visit("unsaid", 2, seen_on, child_seen=None),
        visit("another label", 1, seen_on, mode=None, mode_state="unmapped"),
        visit("withdrawn", 1, seen_on, withdrawn_reason="wrong_child"),
        visit("foretold", 1, MONDAY.date() + timedelta(days=1)),
        visit("ended", 1, date(2026, 1, 6), plan_ended=date(2026, 2, 1)),
    ]
    records.deliver(marts.connection, marts.house, "visit", extract, at=MONDAY + timedelta(days=1))
    marts_at(MONDAY + timedelta(days=2))
    late = {"virtual": 8, "unsaid": 8, "another label": 44, "withdrawn": 44, "foretold": 44}
    assert not_seen(marts) == late
    assert gaps(marts, "as_known") == {MONDAY.date(): (5, 6, 1)}
    marts_at(MONDAY + timedelta(days=15))
    assert not_seen(marts) == {**{child: days + 13 for child, days in late.items()}, "seen": 1}
    assert [value for _, value in sorted(gaps(marts, "as_known").items())] == [(5, 6, 1), (5, 6, 1), (6, 6, 1)]
    # Told late: the child was seen in the week of the ninth. What was known in that week does not change.
    records.deliver(
        marts.connection,
        marts.house,
        "visit",
        [*extract, visit("virtual", 3, date(2026, 3, 10))],
        at=MONDAY + timedelta(days=15),
    )
    marts_at(MONDAY + timedelta(days=15, hours=1))
    assert "virtual" not in not_seen(marts)
    assert [value for _, value in sorted(gaps(marts, "as_known").items())] == [(5, 6, 1), (5, 6, 1), (5, 6, 1)]
    assert [value for _, value in sorted(gaps(marts, "as_corrected").items())] == [(5, 6, 1), (4, 6, 1), (5, 6, 1)]


def test_visit_missing_from_the_next_extract_is_marked_and_still_counts(marts: Marts, marts_at: Any) -> None:
    at = datetime(2026, 6, 2, 9, 0, tzinfo=UTC)
    day = at.date() - timedelta(days=1)
    records.deliver(marts.connection, marts.house, "visit", [visit("gone", 1, day), visit("stays", 1, day)], at=at)
    marts_at(at + timedelta(hours=1))
    records.deliver(marts.connection, marts.house, "visit", [visit("stays", 1, day)], at=at + timedelta(days=1))
    marts_at(at + timedelta(days=1, hours=1))
    marks = (
        "select child_reference, is_current, is_in_latest_extract from core.fct_visit_version"
        " where child_reference = any(%s) order by 1, 2"
    )
    assert records.rows(marts.connection, marks, ["gone", "stays"]) == [
        ("gone", True, False),
        ("stays", False, False),
        ("stays", True, True),
    ]
    assert not {"gone", "stays"} & set(not_seen(marts))


def test_a_sender_of_changes_drops_nothing_and_the_whole_list_shows_what_is_gone(marts: Marts, marts_at: Any) -> None:
    at = datetime(2026, 6, 16, 9, 0, tzinfo=UTC)
    day = at.date() - timedelta(days=1)
    marks = (
        "select child_reference, is_in_latest_extract from core.fct_visit where child_reference = any(%s) order by 1"
    )
    names = ["whole 1", "whole 2", "changed 1", "changed 2"]
    ours = {"agency": "wearside_partnership"}

    def told(named: list[str], days: int, mode: str) -> list[tuple[str, bool]]:
        then = at + timedelta(days=days)
        rows = [visit(name, 1, day) for name in named]
        records.deliver(marts.connection, marts.house, "visit", rows, at=then, delivery_mode=mode, **ours)
        marts_at(then + timedelta(hours=1))
        return records.rows(marts.connection, marks, names)

    assert told(["changed 1"], 0, "increment") == [("changed 1", True)]
    assert told(["changed 2"], 1, "increment") == [("changed 1", True), ("changed 2", True)]
    whole = [("changed 1", False), ("changed 2", True), ("whole 1", True)]
    assert told(["changed 2", "whole 1"], 2, "snapshot") == whole
    assert told(["whole 2"], 3, "increment") == [*whole, ("whole 2", True)]
    assert told(["whole 2"], 4, "snapshot") == [(name, name == "whole 2") for name, _ in [*whole, ("whole 2", True)]]


def test_what_came_in_a_week_was_known_in_it_however_late_it_is_built(marts: Marts, marts_at: Any) -> None:
    monday = datetime(2026, 6, 22, 9, 0, tzinfo=UTC)
    ours = {"agency": "wearside_health"}

    def known() -> list[tuple[Any, ...]]:
        return records.rows(
            marts.connection,
            "select period_start, numerator, denominator from indicators.q16_visit_gap where team_code = 'all'"
            " and basis = 'as_known' and agency_code = %s and period_start in (%s, %s) order by 1",
            *(ours["agency"], monday.date(), monday.date() + timedelta(days=7)),
        )

    def told(child: str, at: datetime, **changes: Any) -> int:
        row = visit(child, 1, date(2026, 6, 19), **changes)
        return records.deliver(marts.connection, marts.house, "visit", [row], at=at, **ours)

    told("built at once", monday)
    marts_at(monday + timedelta(days=10))
    week, next_week = monday.date(), monday.date() + timedelta(days=7)
    assert known() == [(week, 0, 1), (next_week, 0, 1)]
    # The platform was busy: it had both by the Sunday, and builds the second only now.
    late = told("built late", monday + timedelta(days=6), child_seen="no")
    marts_at(monday + timedelta(days=10, hours=1))
    assert known() == [(week, 1, 2), (next_week, 1, 2)]
    # Published again, for it was read wrongly: what was known then stays.
    with marts.connection, marts.connection.cursor() as cursor:
        again = monday + timedelta(days=10, hours=2)
        cursor.execute(
            "update raw.visit_read set child_seen = 'yes', content_hash = content_hash || '!' where _delivery_id = %s",
            (late,),
        )
        cursor.execute(
            "update intake.deliveries set last_published_at = %s, built_in = null, records_built = 0"
            " where delivery_id = %s",
            (again, late),
        )
    marts_at(again)
    assert known() == [(week, 1, 2), (next_week, 0, 2)]


def test_low_counts_are_not_shown_to_the_bi_reader(marts: Marts, marts_at: Any) -> None:
    at = datetime(2026, 7, 7, 9, 0, tzinfo=UTC)
    records.deliver(marts.connection, marts.house, "referral", [{"contact_reference": "few", "child_ref": "1"}], at=at)
    marts_at(at + timedelta(hours=1))
    shown = records.rows(
        marts.connection,
        "select numerator, denominator, rate_ratio, rate_low, is_suppressed from bi.indicator_values"
        " where period_start = '2026-07-06' and element = 'voice' and agency_code = 'wearside_schools'",
    )
    assert shown
    assert set(shown) == {(None, None, None, None, True)}


def test_lists_for_an_inspection_take_no_standard_away_and_end_or_keep_no_plan_that_the_list_of_visits_tells_of(
    marts: Marts, marts_at: Any
) -> None:
    """Such a list has a day of a visit, and neither a standard nor when it was recorded; it is of its day alone."""
    at = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
    day = at.date() - timedelta(days=20)
    looked_after = {"plan_type": "cla", "standard_id": "cla_visit_6_weeks"}
    names = ("by six weeks", "left", "left and back", "only listed")
    ours = [visit(name, 1, day, **looked_after) for name in names[:3]]
    records.deliver(marts.connection, marts.house, "visit", ours, at=at, delivery_mode="increment")

    def listed(name: str, **changes: Any) -> dict[str, Any]:
        unsaid = dict.fromkeys(("standard_id", "status", "mode", "child_seen", "recorded_at"))
        return visit(name, 1, at.date(), **{"visit_id": "list 8 2026-09-01", "plan_type": "cla", **unsaid, **changes})

    def late(days: int) -> set[str]:
        marts_at(at + timedelta(days=days, hours=2))
        return {name for name in not_seen(marts) if name in names}

    lists = [listed(name) for name in names]
    records.deliver(
        marts.connection,
        marts.house,
        "visit",
        lists,
        at=at + timedelta(days=1),
        delivery_mode="snapshot",
        source="annex_a",
    )
    # Seen three weeks ago, under a standard of six: a list that cannot say so changes nothing, be it to the better or the worse.
    # Whom nobody but the list tells of is held to the strictest standard, and its day of a visit is not believed.
    assert late(1) == {"only listed"}
    # What the list of visits says of the end is recorded before the lists came, and told after them.
    gone = [visit(name, 1, day, **looked_after, plan_ended=day + timedelta(days=22)) for name in names[1:3]]
    records.deliver(marts.connection, marts.house, "visit", gone, at=at + timedelta(days=3), delivery_mode="increment")
    assert late(30) == {"by six weeks", "only listed"}
    # Lists that come after that and know of no end are believed before an end is: in doubt the child stays.
    records.deliver(
        marts.connection,
        marts.house,
        "visit",
        [listed("left and back", visit_id="list 8 2026-10-01")],
        at=at + timedelta(days=31),
        delivery_mode="snapshot",
        source="annex_a",
    )
    assert late(31) == {"by six weeks", "left and back", "only listed"}
