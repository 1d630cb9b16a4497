"""Silence counts against coverage, and what a dispute shows to be our own mistake is not charged to the agency.

Mend: dbt_project/models/scores/expected_days.sql and agency_scores.sql, frontdoor/warehouse/migrations/0056_disputes_in_scores.sql,
dbt_project/models/core/fct_rule_score.sql.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from frontdoor import delivery
from frontdoor.quality import disputes
from frontdoor.simulator.sample import sample_nil, sample_records
from tests.integration import test_scores, test_silence
from tests.integration.test_scores import HOUSE, prepared, sample  # noqa: F401
from tests.integration.test_silence import POLICE

RECORDS = 6


@pytest.fixture
def silent(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> test_silence.Here:  # noqa: F811
    made = test_silence.Here(prepared, monkeypatch)
    made.all("truncate quality.expected_deliveries, quality.expecting")
    return made


@pytest.fixture
def here(prepared: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> test_scores.Here:  # noqa: F811
    return test_scores.Here(prepared, monkeypatch, capsys)


def scores(silent: test_silence.Here, fault: str = "any") -> dict[tuple[str, str], tuple[int, int, int]]:
    """(dimension, basis) -> (checked, failed, not run) of the police in the week of 1 March 2027, as built now."""
    delivery.ingest(silent.settings)
    return {
        (dimension, basis): tuple(counts)
        for dimension, basis, *counts in silent.all(
            "select dimension, basis, checked_count, failed_count, not_run_count from scores.agency_scores"
            " where agency_code = %s and feed = %s and week_start = '2027-03-01' and waived = 'counted' and fault = %s",
            *POLICE, fault,
        )
    }  # fmt: skip


def night(seed: int) -> bytes:
    return sample_records(HOUSE, *POLICE, RECORDS, seed=seed)


def test_silence_lowers_coverage_and_nothing_else_and_what_comes_late_was_late_then(silent: test_silence.Here) -> None:
    silent.sweep("2027-03-01 00:30")
    silent.land("2027-03-01 05:00", night(951))
    well = scores(silent)
    known, corrected = ("coverage", "as_known"), ("coverage", "as_corrected")
    checked, failed, not_run = well[corrected]
    assert checked >= RECORDS and (failed, not_run) == (0, 0) and well[known] == well[corrected]

    silent.sweep("2027-03-02 23:00")
    quiet = scores(silent)
    weight = RECORDS  # what came the day before
    assert quiet[known] == quiet[corrected] == (checked + weight, weight, 0)
    assert {key: each for key, each in quiet.items() if key[0] != "coverage"} == {
        key: each for key, each in well.items() if key[0] != "coverage"
    }, "who sends nothing is no better and no worse at what it did send"

    silent.land("2027-03-02 23:30", night(952))
    late = scores(silent)
    assert late[corrected] == (2 * checked, 0, 0), "it came, if late"
    assert late[known] == (2 * checked + weight, weight, 0), "and was missing when it was due"

    silent.land("2027-03-03 05:00", sample_nil(HOUSE, *POLICE, "duty sergeant"))
    signed = scores(silent)
    assert signed[corrected][1] == 0 and signed[corrected][0] > late[corrected][0], "a signed nil was to come, and came"
    assert (signed[corrected][0] - late[corrected][0]) < checked


def test_day_that_a_vendor_lost_is_not_charged_to_the_agency(silent: test_silence.Here) -> None:
    silent.sweep("2027-03-04 00:30")
    silent.sweep("2027-03-04 23:00")
    before = scores(silent)["coverage", "as_corrected"]
    assert before[1] == RECORDS
    silent.all(
        "insert into quality.attributions (agency_code, feed, charged_to, reason, decided_by_role, first_day, last_day,"
        " decided_at, changed_at) values (%s, %s, 'vendor', 'Its export stood still.', 'data_engineer', '2027-03-04',"
        " '2027-03-04', '2027-03-05', '2027-03-05')", *POLICE,
    )  # fmt: skip
    assert scores(silent)["coverage", "as_corrected"] == before, "it is missing all the same"
    charged = scores(silent, fault="agency")
    assert charged["coverage", "as_corrected"] == (before[0] - RECORDS, 0, 0)
    assert charged["coverage", "as_known"][1] == RECORDS, "nobody had decided so then"


@pytest.mark.parametrize(
    ("outcome", "next_step", "charged"),
    [("upheld", "rule_withdrawal", 0), ("upheld", "label_mapping", 0), ("upheld", "waiver", 1), ("rejected", None, 1)],
)
def test_finding_that_was_our_mistake_is_not_charged(
    here: test_scores.Here, outcome: str, next_step: str | None, charged: int
) -> None:
    seed = {"rule_withdrawal": 31, "label_mapping": 33, "waiver": 35, None: 37}[next_step]
    here.week(seed)
    landed = here.land(sample(960 + seed, "REF-003"))
    ((record_no,),) = here.all(
        "select record_no from quality.findings where delivery_id = %s and rule_id = 'REF-003'", landed
    )
    before = here.scores()
    connection = here.database.connect()
    with connection, connection.cursor() as cursor:
        answer = disputes.Answer("REF-003", record_no, disputes.DISPUTE, "The name stands in another column.")
        disputes.record(cursor, landed, [answer], "liaison")
        ((dispute,),) = [[each.dispute_id] for each in disputes.known(cursor) if each.delivery_id == landed]
    here.ahead += timedelta(minutes=20)
    delivery.ingest(here.settings)
    assert here.scores(fault="agency")["completeness", "as_corrected"][1] == 1, "a dispute that is open changes nothing"
    with connection, connection.cursor() as cursor:
        said = {"outcome": outcome, "next_step": next_step, "settlement": "We looked.", "by_role": "team_manager"}
        assert disputes.settle(cursor, dispute, **said)
    connection.close()
    here.ahead += timedelta(minutes=20)
    delivery.ingest(here.settings)
    after = here.scores(fault="agency")
    assert after["completeness", "as_corrected"][1] == charged
    assert after["completeness", "as_known"][1] == 1 and here.scores() == before, "what was said then stays what it was"
