"""Of each finding alone: until its day nothing is otherwise, from then on its own share is, by its size, and no other.

Mend: simulator/scenarios/q*.yaml, or the stream in simulator/town/ that moved with another's.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import sqrt
from typing import Any, NamedTuple

import pytest

from frontdoor.contract import load_house
from frontdoor.simulator.town import scenario as scenarios
from frontdoor.simulator.town.calendar import Calendar
from frontdoor.simulator.town.plans import Plan
from frontdoor.simulator.town.scenario import Scenario
from frontdoor.simulator.town.simulate import simulate
from frontdoor.simulator.town.telling import Contact
from frontdoor.simulator.town.town import Town

FROM, CHANGE, TO = date(2018, 8, 1), date(2018, 10, 1), date(2019, 3, 31)
# Whoever comes back, or steps up, has done so within so many days.
COMES_BACK = timedelta(days=90)
CHILDREN, SEED = 9_000, 2
QUESTIONS = [f"q{number:02d}" for number in range(1, 21)]
# What is rare in a small town happens more often in these, so that shares of it can be counted.
MORE = {"weaknesses_per_10000": 500.0, "second_screening_share": 0.6, "other_workers_per_10000": 400.0}
Rows = list[dict[str, Any]]


@dataclass
class Life:
    """What happened in a town, by table, and on which days its children had no worker."""

    scenario: Scenario
    calendar: Calendar
    plans: list[Plan]
    contacts: list[Contact] = field(default_factory=list)
    tables: dict[str, Rows] = field(default_factory=lambda: defaultdict(list))
    waiting: int = 0
    child_days: int = 0

    def since(self, table: str, until: date = TO) -> Rows:
        return [row for row in self.tables[table] if CHANGE <= row["on"] <= until]

    def told(self, until: date = TO) -> list[Contact]:
        return [each for each in self.contacts if CHANGE <= each.happened_at.date() <= until]

    def until(self, day: date) -> tuple[object, ...]:
        """All of it before a day."""
        contacts = [plain(each) for each in self.contacts if each.happened_at.date() < day]
        tables = {name: [row for row in rows if row["on"] < day] for name, rows in self.tables.items()}
        return contacts, {name: rows for name, rows in tables.items() if rows}


def plain(contact: Contact) -> dict[str, object]:
    return {name: getattr(contact, name) for name in Contact.__slots__ if name != "child"} | {
        "child": contact.child.child_id
    }


def lived(name: str) -> Life:
    scenario = scenarios.load(name)
    scenario = replace(scenario, base={**scenario.base, **MORE})
    town = Town(scenario, FROM, TO, CHILDREN, SEED)
    life = Life(scenario, town.calendar, town.visiting.plans)
    for day in town.days():
        life.contacts += day.contacts
        for table, rows in day.rows.items():
            life.tables[table] += rows
        if day.on >= CHANGE:
            running = [plan for plan in town.visiting.plans if plan.ended_on is None]
            life.child_days += len(running)
            life.waiting += sum(plan.worker is None for plan in running)
    return life


@pytest.fixture(scope="module")
def steady() -> Life:
    return lived("steady")


def of(rows: Rows, name: str, value: object = True) -> tuple[float, float]:
    return sum(row[name] == value for row in rows), len(rows)


def comes_back(life: Life) -> tuple[float, float]:
    closed = [
        row for row in life.since("contacts", TO - COMES_BACK) if row["outcome"] in ("no_further_action", "early_help")
    ]
    urgent = defaultdict(list)
    for contact in life.contacts:
        if contact.is_late_recognition:
            urgent[contact.child.council_id].append(contact.happened_at.date())
    back = [any(row["on"] < day <= row["on"] + COMES_BACK for day in urgent[row["child_id"]]) for row in closed]
    return sum(back), len(closed)


def wrongly_closed(life: Life) -> tuple[float, float]:
    return of(
        [row for row in life.since("contacts") if row["is_wrongly_closed"] or row["outcome"] == "assessment"],
        "is_wrongly_closed",
    )


def left_out(life: Life, *, is_police: bool, elements: int) -> tuple[float, float]:
    told = [each for each in life.told() if (each.source == "police") == is_police]
    return sum(len(each.left_out) for each in told), elements * len(told)


def decided_late(life: Life) -> tuple[float, float]:
    rows = life.since("contacts")
    return sum(life.calendar.between(row["received_on"], row["decided_at"].date()) > 1 for row in rows), len(rows)


def leavers(life: Life) -> tuple[float, float]:
    own = life.since("posts")
    return sum(row["leavers"] for row in own if row["on"] > CHANGE), sum(row["in_post"] for row in own) / 12


def undecided(life: Life) -> tuple[float, float]:
    told = life.told(TO - timedelta(days=21))
    decided = {row["contact_no"] for row in life.tables["contacts"]}
    return sum(each.contact_no not in decided for each in told), len(told)


def held(life: Life) -> tuple[float, float]:
    without = [row for row in life.since("contacts") if row["agreement"] != "given"]
    asked = [row for row in without if row["outcome"] not in ("link_to_open_case", "strategy_discussion")]
    return of(asked, "outcome", "held_for_agreement")


def stepped_up(life: Life) -> tuple[float, float]:
    enquiries = defaultdict(list)
    for row in life.tables["section_47"]:
        enquiries[row["child_id"]].append(row["on"])
    begun = [row for row in life.since("plans", TO - COMES_BACK) if row["plan"] == "cin"]
    up = [any(timedelta(6) < on - row["on"] <= COMES_BACK for on in enquiries[row["child_id"]]) for row in begun]
    return sum(up), len(begun)


def seen_late(life: Life) -> tuple[float, float]:
    planned = [visit for plan in life.plans for visit in plan.visits if visit.due_set_at.date() >= CHANGE]
    return sum(visit.planned_on > visit.due_on for visit in planned), len(planned)


class Measure(NamedTuple):
    """A share that a parameter makes: how it is counted, what it is at that parameter, how far it may be off besides.

    `off`: beyond chance, since it is not that parameter alone (said of each below). `alone`: the one column of a table
    that the parameter changes in the whole life of a town.
    """

    count: Callable[[Life], tuple[float, float]]
    parameter: str
    times: float = 1
    off: float = 0.0
    alone: tuple[str, str] | None = None


MEASURES: Mapping[str, Measure] = {
    # Not those who are worked with by then, or grown up.
    "q01": Measure(comes_back, "late_recognition_share", off=0.02),
    "q02": Measure(
        lambda life: of(life.since("weaknesses"), "found_by", "own"),
        "self_found_share",
        alone=("weaknesses", "found_by"),
    ),
    "q03": Measure(
        lambda life: of(life.since("pack_items"), "is_quality_measure"),
        "quality_items_share",
        alone=("pack_items", "is_quality_measure"),
    ),
    "q04": Measure(
        lambda life: of(life.since("second_screenings"), "agrees"),
        "second_agreement_share",
        alone=("second_screenings", "agrees"),
    ),
    "q05": Measure(wrongly_closed, "wrong_closure_share"),
    "q06": Measure(
        lambda life: left_out(life, is_police=True, elements=5), "police_missing_share", alone=("told", "left_out")
    ),
    # Those that were due on the first day or before are in it, too.
    "q07": Measure(decided_late, "decided_late_share", off=0.03),
    "q08": Measure(
        lambda life: sum_of(row["working_days"] <= 45 for row in life.since("assessments")), "assessed_in_time_share"
    ),
    "q09": Measure(leavers, "turnover_share", off=0.03),
    "q10": Measure(undecided, "undecided_share", off=0.01),
    # Half of whom the policy stops are held, the others closed.
    "q11": Measure(held, "consent_policy_share", times=0.5),
    "q12": Measure(
        lambda life: left_out(life, is_police=False, elements=4), "partners_missing_share", alone=("told", "left_out")
    ),
    "q13": Measure(
        lambda life: of(life.since("contacts"), "checks_late"), "checks_late_share", alone=("contacts", "checks_late")
    ),
    # Not those whom an enquiry protects meanwhile.
    "not in need": Measure(
        lambda life: of(life.since("assessments_authorised"), "outcome", "not_in_need"), "not_in_need_share", off=0.03
    ),
    # Not those whose plan is over by then; and some of whom is told anew.
    "q14": Measure(stepped_up, "stepped_up_share", off=0.05),
    "q15": Measure(lambda life: sum_of(not each.is_right for each in life.told()), "told_wrong_share"),
    "q16": Measure(seen_late, "visits_late_share", off=0.04),
    "q17": Measure(
        lambda life: of([row for row in life.since("audits") if row["is_moderated"]], "moderation_agrees"),
        "moderation_agrees_share",
        alone=("audits", "moderation_agrees"),
    ),
    "q18": Measure(
        lambda life: of(life.since("strategy_discussions"), "quorate"),
        "quorate_share",
        alone=("strategy_discussions", "quorate"),
    ),
    "q19": Measure(lambda life: (life.waiting, life.child_days), "unallocated_share", off=0.01),
    "q20": Measure(
        lambda life: of(life.since("assessments_authorised"), "has_gaps"),
        "authorised_with_gaps_share",
        alone=("assessments_authorised", "has_gaps"),
    ),
}


def sum_of(found: Any) -> tuple[float, float]:
    told = list(found)
    return sum(told), len(told)


def expected(measure: Measure, scenario: Scenario) -> float:
    return measure.times * scenario.value(measure.parameter, CHANGE)


def without(life: Life, column: tuple[str, str]) -> tuple[object, ...]:
    """The whole life of a town but for one column, told of a contact or of a table."""
    contacts, tables = life.until(TO + timedelta(days=1))
    if column[0] == "told":
        return [{**each, column[1]: ""} for each in contacts], tables  # type: ignore[attr-defined]
    rows = [{**row, column[1]: ""} for row in tables[column[0]]]  # type: ignore[index]
    return contacts, {**tables, column[0]: rows}  # type: ignore[dict-item]


@pytest.mark.parametrize("question", ["steady", *QUESTIONS])
def test_every_share_is_what_the_scenario_says_and_nothing_changes_before_its_day(question: str, steady: Life) -> None:
    life = lived(question) if question != "steady" else steady
    assert life.until(CHANGE) == steady.until(CHANGE)
    for name, measure in MEASURES.items():
        count, total = measure.count(life)
        share = expected(measure, life.scenario)
        # Four standard errors: some four hundred shares are held.
        chance = 4 * sqrt(max(share * (1 - share), 0.01) / total)
        assert count / total == pytest.approx(share, abs=chance + measure.off), (name, count, total)
    if question == "steady":
        return
    measure = MEASURES[question]
    was, now = expected(measure, steady.scenario), expected(measure, life.scenario)
    (count, total), (before, all_before) = measure.count(life), measure.count(steady)
    moved = count / total - before / all_before
    assert (moved > 0) == (now > was) and abs(moved) > abs(now - was) / 2
    if measure.alone:
        assert without(life, measure.alone) == without(steady, measure.alone)


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, Any]]:
    """By scenario: the files that landed, with their bytes' sha256, until the day of change, and September's casework."""

    def sent(name: str) -> tuple[Any, Any]:
        out = tmp_path_factory.mktemp("post") / name
        simulate(load_house(), name, date(2018, 9, 10), date(2018, 10, 7), 3_000, SEED, out)
        with (out / "truth" / "files.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["landed_at"][:10] <= str(CHANGE)]
        return rows, {path.name: path.read_bytes() for path in sorted((out / "casework" / "2018-09").iterdir())}

    return sent


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_lands_until_its_day_is_the_same_to_the_byte(
    question: str, post: Callable[[str], tuple[Any, Any]], september: tuple[Any, Any]
) -> None:
    assert len(september[0]) > 30 and len(september[1]) > 8
    assert post(question) == september


@pytest.fixture(scope="module")
def september(post: Callable[[str], tuple[Any, Any]]) -> tuple[Any, Any]:
    return post("steady")
