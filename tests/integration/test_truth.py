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
        assert {*compared.equal} >= {"Q12_sufficiency", "Q16_visit_gap"} and sum(compared.equal.values()) > 200
        assert "Q11" in compared.absent
        with told.connection, told.connection.cursor() as cursor:
            cursor.execute("update indicators.q06_graded set numerator = numerator + 1")
        assert {key[0] for key, _, _ in indicators.compare(told).differ} == {"Q06_graded"}
