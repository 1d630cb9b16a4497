"""A simulated town is like the published figures, and so are its factors and its staff. Mend: simulator/scenarios/parameters.yaml.

Figures: DOMAIN section 9 and the published CSV of Sunderland, by table. A share may be three standard errors from the
published one with so many cases; where another tolerance stands, its test says why.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from frontdoor.simulator.town import scenario as scenarios
from frontdoor.simulator.town.calendar import MONTH_INDEX, Calendar
from frontdoor.simulator.town.chance import stream
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.factors import FACTORS, NONE_FOUND, factors_found
from frontdoor.simulator.town.people import AGENCY
from frontdoor.simulator.town.scenario import Change, Scenario
from frontdoor.simulator.town.town import Town
from frontdoor.simulator.town.workforce import Workforce

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "published_sunderland_ne_england.csv"
# Children of all Sunderland in 2018, and of the town whose year is lived here.
SUNDERLAND, CHILDREN = 54_061, 18_000
# The measures of table c3 by the code of the census.
MEASURES = {
    **{"1A": "Alcohol_Misuse_child", "1B": "Alcohol_Misuse_parent", "1C": "Alcohol_Misuse_person"},
    **{"2A": "Drug_Misuse_child", "2B": "Drug_Misuse_parent", "2C": "Drug_Misuse_person"},
    **{"3A": "Domestic_Abuse_child", "3B": "Domestic_Abuse_parent", "3C": "Domestic_Abuse_person"},
    **{"4A": "Mental_Health_child", "4B": "Mental_Health_parent", "4C": "Mental_Health_person"},
    **{"5A": "Learning_Disability_child", "5B": "Learning_Disability_parent", "5C": "Learning_Disability_person"},
    **{"6A": "Physical_Disability_child", "6B": "Physical_Disability_parent", "6C": "Physical_Disability_person"},
    **{"7A": "Young_Carer", "10A": "Going_missing", "11A": "Child_sexual_exploitation", "12A": "Trafficking"},
    **{"13A": "Gangs", "14A": "Socially_unacceptable_behaviour", "15A": "Self_harm", "16A": "Neglect"},
    **{"17A": "Emotional_Abuse", "18A": "Physical_Abuse_unknown", "19A": "Sexual_Abuse_unknown", "20": "Other"},
}


def lived(scenario: Scenario, date_from: date, date_to: date, children: int, seed: int) -> tuple[Town, list[Day]]:
    town = Town(scenario, date_from, date_to, children, seed)
    return town, list(town.days())


@cache
def published() -> dict[tuple[str, str, str], float]:
    """Numbers by table, year and measure."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["area"] == "Sunderland"]
    return {
        (row["source_table"], row["year_ending_march_or_sept"], row["measure"]): float(row["value"])
        for row in rows
        if row["value"].replace(".", "", 1).isdecimal()
    }


def like(expected: float, cases: int) -> Any:
    """A share within three standard errors."""
    return pytest.approx(expected, abs=3 * sqrt(expected * (1 - expected) / cases))


@pytest.fixture(scope="module")
def year() -> tuple[Town, list[Day]]:
    """A third of Sunderland in the year to March 2018."""
    return lived(scenarios.load("steady"), date(2017, 4, 1), date(2018, 3, 31), CHILDREN, 1)


def rows_of(days: list[Day], table: str) -> list[dict[str, Any]]:
    return [row for day in days for row in day.rows.get(table, [])]


def share(rows: list[dict[str, Any]], name: str) -> float:
    return sum(bool(row[name]) for row in rows) / len(rows)


def factors_of(days: list[Day]) -> list[list[str]]:
    return [row["factors"].split() for row in rows_of(days, "assessments_authorised")]


def test_a_steady_year_is_like_the_published_one(year: tuple[Town, list[Day]]) -> None:
    """Tolerances: a tenth of a count, and three standard errors of a share with so many cases."""
    _, days = year
    of_all = CHILDREN / SUNDERLAND
    referrals, enquiries = rows_of(days, "referrals"), rows_of(days, "section_47")
    assert len(referrals) == pytest.approx(published()["c1", "2018", "Referrals"] * of_all, rel=0.1)
    assert share(referrals, "is_re_referral") == pytest.approx(0.213, abs=0.04)
    assert share(referrals, "is_nfa") == pytest.approx(0.005, abs=0.006)
    assert len(enquiries) == pytest.approx(276.0 * 1.8, rel=0.12)
    assert share(enquiries, "is_to_conference") == pytest.approx(0.569, abs=0.07)
    begun = [row for row in rows_of(days, "plans") if row["plan"] == "cp" and row["on"] > date(2017, 4, 1)]
    assert len(begun) == pytest.approx(published()["d1", "2018", "CPP_start"] * of_all, rel=0.15)
    conferences = rows_of(days, "conferences")
    in_time = sum(row["working_days"] <= 15 for row in conferences) / len(conferences)
    assert in_time == pytest.approx(0.894, abs=0.06)
    categories = Counter(row["category"] for row in conferences if row["category"])
    assert categories["neglect"] / sum(categories.values()) == pytest.approx(0.573, abs=0.1)
    reviews = rows_of(days, "reviews")
    assert sum(row["held_on"] <= row["due_on"] for row in reviews) / len(reviews) == pytest.approx(0.948, abs=0.05)


