"""Moves of a delivery as events of OpenLineage. Mend: frontdoor/monitoring/lineage.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frontdoor.database import Server
from frontdoor.monitoring import lineage
from frontdoor.monitoring.steps import Built, Move

SERVER = Server("127.0.0.1", 5432, "frontdoor", "frontdoor", "bi_reader", Path("pgpass"))
AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def move(status_from: str | None, status_to: str, at: datetime = AT, since: datetime | None = None) -> Move:
    results = ("POL-001:pass", "POL-002:fail", "POL-003:not_run")
    return Move(7, status_from, status_to, at, since, "wearside_police", "police", "police", 12, results)


@pytest.mark.parametrize(
    ("status_from", "status_to", "events"),
    [
        (None, "received", [("load", "START")]),
        (None, "dead_letter", [("load", "START"), ("load", "FAIL")]),
        ("received", "dead_letter", [("load", "FAIL")]),
        ("received", "loaded", [("load", "COMPLETE"), ("judge", "START")]),
        ("loaded", "checked", [("judge", "COMPLETE"), ("publish", "START")]),
        ("loaded", "published", [("judge", "FAIL"), ("publish", "START"), ("publish", "COMPLETE")]),
        ("checked", "published", [("publish", "COMPLETE")]),
        ("published", "loaded", [("judge", "START")]),
        ("dead_letter", "received", [("load", "START")]),
    ],
)
def test_move_ends_one_step_and_begins_the_next(
    status_from: str | None, status_to: str, events: list[tuple[str, str]]
) -> None:
    told = list(lineage.of_move(move(status_from, status_to, since=AT), SERVER))
    assert [(event.job.name, event.eventType.value) for event in told] == [
        (f"{job}_police", state) for job, state in events
    ]


def test_beginning_and_end_of_a_step_are_one_run_and_a_replay_is_another() -> None:
    later = AT + timedelta(seconds=3)
    (_, begun) = lineage.of_move(move("received", "loaded"), SERVER)
    (ended, _) = lineage.of_move(move("loaded", "checked", at=later, since=AT), SERVER)
    (again,) = lineage.of_move(move("published", "loaded", at=later + timedelta(days=1)), SERVER)
    assert begun.run.runId == ended.run.runId != again.run.runId
    assert (begun.eventTime, ended.eventTime) == (AT.isoformat(), later.isoformat())


def test_check_that_did_not_run_is_no_assertion_that_held() -> None:
    (ended, _) = lineage.of_move(move("loaded", "checked", since=AT), SERVER)
    assertions = ended.inputs[0].inputFacets["dataQualityAssertions"].assertions
    assert {each.assertion: each.success for each in assertions} == {
        "POL-001": True,
        "POL-002": False,
        "POL-003": False,
    }


@pytest.mark.parametrize(("status", "state"), [("succeeded", "COMPLETE"), ("failed", "FAIL"), ("lost", "ABORT")])
def test_build_ends_as_it_ended(status: str, state: str) -> None:
    models = [
        lineage.Model("stg_police", "staging.stg_police", ("raw.police_read",)),
        lineage.Model("triage", "worklists.triage", ("quality.findings", "staging.stg_police")),
    ]
    begun = lineage.of_build(Built(3, "START", AT, None, "running", 12), models, SERVER)
    ended = lineage.of_build(Built(3, "END", AT, AT, status, 12), models, SERVER)
    assert ended.eventType.value == state and ended.run.runId == begun.run.runId
    assert [each.name for each in ended.inputs] == ["frontdoor.quality.findings", "frontdoor.raw.police_read"]
    assert [each.name for each in ended.outputs] == ["frontdoor.staging.stg_police", "frontdoor.worklists.triage"]
    assert {each.namespace for each in ended.inputs} == {"postgres://127.0.0.1:5432"}
