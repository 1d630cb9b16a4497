"""What a town's council hands over each July and to inspectors: whole, possible, and what the case system knows.

Mend: simulator/town/returns/.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest

from frontdoor import reference
from frontdoor.contract import House, load_house
from frontdoor.simulator.town import scenario as scenarios
from frontdoor.simulator.town.returns.casefile import CaseFile
from frontdoor.simulator.town.sending import Sending
from frontdoor.simulator.town.simulate import landed, simulate
from frontdoor.simulator.town.town import Town

FROM, TO = date(2018, 5, 1), date(2019, 7, 31)
SCENARIO, CHILDREN, SEED = "sunderland_2019", 2_500, 11
ENDS = date(2019, 3, 31)
LISTS = ("2018-07-18", "2018-07-25", "2019-01-16", "2019-05-22")
Row = dict[str, str]


@pytest.fixture(scope="module")
def house() -> House:
    return load_house()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, house: House) -> Path:
    out: Path = tmp_path_factory.mktemp("returns") / "town"
    simulate(house, SCENARIO, FROM, TO, CHILDREN, SEED, out)
    return out


def read(out: Path, table: str) -> list[Row]:
    with (out / "truth" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day_of(text: str) -> date:
    return date.fromisoformat(text[:10])


def council(out: Path, name: str) -> Path:
    return out / "landing" / "wearside_council" / name


def episodes(out: Path, year: int) -> list[tuple[dict[str, str], dict[str, str], ElementTree.Element]]:
    """Who the child is, the texts of the episode, its element."""
    (path,) = council(out, "cin_census").glob(f"*{year}-*.xml")
    found = []
    for child in ElementTree.parse(path).getroot().iter("Child"):
        who = {leaf.tag: leaf.text or "" for leaf in child.iter()}
        for episode in child.iter("CINdetails"):
            found.append((who, {leaf.tag: leaf.text or "" for leaf in episode if not len(leaf)}, episode))
    return found


def lists(out: Path, day: str) -> dict[str, list[dict[str, Any]]]:
    book = openpyxl.load_workbook(council(out, "annex_a") / f"annex_a-{day}.xlsx")
    found = {}
    for sheet in book.worksheets:
        header, *rows = sheet.iter_rows(values_only=True)
        found[f"list_{sheet.title.split()[1]}"] = [dict(zip(header, row, strict=True)) for row in rows]
    return found


def test_each_is_handed_over_in_its_afternoon_and_the_same_bytes_twice(out: Path, house: House, tmp_path: Path) -> None:
    files = [row for row in landed(out) if row["feed"] in house.layouts]
    handed = [(row["feed"], row["landed_at"]) for row in files]
    assert handed[:3] == [
        *(("annex_a", f"{day}T15:00:00+00:00") for day in LISTS[:2]),
        ("cin_census", "2018-07-31T15:00:00+00:00"),
    ]
    assert [(feed, at[:10]) for feed, at in handed[3:]] == [
        *(("annex_a", day) for day in LISTS[2:]),
        ("cin_census", "2019-07-31"),
    ]
    simulate(house, SCENARIO, FROM, date(2018, 7, 31), CHILDREN, SEED, tmp_path / "town")
    for row in files[:3]:
        content = (tmp_path / "town" / "landing" / row["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"] and int(row["bytes"]) == len(content)


def test_the_census_has_every_referral_of_its_year_and_every_case_that_was_open(out: Path) -> None:
    told = [row for row in read(out, "records") if row["path"].endswith("census-2019-07-31.xml")]
    found = episodes(out, 2019)
    assert [row["reference"] for row in told] == [texts["CINreferralDate"] for _, texts, _ in found]
    numbers = {row["child_id"]: row["council_id"] for row in read(out, "children")}
    assert [numbers[row["child_id"]] for row in told] == [who["LAchildID"] for who, _, _ in found]
    referrals = {f"referrals {row['referral_no']}": row for row in read(out, "casework/referrals")}
    of_year = {name for name, row in referrals.items() if row["referred_on"] <= str(ENDS)}
    known = {row["tells_of"] for row in told}
    assert of_year == {name for name in known if name.startswith("referrals")} and len(of_year) > 100
    plans = {row["plan_no"]: row for row in read(out, "casework/plans")}
    from_before = {number for number, row in plans.items() if row["started_on"] < str(FROM)}
    assert {f"plans {number}" for number in from_before} == known - of_year
    for row, (_, texts, _) in zip(told, found, strict=True):
        if row["tells_of"] in referrals:
            referral = referrals[row["tells_of"]]
            assert texts["CINreferralDate"] == referral["referred_on"]
            assert texts["ReferralNFA"] == referral["is_nfa"].lower()
            assert (texts["ReferralSource"] == "6") == (referral["source"] == "police")


def test_no_episode_of_the_census_is_impossible(out: Path) -> None:
    spans = defaultdict(list)
    for year in (2018, 2019):
        for who, texts, element in episodes(out, year):
            began, closed = day_of(texts["CINreferralDate"]), texts.get("CINclosureDate", "")
            ends = date(year, 3, 31)
            assert day_of(who["PersonBirthDate"]) <= began <= ends
            assert not closed or began <= day_of(closed) <= ends
            assert bool(closed and texts["ReferralNFA"] == "false") == ("ReasonForClosure" in texts)
            assert (texts.get("PrimaryNeedCode") == "N9") == (texts.get("ReasonForClosure") == "RC8")
            if texts["ReferralNFA"] == "true":
                assert not any(len(leaf) for leaf in element) and closed == texts["CINreferralDate"]
            elif year == ENDS.year:
                spans[who["LAchildID"]].append((began, day_of(closed) if closed else date.max))
            if conference := texts.get("DateOfInitialCPC"):
                assert began <= day_of(conference) <= ends and reference.is_working_day(day_of(conference))
            for plan in element.iter("ChildProtectionPlans"):
                told = {leaf.tag: leaf.text or "" for leaf in plan.iter()}
                assert began <= day_of(told["CPPstartDate"]) <= day_of(told.get("CPPendDate", str(ends)))
    # One episode ends before the next begins.
    assert sum(len(some) > 1 for some in spans.values()) > 5
    for some in spans.values():
        assert all(one[1] <= other[0] for one, other in pairwise(sorted(some)))


def test_an_episode_is_open_as_long_as_the_case_is() -> None:
    town = Town(scenarios.load("steady"), date(2018, 4, 1), date(2018, 12, 31), 3_000, 5)
    file, looked_at = CaseFile(town.date_from, with_contacts=False), 0
    for day in town.days():
        file.note(day)
        if day.on.day == 20:
            is_open = town.casework._cases.is_open
            found = list(file.episodes(day.on))
            told = {each.child_id for each in found if each.closed_on is None}
            assert told == {child.council_id for child in town.children() if is_open(child)}, day.on
            assert all(each.reason or each.is_nfa for each in found if each.closed_on)
            looked_at += len(told)
    assert looked_at > 500


@pytest.mark.parametrize("day", LISTS)
def test_the_lists_are_what_the_case_system_knew_of_six_months(out: Path, day: str) -> None:
    found, on = lists(out, day), day_of(day)
    since = str(date(on.year if on.month > 6 else on.year - 1, (on.month - 7) % 12 + 1, on.day))
    expected: dict[str, Counter[tuple[str, str]]] = {}
    for name, table, column in (
        ("list_1", "contacts", "received_on"),
        ("list_3", "referrals", "referred_on"),
        ("list_5", "section_47", "started_on"),
    ):
        rows = read(out, f"casework/{table}")
        # What is not decided yet is no contact of the case system's.
        known = [row for row in rows if row["on"] < day and row[column] >= since]
        expected[name] = Counter((row["child_id"], row[column]) for row in known)
    columns = {"list_1": "Date of Contact", "list_3": "Date of Referral"}
    columns["list_5"] = "Strategy discussion initiating Section 47 Enquiry Start Date"
    for name, counts in expected.items():
        rows = found.get(name, [])
        assert Counter((row["Child Unique ID"], str(row[columns[name]])[:10]) for row in rows) == counts, name
    assert sum(expected["list_1"].values()) > 40
    ended = {row["plan_no"]: row["ended_on"] for row in read(out, "casework/plans_ended") if row["on"] < day}
    plans = [row for row in read(out, "casework/plans") if row["on"] < day and ended.get(row["plan_no"], day) >= since]
    kinds = Counter(row["plan"] for row in plans)
    counts = [len(found[name]) for name in ("list_6", "list_7", "list_8")]
    assert counts == [len(plans), kinds["cp"], kinds["cla"]]
    last = defaultdict(str)
    for row in read(out, "casework/visits"):
        if row["recorded_at"] < day and row["plan"] == "cp":
            last[row["child_id"]] = max(last[row["child_id"]], row["on"])
    for row in found["list_7"]:
        began, visited = row["Child Protection Plan Start Date"], row["Date of the Last Statutory Visit"]
        assert visited is None or began <= visited < datetime.fromisoformat(day)
        if row["Child Protection Plan End Date"] is None and visited:
            assert str(visited)[:10] == last[row["Child Unique ID"]]


def test_a_child_whom_nobody_holds_is_planted_where_it_stands(out: Path) -> None:
    nobody = {
        (day, name, number)
        for day in LISTS
        for name, rows in lists(out, day).items()
        for number, row in enumerate(rows, start=1)
        if row.get("Allocated Worker") == "#N/A" and row.get("Case Status", "") != "c) Child in need plan"
    }
    planted = {
        (row["path"][-15:-5], row["part"], int(row["record_no"]))
        for row in read(out, "defects")
        if "/annex_a/" in row["path"]
    }
    assert planted == nobody and len(nobody) > 5


def test_a_town_far_from_an_inspection_or_from_july_hands_over_nothing(house: House) -> None:
    for name, date_from, date_to in (
        ("sunderland_2019", date(2024, 8, 1), date(2024, 12, 31)),
        ("steady", date(2018, 8, 1), date(2019, 7, 30)),
        ("steady", date(2018, 7, 31), date(2018, 8, 2)),
    ):
        town = Town(scenarios.load(name), date_from, date_to, 20, 1)
        assert Sending(house, town).returns.days == []
    town = Town(scenarios.load("steady"), date(2017, 7, 30), date(2018, 7, 31), 20, 1)
    assert [day for day, _ in Sending(house, town).returns.days] == [date(2017, 7, 31), date(2018, 7, 31)]


def test_lists_are_asked_for_by_an_anchor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parameters.yaml").write_text("a: {value: 1, source: x}\n")
    (tmp_path / "wrong.yaml").write_text("title: x\nlists: {visit: [2]}\n")
    (tmp_path / "day.yaml").write_text("title: x\nanchors: {visit: 2019-01-14}\nlists: {visit: [0]}\n")
    monkeypatch.setattr(scenarios, "FOLDER", tmp_path)
    for name in ("wrong", "day"):
        with pytest.raises(scenarios.BadScenario, match="by an anchor"):
            scenarios.load.__wrapped__(name)