def test_assessments_are_as_long_as_published_with_the_hump_before_the_deadline(year: tuple[Town, list[Day]]) -> None:
    assessments = rows_of(year[1], "assessments")
    days = [row["working_days"] for row in assessments]
    assert sum(each <= 45 for each in days) / len(days) == pytest.approx(0.767, abs=0.04)
    last, before, after = (sum(low <= each < low + 5 for each in days) for low in (41, 36, 46))
    assert last > 1.2 * before and last > 2 * after, "no hump before 45 days"
    old = {row["assessment_no"] for row in assessments if row["referred_on"] < date(2017, 12, 1)}
    ended = [row for row in rows_of(year[1], "assessments_authorised") if row["assessment_no"] in old]
    not_in_need = sum(row["outcome"] == "not_in_need" for row in ended) / len(ended)
    assert not_in_need == pytest.approx(0.14, abs=0.04)


def test_volumes_months_and_sources_are_as_planned(year: tuple[Town, list[Day]]) -> None:
    town, days = year
    contacts = [contact for day in days for contact in day.contacts]
    assert len(contacts) * SUNDERLAND / CHILDREN == pytest.approx(11_000, rel=0.1)
    assert sum(contact.source == "police" for contact in contacts) * 3.003 == pytest.approx(6_000, rel=0.12)
    visits = [row for row in rows_of(days, "visits") if row["on"] >= town.date_from]
    assert len(visits) * 3.003 == pytest.approx(60_000, rel=0.15)
    months = Counter(day.on.month for day in days for _ in day.contacts)
    assert months[5] > 1.5 * months[8], "May is busy and August quiet"
    for month in months:
        # Three standard errors of 300 contacts, which come by the household.
        index = MONTH_INDEX[(month - 4) % 12]
        assert months[month] * 12 / len(contacts) == pytest.approx(index, abs=0.25), month
    offices = [each for each in contacts if each.source != "police"]
    assert all(town.calendar.is_working(each.happened_at.date()) for each in offices)
    referrals = rows_of(days, "referrals")
    sources = Counter(row["source"] for row in referrals)
    # Those of 2019, as in section 9; the schools with the education services.
    for source, expected in {"police": 0.297, "health": 0.187, "school": 0.195, "housing": 0.011}.items():
        assert sources[source] / len(referrals) == like(expected, len(referrals)), source


def test_sunderlands_year_turns_as_the_published_one_did() -> None:
    """Process improves, quality falls: the published shares of the year to March 2019, after the visit."""
    scenario = scenarios.load("sunderland_2019")
    visit = scenario.anchors["visit"]
    _, days = lived(scenario, date(2018, 4, 1), date(2019, 5, 31), 24_000, 1)
    before = [day for day in days if day.on < visit]
    after = [day for day in days if day.on >= visit]

    def in_time(of: list[Day]) -> float:
        rows = rows_of(of, "assessments")
        return sum(row["working_days"] <= 45 for row in rows) / len(rows)

    def not_in_need(of: list[Day]) -> float:
        rows = rows_of(of, "assessments_authorised")
        return sum(row["outcome"] == "not_in_need" for row in rows) / len(rows)

    assert in_time(after) > in_time(before) + 0.08
    assert not_in_need(after) > not_in_need(before) + 0.2

    def named(of: list[Day]) -> float:
        told = factors_of(of)
        return sum(codes != [NONE_FOUND] for codes in told) / len(told)

    # Published: 78.6 % of assessments named a factor in 2018, 58.5 % in 2019, as fewer were in need.
    assert named(after) < named(before) - 0.1
    assert share(rows_of(after, "section_47"), "is_to_conference") < share(
        rows_of(before, "section_47"), "is_to_conference"
    )
    told = [
        contact
        for day in after
        if day.on > visit + timedelta(days=45)
        for contact in day.contacts
        if contact.source == "police"
    ]
    assert sum(bool(contact.left_out) for contact in told) / len(told) > 0.7
    held = [row["outcome"] for row in rows_of(after, "contacts")]
    assert held.count("held_for_agreement") > 20
    assert not any(row["outcome"] == "held_for_agreement" for row in rows_of(before, "contacts"))
    assert sum(not row["worker_id"] for row in rows_of(after, "plans")) > 10
    audits = [row for row in rows_of(after, "audits") if row["on"] > visit + timedelta(days=14)]
    assert share(audits, "is_good") > share(rows_of(before, "audits"), "is_good") - 0.05
    assert all((row["moderation_agrees"] == "") == (not row["is_moderated"]) for row in audits)
    assert share([row for row in audits if row["is_moderated"]], "moderation_agrees") < 0.65


