"""What a scenario says is what happens in its town, by the size that it says. Mend: simulator/scenarios/, simulator/town/."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from math import sqrt
from typing import Any

import pytest

from frontdoor.simulator.town import scenario as scenarios
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.people import TEAMS
from frontdoor.simulator.town.town import Town


def waiting_by_month(town: Town) -> dict[date, tuple[float, float]]:
    """By month: the share of child-days without a worker, and how many staff its locality teams had on the first."""
    waiting, days, staff = Counter[date](), Counter[date](), Counter[date]()
    for day in town.days():
        running = [plan for plan in town.visiting.plans if plan.ended_on is None]
        month = day.on.replace(day=1)
        days[month] += len(running)
        waiting[month] += sum(plan.worker is None for plan in running)
        staff[month] += sum(row["in_post"] + row["agency"] for row in day.rows.get("posts", []) if row["team"] in TEAMS)
    return {month: (waiting[month] / days[month], staff[month]) for month in days}


@pytest.mark.parametrize("children", [1_500, 6_000])
def test_as_many_children_have_no_worker_as_the_scenario_says(children: int) -> None:
    """Each day a whole number of children a team: in a small town half a child of ten."""
    told = waiting_by_month(Town(scenarios.load("q19"), date(2018, 9, 1), date(2019, 1, 31), children, 1))
    assert told.pop(date(2018, 9, 1))[0] == 0
    assert all(share == pytest.approx(0.25, abs=0.03 if children < 2_000 else 0.005) for share, _ in told.values()), (
        told
    )


def test_sunderlands_locality_teams_lose_staff_and_children_wait() -> None:
    scenario = scenarios.load("sunderland_2019")
    told = waiting_by_month(Town(scenario, date(2018, 11, 1), date(2019, 6, 30), 12_000, 1))
    for month, (share, _) in told.items():
        assert share == pytest.approx(scenario.value("unallocated_share", month.replace(day=15)), abs=0.02), month
    staff = [count for _, count in told.values()]
    assert staff[:3] == [30, 30, 30] and staff == sorted(staff, reverse=True) and staff[-1] <= 22


def test_a_child_without_a_worker_gets_one_and_nobody_visits_meanwhile() -> None:
    town = Town(scenarios.load("q19"), date(2018, 9, 1), date(2019, 3, 31), 3_000, 2)
    waits: dict[int, int] = Counter()
    spells = []
    for day in town.days():
        for plan in town.visiting.plans:
            if plan.ended_on is None and plan.worker is None:
                waits[plan.plan_no] += 1
                assert not any(visit.made_at and visit.made_at.date() == day.on for visit in plan.visits)
            elif plan.ended_on is None and (days := waits.pop(plan.plan_no, 0)):
                spells.append(days)
    assert len(spells) > 100 and max(spells) <= 80 and sum(spells) / len(spells) == pytest.approx(40, abs=12)


@pytest.fixture(scope="module")
def year() -> tuple[Town, list[Day]]:
    """A town in which nothing changes, of a sixth of Sunderland."""
    town = Town(scenarios.load("steady"), date(2018, 4, 1), date(2019, 3, 31), 9_000, 4)
    return town, list(town.days())


def rows_of(days: list[Day], table: str) -> list[dict[str, Any]]:
    return [row for day in days for row in day.rows.get(table, [])]


def test_reviews_of_the_plans_that_run_at_first_are_spread(year: tuple[Town, list[Day]]) -> None:
    due = Counter(row["due_on"] for row in rows_of(year[1], "reviews") if row["due_on"] < date(2018, 10, 1))
    assert sum(due.values()) > 50 and max(due.values()) <= 6


def test_removals_name_a_child_and_come_at_any_hour_of_any_day(year: tuple[Town, list[Day]]) -> None:
    removals = rows_of(year[1], "removals")
    begun = {(row["child_id"], row["started_on"]) for row in rows_of(year[1], "plans") if row["plan"] == "cla"}
    assert len(removals) > 15
    assert {(row["child_id"], row["decided_at"].date()) for row in removals} <= begun
    assert len({row["decided_at"].day for row in removals}) > 8
    assert any(not 9 <= row["decided_at"].hour < 17 for row in removals)
    assert any(row["decided_at"].isoweekday() > 5 for row in removals)


def test_weaknesses_and_removals_are_as_many_as_the_town_is_large(year: tuple[Town, list[Day]]) -> None:
    """Three standard errors of a count."""
    small = Town(scenarios.load("steady"), date(2018, 4, 1), date(2019, 3, 31), 900, 4)
    few = list(small.days())
    for days, children in ((year[1], 9_000), (few, 900)):
        expected = small.scenario.value("weaknesses_per_10000", small.date_from) * children / 10_000
        assert len(rows_of(days, "weaknesses")) == pytest.approx(expected, abs=3 * sqrt(expected))
    assert len(rows_of(few, "removals")) < len(rows_of(year[1], "removals")) / 3


def test_only_what_was_moderated_was_found_right_or_wrong(year: tuple[Town, list[Day]]) -> None:
    audits = rows_of(year[1], "audits")
    assert {row["moderation_agrees"] for row in audits if row["is_moderated"]} == {True, False}
    assert {row["moderation_agrees"] for row in audits if not row["is_moderated"]} == {""}


def test_sunderlands_changes_hang_on_its_anchors() -> None:
    scenario, steady = scenarios.load("sunderland_2019"), scenarios.load("steady")
    inspection, visit, next_visit = (scenario.anchors[name] for name in ("inspection", "visit", "next_visit"))
    assert [(day.year, day.month) for day in (inspection, visit, next_visit)] == [(2018, 7), (2019, 1), (2019, 5)]
    counted = {"agency_share", "vacancy_share"}
    after = {change.parameter: change for change in scenario.changes if change.since >= visit}
    assert {change.parameter for change in scenario.changes} == {*after} | counted
    eve = visit - timedelta(days=1)
    for name, change in after.items():
        assert scenario.value(name, eve) == steady.value(name, eve), name
        assert scenario.value(name, next_visit) == change.to != steady.value(name, next_visit), name
    rosy = scenario.value("audits_good_share", inspection)
    assert rosy > steady.value("audits_good_share", inspection)


def test_the_visit_of_may_finds_what_the_numbers_say() -> None:
    """Beside the months before the visit of January, those before the next."""
    scenario = scenarios.load("sunderland_2019")
    town = Town(scenario, date(2018, 9, 1), scenario.anchors["next_visit"], 12_000, 2)
    days = list(town.days())
    before = [day for day in days if day.on < scenario.anchors["visit"]]
    after = [day for day in days if day.on >= scenario.anchors["visit"] + timedelta(days=42)]

    def share(of: list[Day], table: str, name: str, value: object = True) -> float:
        rows = rows_of(of, table)
        return sum(row[name] == value for row in rows) / len(rows)

    def per_day(of: list[Day], table: str) -> float:
        return len(rows_of(of, table)) / len(of)

    assert share(after, "assessments_authorised", "outcome", "not_in_need") > 0.4
    assert share(before, "assessments_authorised", "outcome", "not_in_need") < 0.2
    assert per_day(after, "section_47") > 1.2 * per_day(before, "section_47")
    assert share(after, "section_47", "is_to_conference") < share(before, "section_47", "is_to_conference") - 0.15
    assert per_day(after, "visits") < 0.8 * per_day(before, "visits")
    assert share(after, "audits", "moderation_agrees") < share(before, "audits", "moderation_agrees") - 0.1
    assert share(after, "audits", "is_good") > share(before, "audits", "is_good")
