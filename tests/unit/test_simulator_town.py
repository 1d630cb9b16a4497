"""A simulated town: the same every time, nobody impossible in it, its truth complete. Mend: simulator/town/."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from frontdoor.contract import load_house
from frontdoor.simulator.defects import RECORD
from frontdoor.simulator.town import scenario as scenarios
from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.known_as import DIFFERENCES, known_as
from frontdoor.simulator.town.simulate import landed, simulate
from frontdoor.simulator.town.spoiling import ALL
from frontdoor.simulator.town.telling import on_the_clock
from frontdoor.simulator.town.town import Town

LONDON = ZoneInfo("Europe/London")
FROM, TO = date(2018, 3, 1), date(2018, 5, 20)
SIZE = 400


def bytes_of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def lived(name: str, date_from: date, date_to: date, children: int, seed: int) -> tuple[Town, list[Day]]:
    town = Town(scenarios.load(name), date_from, date_to, children, seed)
    return town, list(town.days())


def test_same_arguments_write_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    defects = dict.fromkeys(ALL, 0.02)
    simulate(load_house(), "sunderland_2019", FROM, TO, SIZE, 5, tmp_path / "one", defects)
    code = (
        "import sys; from datetime import date; from pathlib import Path; from frontdoor.contract import load_house;"
        "from frontdoor.simulator.town.simulate import simulate; from frontdoor.simulator.town.spoiling import ALL;"
        f"simulate(load_house(), 'sunderland_2019', date({FROM:%Y, %-m, %-d}), date({TO:%Y, %-m, %-d}), {SIZE}, 5,"
        " Path(sys.argv[1]), dict.fromkeys(ALL, 0.02))"
    )
    # Another seed of Python's own hashes: an order that comes from a set would show.
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "two")], check=True, env={"PYTHONHASHSEED": "77"})
    one, two = bytes_of(tmp_path / "one"), bytes_of(tmp_path / "two")
    assert one == two and len(one) > 30
    simulate(load_house(), "sunderland_2019", FROM, TO, SIZE, 6, tmp_path / "three", defects)
    assert bytes_of(tmp_path / "three") != one


def test_chance_uses_nothing_that_a_version_of_python_may_change() -> None:
    chance = Chance("7:name")
    told = [chance.random(), chance.randrange(10**6), chance.choice("abcdefgh"), chance.count(40.0), chance.days(9.0)]
    assert told == [0.14949009770572863, 412449, "h", 44, 18]
    assert stream(7, "name").random() == told[0]


@given(st.integers(0, 10**6), st.sampled_from(scenarios.names()))
@bounded(max_examples=12, deadline=None)
def test_no_child_is_impossible(seed: int, name: str) -> None:
    town, days = lived(name, date(2018, 8, 1), date(2018, 12, 31), 600, seed)
    born = {child.council_id: child.dob for child in town.children()}
    assert len(born) == 600 == len({child.nhs_number for child in town.children()})
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for day in days:
        for contact in day.contacts:
            assert contact.child.dob <= contact.happened_at.date() == day.on
            assert contact.happened_at < contact.known_at < contact.sent_at
            assert contact.child.dob < day.on and contact.child.age_on(day.on) < 18
            assert contact.source != "school" or contact.child.age_on(day.on) >= 4
        for table, found in day.rows.items():
            rows[table] += found
    for table in rows:
        assert all(born[row["child_id"]] <= row["on"] for row in rows[table] if "child_id" in row), table
    assert all(on > town.date_to for on in town.agenda.days()), "a day's work was left undone"
    conferred = {row["child_id"] for row in rows["conferences"] if row["is_plan"]}
    since = [row for row in rows["plans"] if row["plan"] == "cp" and row["on"] >= town.date_from]
    assert all(row["child_id"] in conferred for row in since), "a protection plan without a conference"
    running: dict[str, list[tuple[date, date]]] = defaultdict(list)
    for plan in town.visiting.plans:
        assert plan.started_on <= plan.told_from <= (plan.ended_on or town.date_to)
        running[plan.child.child_id].append((plan.told_from, plan.ended_on or date.max))
    for spans in running.values():
        assert all(one[1] <= other[0] for one, other in pairwise(sorted(spans)))
    staff = {worker.worker_id: worker for worker in town.visiting.workers}
    at_work: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    with_somebody: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for plan in town.visiting.plans:
        for visit in plan.visits:
            if visit.made_at and visit.ended_at and visit.recorded_at:
                assert plan.child.dob <= visit.made_at.date() and visit.made_at < visit.ended_at < visit.recorded_at
                assert plan.started_on <= visit.made_at.date() <= (plan.ended_on or date.max)
                worker = staff[visit.worker_id]
                assert worker.joined_on <= visit.made_at.date() <= (worker.left_on or date.max)
                assert town.calendar.is_working(visit.made_at.date())
                at_work[visit.worker_id].append((visit.made_at, visit.ended_at))
                with_somebody[plan.child.child_id].append((visit.made_at, visit.ended_at))
    for who, spans in (*at_work.items(), *with_somebody.items()):
        assert all(one[1] <= other[0] for one, other in pairwise(sorted(spans))), f"{who}: in two places at once"
    assert sum(map(len, at_work.values())) > 100


@pytest.mark.parametrize("day", [date(2019, 3, 31), date(2018, 10, 28)])
def test_no_time_is_told_that_the_clock_leaves_out_or_shows_twice(day: date) -> None:
    for minute in range(0, 24 * 60, 7):
        told = on_the_clock(datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute))
        aware = told.replace(tzinfo=LONDON)
        assert aware.astimezone(UTC).astimezone(LONDON).replace(tzinfo=None) == told
        assert aware.utcoffset() == aware.replace(fold=1).utcoffset()


@pytest.mark.parametrize("name", [f"q{number:02d}" for number in range(1, 21)])
def test_a_finding_alone_changes_one_thing_on_a_known_day(name: str) -> None:
    scenario = scenarios.load(name)
    assert scenario.finding == name.upper() and scenario.began_on == date(2018, 10, 1)
    steady = scenarios.load("steady")
    for parameter in steady.base:
        before, after = (scenario.value(parameter, date(2018, 9, 30)), scenario.value(parameter, date(2018, 10, 1)))
        assert before == steady.base[parameter]
        assert (after != before) == (parameter in {change.parameter for change in scenario.changes})
    assert len(scenario.changes) == (2 if name in ("q08", "q15") else 1)


def test_a_change_in_a_line_and_one_that_ends() -> None:
    change = scenarios.Change(date(2019, 1, 1), "a", 3.0, date(2019, 1, 20), over_days=10)
    scenario = scenarios.Scenario("x", "x", None, {"a": 1.0}, (change,))
    told = [scenario.value("a", date(2018, 12, 31) + timedelta(days=n)) for n in (0, 5, 10, 20, 21)]
    assert told == [1.0, 2.0, 3.0, 3.0, 1.0]


def test_a_scenario_that_names_what_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(scenarios.UnknownScenario, match="steady"):
        scenarios.load("nowhere")
    (tmp_path / "parameters.yaml").write_text("a: {value: 1, source: x}\n")
    (tmp_path / "wrong.yaml").write_text("title: x\nchanges: [{since: 2019-01-01, parameter: b, to: 1}]\n")
    (tmp_path / "day.yaml").write_text("title: x\nchanges: [{since: soon, parameter: a, to: 1}]\n")
    monkeypatch.setattr(scenarios, "FOLDER", tmp_path)
    for name, told in (("wrong", "b"), ("day", "from one day")):
        with pytest.raises(scenarios.BadScenario, match=told):
            scenarios.load.__wrapped__(name)


def test_what_a_town_begins_with_cannot_be_told_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parameters.yaml").write_text("a: {value: 1, source: x, only_first_day: true}\n")
    (tmp_path / "more.yaml").write_text("title: x\nbase: {a: 2}\n")
    (tmp_path / "later.yaml").write_text("title: x\nchanges: [{since: 2019-01-01, parameter: a, to: 2}]\n")
    monkeypatch.setattr(scenarios, "FOLDER", tmp_path)
    assert scenarios.load.__wrapped__("more").base == {"a": 2}
    with pytest.raises(scenarios.BadScenario, match="what a town begins with"):
        scenarios.load.__wrapped__("later")


def test_an_agency_knows_some_children_by_another_name_date_or_address_and_always_the_same() -> None:
    town, _ = lived("steady", FROM, FROM, 6_000, 8)
    children = list(town.children())
    known = [known_as(8, child, "wearside_health", 0.2, FROM) for child in children]
    assert known == [known_as(8, child, "wearside_health", 0.2, FROM) for child in children]
    others = [known_as(8, child, "wearside_police", 0.2, FROM) for child in children]
    assert 0 < sum(one is not None and two is not None for one, two in zip(known, others, strict=True)) < 400
    told = [(child, each) for child, each in zip(children, known, strict=True) if each]
    assert {each.difference for _, each in told} == {*DIFFERENCES}
    assert 0.08 < len(told) / len(children) < 0.2
    for child, each in told:
        is_so = {"forename": child.forename, "surname": child.surname, "dob": child.dob}
        is_so |= {"address": child.household.address, "postcode": child.household.postcode}
        assert all(is_so[name] != value for name, value in each.told.items())
        born = each.told.get("dob", child.dob)
        assert isinstance(born, date) and (born == child.dob or 5 <= FROM.year - born.year <= 16)


def test_some_children_are_twins() -> None:
    town, _ = lived("steady", FROM, FROM, 6_000, 8)
    homes = [home for home in town.homes if len(home.children) > 1]
    twins = [home for home in homes if len({child.dob for child in home.children}) < len(home.children)]
    assert 0.01 < len(twins) / len(homes) < 0.06
    assert all(len({child.forename for child in home.children}) == len(home.children) for home in twins)


def test_the_truth_names_every_record_of_every_file_and_each_planted_defect(tmp_path: Path) -> None:
    out = tmp_path / "town"
    defects = dict.fromkeys(ALL, 0.05)
    done = simulate(load_house(), "steady", FROM, TO, 1_500, 3, out, defects)
    files = list(landed(out))
    assert len(files) == done.files and sum(int(row["records"]) for row in files) == done.records
    for row in files:
        content = (out / "landing" / row["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
    with (out / "truth" / "defects.csv").open(encoding="utf-8", newline="") as file:
        planted = Counter(row["defect"] for row in csv.DictReader(file))
    assert set(planted) <= {*RECORD, "late_batch", "technical_ids_reissued"} and len(planted) > 15
    with pytest.raises(ValueError, match="folder of its own"):
        simulate(load_house(), "steady", FROM, TO, 10, 3, out)
    with pytest.raises(ValueError, match="no defect nowhere"):
        simulate(load_house(), "steady", FROM, TO, 10, 3, tmp_path / "other", {"nowhere": 0.1})


def test_nobody_is_real() -> None:
    town = Town(scenarios.load("steady"), FROM, FROM, 3_000, 1)
    for home in town.homes:
        assert home.postcode.startswith("Q")
    assert all(child.nhs_number.startswith("999") for child in town.children())


@pytest.mark.parametrize("first", [date(2015, 6, 1), date(2016, 3, 28)])
def test_a_town_from_before_the_agreements_is_refused_before_anything_is_written(tmp_path: Path, first: date) -> None:
    with pytest.raises(ValueError, match="has agreed nothing for"):
        simulate(load_house(), "steady", first, date(2016, 4, 20), 50, 3, tmp_path / "town")
    assert not (tmp_path / "town").exists()
    # What is told on the last day of March lands on the first of April, when all have agreed.
    simulate(load_house(), "steady", date(2016, 3, 31), date(2016, 4, 3), 50, 3, tmp_path / "town")