def test_children_are_of_all_ages_and_some_are_born_in_the_year(year: tuple[Town, list[Day]]) -> None:
    town, _ = year
    ages = Counter(child.age_on(town.date_from) for child in town.children())
    assert all(0.03 < ages[age] / 18_000 < 0.09 for age in range(17)), ages
    assert 0.01 < ages[-1] / 18_000 < 0.06


def test_factors_are_found_as_often_as_published(year: tuple[Town, list[Day]]) -> None:
    told = factors_of(year[1])
    found = [codes for codes in told if codes != [NONE_FOUND]]
    assert all(codes and NONE_FOUND not in codes and len({*codes}) == len(codes) for codes in found)
    named = published()["c3", "2018", "Episodes_with_assessment_factor"]
    assert len(found) / len(told) == like(named / published()["c2", "2018", "Assessments_completed"], len(told))
    counts = Counter(code for codes in found for code in codes)
    assert {*counts} <= {*FACTORS}
    for code, measure in MEASURES.items():
        assert counts[code] / len(found) == like(published()["c3", "2018", measure] / named, len(found)), measure


def test_each_of_many_assessments_names_factors_at_the_published_shares() -> None:
    steady, many = scenarios.load("steady"), 20_000
    told = [factors_found(steady, stream(1, number), date(2018, 1, 1)) for number in range(many)]
    counts = Counter(code for codes in told for code in codes)
    named = published()["c3", "2018", "Episodes_with_assessment_factor"]
    assert {*MEASURES} == {*FACTORS}
    for code, measure in MEASURES.items():
        assert counts[code] / many == like(published()["c3", "2018", measure] / named, many), measure
    together = Counter(len(codes) for codes in told)
    assert together[0] == 0 and together[2] > together[3] > together[4] > 0


def test_where_the_shares_add_up_to_less_than_one_an_assessment_names_one() -> None:
    base = {**scenarios.load("steady").base} | {f"factor_{name}_share": 0.0 for name in FACTORS.values()}
    scenario = Scenario("x", "x", None, base | {"factor_neglect_share": 0.2, "factor_gangs_share": 0.1}, ())
    told = Counter(" ".join(factors_found(scenario, stream(1, number), date(2018, 1, 1))) for number in range(3_000))
    assert {*told} == {"16A", "13A"} and told["16A"] / 3_000 == like(2 / 3, 3_000)


@pytest.mark.parametrize("of", ["2018", "2019"])
def test_staff_are_as_many_come_and_go_and_are_sick_as_published(of: str) -> None:
    """All Sunderland for five years with the shares of a year. Agency workers and vacancies are rounded: half a point."""
    told = {measure: number for (table, on, measure), number in published().items() if (table, on) == ("csww", of)}
    shares = {"turnover_share": told["turnover_rate_fte"], "agency_share": told["agency_rate_fte"]}
    shares |= {"vacancy_share": told["vacancy_rate_fte"], "absence_share": told["absence_rate_fte"]}
    base = {**scenarios.load("steady").base} | {name: number / 100 for name, number in shares.items()}
    first, last = date(2016, 4, 1), date(2021, 3, 31)
    calendar = Calendar(first, last)
    staff = Workforce(Scenario("x", "x", None, base, ()), calendar, 1, SUNDERLAND, first)
    posts, workforce = [], []
    for number in range((last - first).days + 1):
        on = first + timedelta(days=number)
        list(staff.of_day(on))
        if on.day == 1:
            tables = staff.of_month(on)
            posts += tables["posts"]
            workforce += tables["workforce"]
    in_post, agency, vacant, starters, leavers = (
        sum(row[name] for row in posts) for name in ("in_post", "agency", "vacant", "starters", "leavers")
    )
    months = len({row["on"] for row in posts})
    assert agency / (agency + in_post) == pytest.approx(base["agency_share"], abs=0.005)
    assert vacant / (vacant + in_post) == pytest.approx(base["vacancy_share"], abs=0.005)
    if of == "2018":
        assert in_post / months == pytest.approx(told["inpost_fte"], rel=0.03)
        assert agency / months == pytest.approx(told["agency_fte"], rel=0.05)
    # Leavers of five years: as many as are expected, with three standard errors of a count.
    expected = base["turnover_share"] * in_post / 12
    assert leavers == pytest.approx(expected, abs=3 * sqrt(expected))
    assert starters == pytest.approx(leavers, abs=3 * sqrt(expected))
    lost = sum(row["days_lost"] for row in workforce)
    days = calendar.between(first, last) / months * (in_post + agency)
    assert lost / days == pytest.approx(base["absence_share"], rel=0.03)


