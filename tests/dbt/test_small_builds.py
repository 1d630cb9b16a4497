"""A build of news alone: what it leaves out, and how it finds back when somebody changed a relation by hand.

A failure is mended in frontdoor/warehouse/dbt_runner.py or dbt_project/macros/kept_table.sql.
"""

from datetime import timedelta

import pytest

from frontdoor import warehouse
from frontdoor.warehouse.dbt_runner import Dbt
from tests.dbt import records
from tests.dbt.conftest import Marts

NOTICE = {"notification_ref": "n1", "child_ref": "1", "incident_at": records.START - timedelta(hours=2)}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What dbt was asked to do, call by call."""
    asked: list[list[str]] = []
    call = Dbt._call

    def remember(self: Dbt, arguments: list[str], manifest: object) -> object:
        asked.append(arguments)
        return call(self, arguments, manifest)

    monkeypatch.setattr(Dbt, "_call", remember)
    return asked


def deliver(marts: Marts, number: int) -> int:
    row = {**NOTICE, "notification_ref": f"n{number}", "child_ref": str(number)}
    return records.deliver(marts.connection, marts.house, "police", [row], at=records.START + timedelta(hours=number))


def listed(marts: Marts, delivery_id: int) -> int:
    return len(records.rows(marts.connection, "select from worklists.triage where delivery_id = %s", delivery_id))


def test_news_is_taken_in_without_making_views_again(marts: Marts, calls: list[list[str]]) -> None:
    records.build(marts.settings)
    assert "--select" not in calls[-1]
    first = deliver(marts, 1)
    records.build(marts.settings)
    chosen = calls[-1][calls[-1].index("--select") :]
    assert {"fct_notification_version", "triage", "q16_visit_gap"} <= set(chosen)
    assert not {"stg_police", "bi_indicator_values", "fct_visit_version", "fct_contact_version"} & set(chosen)
    assert listed(marts, first) == 1


def test_project_that_changed_is_made_whole(marts: Marts, calls: list[list[str]]) -> None:
    records.build(marts.settings)
    records.rows(marts.connection, "update warehouse.builds set made_of = 'another text' returning 1")
    delivery_id = deliver(marts, 2)
    records.build(marts.settings)
    assert "--select" not in calls[-1]
    assert listed(marts, delivery_id) == 1


@pytest.mark.parametrize(
    ("relation", "number"),
    [("staging.stg_police", 3), ("core.fct_notification", 4), ("indicators.indicator_values", 5)],
)
def test_view_that_was_dropped_by_hand_loses_no_record_and_comes_back(marts: Marts, relation: str, number: int) -> None:
    records.build(marts.settings)
    records.rows(marts.connection, f"drop view {relation} cascade; select 1")
    delivery_id = deliver(marts, number)
    result = warehouse.build(marts.settings)
    assert listed(marts, delivery_id) == 1, "whatever failed, the record is on the list"
    if result.models_failed:
        result = warehouse.build(marts.settings)
    assert (result.models_failed, listed(marts, delivery_id)) == ((), 1)
    # Nothing of a small build reads what only people read; that is back when the marts' clock next moves by itself.
    records.rows(marts.connection, "update warehouse.clock set as_of = as_of - interval '1 hour' returning 1")
    records.build(marts.settings)
    assert records.rows(marts.connection, "select to_regclass(%s) is not null", relation) == [(True,)]
