"""What Airflow may see of an error. Mend: frontdoor/orchestration/tasks.py."""

from __future__ import annotations

import traceback

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from frontdoor.orchestration.tasks import without_values


def test_error_that_quotes_a_record_leaves_without_its_text() -> None:
    @without_values
    def step() -> None:
        raise ValueError("Canary Childsname, 2011-01-01")

    with pytest.raises(RuntimeError) as raised:
        step()
    said = "".join(traceback.format_exception(raised.value))
    assert "ValueError" in said
    assert "Canary" not in said.replace('raise ValueError("Canary Childsname, 2011-01-01")', "")


def test_skip_passes_through() -> None:
    @without_values
    def step() -> None:
        raise AirflowSkipException("nothing to publish")

    with pytest.raises(AirflowSkipException):
        step()