def test_workers_hold_as_many_cases_as_published(year: tuple[Town, list[Day]]) -> None:
    """A tenth: cases follow the months. From September on, when the first assessments have ended."""
    rows = [row for row in rows_of(year[1], "workforce") if row["on"] >= date(2017, 9, 1)]
    holders = [row for row in rows if not row["left_on"] and not row["team"].startswith("other")]
    assert not any(row["cases"] for row in rows if row["left_on"] or row["team"].startswith("other"))
    cases = sum(row["cases"] for row in holders) / len(holders)
    assert cases == pytest.approx(published()["csww", "2018", "caseload_fte"], rel=0.1)
    agency = sum(row["role"] == AGENCY for row in rows) / len(rows)
    assert agency == pytest.approx(published()["csww", "2018", "agency_rate_fte"] / 100, abs=0.02)


def changed(*changes: Change, **base: float) -> Scenario:
    return replace(scenarios.load("steady"), base={**scenarios.load("steady").base, **base}, changes=changes)


def test_every_case_has_its_worker_whoever_leaves() -> None:
    """Leaving is fast, teams grow and shrink: each month the cases counted are those that somebody holds."""
    moved = (
        Change(date(2018, 6, 1), "locality_workers_per_10000", 12.0, over_days=30),
        Change(date(2018, 6, 1), "assessment_workers_per_10000", 20.0),
        Change(date(2018, 9, 1), "assessment_workers_per_10000", 8.0),
    )
    scenario = changed(*moved, turnover_share=0.9, unallocated_share=0.2)
    town = Town(scenario, date(2018, 4, 1), date(2018, 12, 31), 6_000, 3)
    open_assessments: dict[int, str] = {}
    sizes: dict[str, list[int]] = defaultdict(list)
    for day in town.days():
        open_assessments |= {row["assessment_no"]: row["team"] for row in day.rows.get("assessments", [])}
        staff = {worker.worker_id: worker for worker in town.visiting.workers}
        for row in day.rows.get("assessments_authorised", []):
            team, worker = open_assessments.pop(row["assessment_no"]), staff[row["worker_id"]]
            assert worker.team == team and worker.joined_on <= day.on <= (worker.left_on or day.on)
        running = [plan for plan in town.visiting.plans if plan.ended_on is None and plan.worker]
        assert all(plan.worker.left_on is None and plan.worker.team == plan.team for plan in running if plan.worker)
        held = Counter(open_assessments.values()) + Counter(plan.team for plan in running)
        told: dict[str, int] = defaultdict(int)
        for worker in staff.values():
            told[worker.team] += worker.cases
            assert worker.cases >= 0 and not (worker.left_on and worker.cases), worker.worker_id
        assert +Counter(told) == held, day.on
        for row in day.rows.get("posts", []):
            sizes[row["team"]].append(row["in_post"] + row["agency"])
    # April to December, on the first: 24 and then 12 of 10,000 in three teams; 8, then 20, then 8 in two.
    assert sizes["locality_north"] == [5, 5, 5, 2, 2, 2, 2, 2, 2]
    assert sizes["assessment_east"] == [2, 2, 6, 6, 6, 2, 2, 2, 2]
    assert len({worker.worker_id for worker in town.visiting.workers}) == len(town.visiting.workers)


def test_the_share_from_agencies_follows_a_dated_change_as_people_come() -> None:
    scenario = changed(Change(date(2018, 4, 1), "agency_share", 0.4), turnover_share=0.5)
    first = date(2018, 3, 1)
    staff = Workforce(scenario, Calendar(first, date(2020, 4, 1)), 1, SUNDERLAND, first)
    shares = []
    for number in range(700):
        on = first + timedelta(days=number)
        list(staff.of_day(on))
        if on.day == 1 and on.month in (3, 9):
            rows = staff.of_month(on)["posts"]
            shares.append(sum(row["agency"] for row in rows) / sum(row["in_post"] + row["agency"] for row in rows))
    assert shares[0] == pytest.approx(0.146, abs=0.005)
    assert shares[1] > 0.2 and all(share == pytest.approx(0.4, abs=0.02) for share in shares[2:])
