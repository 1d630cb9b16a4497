"""The truth of a town is whole: who lives there, who holds whom, every visit. Mend: simulator/town/truth.py, town.py."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from frontdoor.contract import load_house
from frontdoor.simulator.town import scenario as scenarios
from frontdoor.simulator.town.post import SENDERS
from frontdoor.simulator.town.simulate import landed, simulate
from frontdoor.simulator.town.town import Town
from tests.truth import __main__ as benchmark
from tests.truth import findings, indicators

DAYS = date(2018, 12, 1), date(2019, 4, 30)
SCENARIO, CHILDREN, SEED = "sunderland_2019", 5_000, 3


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town in which staff leave and children lose their workers."""
    out: Path = tmp_path_factory.mktemp("truth") / "town"
    simulate(load_house(), SCENARIO, *DAYS, CHILDREN, SEED, out)
    return out


def read(out: Path, table: str) -> list[dict[str, str]]:
    with (out / "truth" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_visit_is_told_with_its_worker_and_time_also_those_before_the_first_day(out: Path) -> None:
    town = Town(scenarios.load(SCENARIO), *DAYS, CHILDREN, SEED)
    for _ in town.days():
        pass
    made = {
        (str(visit.visit_no), plan.child.council_id, visit.worker_id, str(visit.made_at), str(visit.is_seen))
        for plan, visit in town.visiting.made()
    }
    rows = read(out, "casework/visits")
    names = ("visit_no", "child_id", "worker_id", "made_at", "is_seen")
    assert {tuple(row[name] for name in names) for row in rows} == made and len(rows) == len(made) > 500
    assert sum(row["made_at"] < str(DAYS[0]) for row in rows) > 20


def test_who_holds_a_child_follows_from_its_moves(out: Path) -> None:
    holds: dict[str, str] = {}
    visits = defaultdict(list)
    for row in read(out, "casework/visits"):
        visits[row["on"], row["child_id"]].append(row["worker_id"])
    moves, days = read(out, "casework/allocations"), defaultdict(list)
    for row in moves:
        days[row["on"]].append(row)
    staff = {row["worker_id"]: row for row in read(out, "workers")}
    for day in sorted({*days} | {on for on, _ in visits if on >= str(DAYS[0])}):
        for row in days[day]:
            assert row["worker_id_before"] == ("" if row["why"] == "plan_began" else holds[row["plan_no"]]), row
            assert row["worker_id"] == "" or staff[row["worker_id"]]["team"] == row["team"]
            holds[row["plan_no"]] = row["worker_id"]
    assert {row["why"] for row in moves} == {"plan_began", "worker_left", "worker_found", "handed_back"}
    plans = {row["plan_no"]: row for row in read(out, "casework/plans")}
    assert {*plans} == {*holds}
    held_by = defaultdict(set)
    for row in moves:
        held_by[row["child_id"]].add(row["worker_id"])
    assert all({*workers} <= held_by[child] for (_, child), workers in visits.items())


def test_what_agencies_tell_of_a_family_stands_in_the_truth(out: Path) -> None:
    homes, children = read(out, "households"), read(out, "children")
    assert all(home["adult"] and home["relation"] and home["school"] and home["surgery"] for home in homes)
    assert len(children) == CHILDREN and all(child["ethnicity"] for child in children)


def test_no_agency_tells_by_its_number_what_another_calls_a_child(out: Path) -> None:
    children = read(out, "children")
    columns = ["council_id", *(f"number_at_{agency}" for agency in SENDERS)]
    for column in columns:
        assert len({child[column] for child in children}) == len(children)
    numbers = [[child[column][1:] for column in columns] for child in children]
    alike = sum(len({*row}) < len(row) for row in numbers)
    assert alike < 5, "digits that two agencies share"


def test_a_town_in_which_nothing_happened_has_every_table_all_the_same(tmp_path: Path) -> None:
    simulate(load_house(), "steady", date(2018, 9, 1), date(2018, 9, 1), 1, 1, tmp_path / "town")
    for table in ("files", "records", "withheld", "defects", "file_defects", "contacts", "visit_gaps", "known_as"):
        assert read(tmp_path / "town", table) == [], table
    assert list(landed(tmp_path / "town")) == []


def test_the_benchmark_is_not_right_where_nothing_was_to_be_seen() -> None:
    clean, spoiled = benchmark.TOWNS["clean"], benchmark.TOWNS["spoiled"]
    found, compared = findings.Found(), indicators.Compared()
    assert not benchmark._is_right(clean, found, compared) and not benchmark._is_right(spoiled, found, compared)
    compared.equal["Q06_lag"], found.planted["no_consent"] = 1, 1
    assert benchmark._is_right(clean, found, compared) and benchmark._is_right(spoiled, found, compared)
    found.missed_places.append(("a", 1, "POL-001"))
    assert not benchmark._is_right(clean, found, compared) and not benchmark._is_right(spoiled, found, compared)
    assert benchmark.main(["nowhere"]) == 2
