"""How dbt's outcomes are read and its environment is set, without running it. A failure is mended in dbt_runner.py."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from frontdoor.warehouse import dbt_runner
from frontdoor.warehouse.dbt_runner import Dbt, Outcome


def result(status: str, message: str = "") -> Any:
    return SimpleNamespace(status=status, message=message)


@pytest.mark.parametrize(
    ("status", "message", "state"),
    [
        ("success", "INSERT 0 5", "success"),
        ("pass", "", "success"),
        ("warn", "Got 3 results", "success"),
        ("skipped", "", "skipped"),
        ("fail", "Got 3 results", "error"),
        ("error", "Database Error: canceling statement due to lock timeout", "try_again"),
        ("error", "Database Error: deadlock detected", "try_again"),
        ("error", 'Database Error: relation "x" does not exist', "error"),
    ],
)
def test_outcome_of_a_node_is_told_from_its_status(status: str, message: str, state: str) -> None:
    assert dbt_runner._state(result(status, message)) == state


class Scripted(Dbt):
    """dbt that answers from a script: one dictionary of states per call."""

    def __init__(self, *answers: dict[str, str]) -> None:
        """Keep the script."""
        super().__init__(Path(), Path(), {})
        object.__setattr__(self, "answers", list(answers))
        object.__setattr__(self, "selected", [])

    def manifest(self) -> Any:
        return SimpleNamespace(nodes={}, sources={}, parent_map={})

    def _invoke(self, command: str, select: Any = (), *, is_made: bool = False) -> dict[str, str] | None:
        self.selected.append(list(select))  # type: ignore[attr-defined]
        return self.answers.pop(0)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt_runner, "sleep", lambda seconds: None)


def test_model_that_gave_up_on_a_lock_is_run_again_with_what_it_held_up() -> None:
    dbt = Scripted({"a": "success", "b": "try_again", "c": "skipped"}, {"b": "success", "c": "success"})
    outcome = dbt.run_models()
    assert dbt.selected == [[], ["b", "c"]]  # type: ignore[attr-defined]
    assert (outcome.succeeded, outcome.failed) == ({"a", "b", "c"}, frozenset())


def test_model_that_gives_up_again_and_again_fails_and_what_follows_is_run_without_it() -> None:
    again = {"b": "try_again", "c": "skipped"}
    dbt = Scripted(again, again, again, again, {"c": "success"})
    outcome = dbt.run_models()
    assert dbt.selected[-1] == ["c"]  # type: ignore[attr-defined]
    assert (outcome.succeeded, outcome.failed) == ({"c"}, {"b"})


def test_wrong_model_is_not_run_again_and_what_follows_is_run_once_without_it() -> None:
    dbt = Scripted({"a": "error", "b": "skipped"}, {"b": "error"})
    assert dbt.run_models().failed == {"a", "b"}
    assert dbt.selected == [[], ["b"]]  # type: ignore[attr-defined]


def test_failed_feeds_are_those_above_a_failed_model() -> None:
    feeds = {"stg_police": frozenset({"police"}), "triage": frozenset({"police", "referral"})}
    assert Outcome(failed=frozenset({"stg_police"}), feeds_of=feeds).feeds_failed() == {"police"}
    assert Outcome(failed=frozenset({"q06"}), feeds_of=feeds).feeds_failed() == frozenset()
    assert Outcome().feeds_failed() == frozenset()


def test_where_all_stands_views_and_models_of_other_feeds_are_left_out_and_no_other() -> None:
    def node(name: str, schema: str, materialized: str, strategy: str = "delete+insert") -> Any:
        config = SimpleNamespace(materialized=materialized, incremental_strategy=strategy)
        return SimpleNamespace(name=name, schema=schema, resource_type="model", config=config)

    nodes = {
        "a": node("stg_police", "staging", "view"),
        "b": node("fct_notification_version", "core", "incremental"),
        "c": node("fct_visit_version", "core", "incremental"),
        "d": node("triage", "worklists", "incremental"),
        "e": node("not_seen", "worklists", "incremental", "replace_all"),
        "f": node("q16_visit_gap", "indicators", "incremental"),
        "g": node("dim_date", "core", "incremental"),
    }
    sources = {feed: SimpleNamespace(schema="raw", identifier=f"{feed}_read") for feed in ("police", "visit")}
    above = {"a": ["police"], "b": ["a"], "c": ["visit"], "d": ["b"], "e": ["c"], "f": ["c"], "g": []}
    manifest = SimpleNamespace(nodes=nodes, sources=sources, parent_map=above)
    feeds_of = dbt_runner._feeds_of(manifest)
    assert dbt_runner._unneeded(manifest, feeds_of, frozenset({"police"})) == {"stg_police", "fct_visit_version"}
    assert dbt_runner._unneeded(manifest, feeds_of, frozenset({"visit"})) == {
        *("stg_police", "fct_notification_version", "triage")
    }


def test_environment_is_put_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=mine")
    monkeypatch.delenv("FRONTDOOR_DBT_HOST", raising=False)
    dbt = Dbt(Path(), Path(), {"PGOPTIONS": "-c TimeZone=UTC", "FRONTDOOR_DBT_HOST": "there"})
    with pytest.raises(KeyError), dbt._connected():
        assert (os.environ["PGOPTIONS"], os.environ["FRONTDOOR_DBT_HOST"]) == ("-c TimeZone=UTC", "there")
        raise KeyError
    assert os.environ["PGOPTIONS"] == "-c search_path=mine"
    assert "FRONTDOOR_DBT_HOST" not in os.environ


def test_project_sends_no_usage_statistics_and_loads_no_seeds() -> None:
    text = (dbt_runner.PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    assert "send_anonymous_usage_stats: false" in text
    assert "--no-send-anonymous-usage-stats" in Dbt(Path(), Path(), {})._options()
    assert "+enabled: false" in text.split("seeds:")[-1]
