"""Warming is a courtesy: it may fail, and the process that asked for it must not. See frontdoor/warehouse/warm.py."""

import sys
from pathlib import Path

import pytest

from frontdoor.warehouse import warm


def test_warming_without_a_database_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDOOR_HOME", str(tmp_path))
    monkeypatch.delenv("FRONTDOOR_DATABASE_URL", raising=False)
    warm.warm()
    assert "dbt.cli.main" in sys.modules


def test_warming_without_dbt_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dbt.cli.main", None)
    warm.warm()
