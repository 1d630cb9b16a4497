"""Small towns through the pipeline: it finds what was planted, nothing else, and its values are the truth. Mend: tests/truth."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from frontdoor.contract import load_house
from frontdoor.simulator.town.simulate import simulate
from frontdoor.simulator.town.spoiling import GROUPS
from tests.truth import findings, indicators
from tests.truth.ingesting import ingested


@pytest.mark.timeout(600)
def test_a_town_with_defects_and_weak_practice_is_seen_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "town"
    days = date(2019, 2, 25), date(2019, 4, 7)
    simulate(load_house(), "sunderland_2019", *days, 5_000, 4, out, dict.fromkeys(GROUPS["records"], 0.04))
    with ingested(out, tmp_path / "home") as told:
        found, compared = findings.compare(told), indicators.compare(told)
        assert sum(found.planted.values()) > 100 and len(found.planted) > 12
        assert (found.missed_places, found.false_places) == ([], [])
        # The council's visits have no defect in them, so the gap is the truth's; what agencies told is not.
        gaps = [differ for differ in compared.differ if differ[0][0] == "Q16_visit_gap"]
        assert compared.equal["Q16_visit_gap"] > 15 and not gaps
        # The same towns, held against what they did not plant, are seen to differ.
        with told.connection, told.connection.cursor() as cursor:
            cursor.execute("delete from quality.findings where rule_id = 'POL-016'")
        assert {place[2] for place in findings.compare(told).missed_places} == {"POL-016"}


@pytest.mark.timeout(600)
def test_spoiled_files_and_what_comes_again_late_or_never_is_told_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "town"
    shares = {"records": 0.02, "files": 0.03, "deliveries": 0.08}
    defects = {name: share for group, share in shares.items() for name in GROUPS[group]} | {"late_batch": 0.5}
    simulate(load_house(), "steady", date(2018, 10, 1), date(2018, 11, 25), 8_000, 7, out, defects)
    with ingested(out, tmp_path / "home") as told:
        found = findings.compare(told)
        assert (found.missed_places, found.false_places) == ([], [])
        named = {row["defect"] for row in findings.read(out, "file_defects")}
        assert len(named & {*GROUPS["files"]}) > 12 and {"silence", "same_file_new_name"} <= named
        assert found.planted["late_batch"] and found.planted["reference_used_again"]
        file_defects = findings.read(out, "file_defects")
        spoiled_files = {row["path"] for row in file_defects if row["defect"] not in findings.UNTOUCHED}
        ways = {row["told_by"] for row in findings.read(out, "file_defects")}
        assert {"", "dead letter", "duplicate", "FIL-003", "FIL-023"} <= ways
        # Every record that was read is on the list, whatever its file looked like; one that only came again, once.
        ((loaded, listed),) = told.rows(
            "select (select sum(records_loaded) from intake.deliveries where feed <> 'visit'),"
            " (select count(*) from worklists.triage)"
        )
        spoiled = {(row["path"], row["record_no"]) for row in findings.read(out, "defects")}
        spoiled |= {
            (row["path"], row["record_no"]) for row in findings.read(out, "records") if row["path"] in spoiled_files
        }
        reissued = {
            (row["path"], row["record_no"])
            for row in findings.read(out, "defects")
            if row["defect"] == "technical_ids_reissued" and row["path"] not in spoiled_files
        }
        good = Counter(
            (row["reference"], row["contact_no"])
            for row in findings.read(out, "records")
            if row["contact_no"] and (row["path"], row["record_no"]) not in spoiled - reissued
        )
        came_again = sum(good.values()) - len(good)
        assert came_again == len(reissued) > 0 and loaded - came_again == listed > 150


@pytest.mark.timeout(600)
def test_every_value_of_a_clean_town_is_the_truth(tmp_path: Path) -> None:
    out = tmp_path / "town"
    simulate(load_house(), "sunderland_2019", date(2019, 3, 4), date(2019, 4, 7), 3_000, 1, out)
    with ingested(out, tmp_path / "home") as told:
        compared = indicators.compare(told)
        assert compared.differ == []
        assert {*compared.equal} >= {"Q06_effort", "Q06_graded", "Q06_lag", "Q06_lag_minutes", "Q06_low_grade"}
        assert {*compared.equal} >= {"Q06_unknown", "Q12_unknown", "Q12_sufficiency", "Q16_visit_gap"}
        ((said, partners_said),) = told.rows(
            "select sum(numerator) filter (where indicator_id = 'Q06_unknown'),"
            " sum(numerator) filter (where indicator_id = 'Q12_unknown') from indicators.indicator_values"
        )
        assert said > partners_said > 0, "somebody said that it is not known, or equality would prove nothing"
        assert sum(compared.equal.values()) > 200
        assert "Q11" in compared.absent
        with told.connection, told.connection.cursor() as cursor:
            cursor.execute("update indicators.q06_graded set numerator = numerator + 1")
            cursor.execute("update indicators.q12_unknown set numerator = numerator + 1 where element = 'needs'")
        assert {key[0] for key, _, _ in indicators.compare(told).differ} == {"Q06_graded", "Q12_unknown"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("days", "returns"),
    [
        ((date(2018, 7, 16), date(2018, 8, 3)), {"annex_a": 2, "cin_census": 1}),
        ((date(2019, 4, 24), date(2019, 5, 31)), {"annex_a": 1}),
    ],
)
def test_what_the_council_hands_over_is_read_as_it_is_and_changes_no_picture(
    tmp_path: Path, days: tuple[date, date], returns: dict[str, int]
) -> None:
    out = tmp_path / "town"
    simulate(load_house(), "sunderland_2019", *days, 1_500, 6, out)
    with ingested(out, tmp_path / "home") as told:
        found, compared = findings.compare(told), indicators.compare(told)
        assert (found.missed_places, found.false_places, compared.differ) == ([], [], [])
        # After January some children have no worker, and each list in which one stands says so.
        lists = {row["part"] for row in findings.read(out, "defects")} - {""}
        assert lists == (set() if days[0].year == 2018 else {"list_6", "list_7", "list_8"})
        assert compared.equal["Q16_visit_gap"] > 5
        files = Counter(row["feed"] for row in findings.read(out, "files"))
        assert {source: count for source, count in files.items() if source in told.house.layouts} == returns
        assert told.rows("select * from worklists.unmapped_labels") == []
        layouts, paths = told.house.layouts, {row["path"]: row["feed"] for row in findings.read(out, "files")}
        read = Counter[tuple[str, str]]()
        listed = set[tuple[str, str, str]]()
        for row in findings.read(out, "records"):
            source = paths[row["path"]]
            if source in layouts:
                part = layouts[source].list_called(row["part"])
                feed = part.feed if part else layouts[source].feeds[0]
                if feed:
                    read[source, feed] += 1
                if feed == "referral":
                    listed.add((source, row["reference"], row["child_id"]))
        loaded = told.rows("select source, feed, sum(records_loaded) from intake.deliveries group by source, feed")
        assert {(source, feed): count for source, feed, count in loaded if source in layouts} == read
        # Whoever is on a list is on the front door's, once for each contact, referral and case, however often it was told.
        ((on_the_list,),) = told.rows(
            "select count(distinct (contacts.source, contacts.contact_reference, contacts.child_reference))"
            " from worklists.triage inner join core.fct_contact as contacts"
            " on triage.delivery_id = contacts.delivery_id and triage.record_no = contacts.record_no"
            " where triage.agency_code = 'wearside_council'"
        )
        assert on_the_list == len(listed) > 20
