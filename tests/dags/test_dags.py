"""The DAG files: present, light to parse, one per source, with a runbook. Mend: dags/ and frontdoor/orchestration/."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from frontdoor import contract
from frontdoor.contract import load_house

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
HEAVY = ("great_expectations", "dbt", "pandas")

_PARSE = """
import json, sys
sys.path.insert(0, {root!r})
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r})
found = {{
    dag_id: {{"doc": dag.doc_md or "", "tasks": sorted(dag.task_ids), "catchup": dag.catchup}}
    for dag_id, dag in bag.dags.items()
}}
heavy = [name for name in {heavy!r} if name in sys.modules]
print(json.dumps({{"dags": found, "heavy": heavy, "errors": bag.import_errors}}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return _parsed_by_airflow(tmp_path_factory.mktemp("airflow"))


def _parsed_by_airflow(home: Path, **more: str) -> dict:
    run = subprocess.run(
        [sys.executable, "-c", _PARSE.format(root=str(ROOT), dags=str(DAGS), heavy=HEAVY)],
        env={**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", **more},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.strip().splitlines()[-1])


def test_every_dag_file_is_read_without_an_error(parsed: dict) -> None:
    assert parsed["errors"] == {}


def test_every_source_has_a_dag_named_after_it(parsed: dict) -> None:
    sources = load_house().sources()
    assert sources, "no feed was found in expectations/"
    assert sources == contract.sources(), "what the DAG files list by name is not what the contracts declare"
    assert {f"feed_{source}" for source in sources} <= parsed["dags"].keys()
    assert {"warehouse", "alerts", "sweep"} <= parsed["dags"].keys()


def test_monitoring_has_a_dag_only_where_somebody_is_to_be_told(parsed: dict, tmp_path: Path) -> None:
    assert "monitoring" not in parsed["dags"]
    told = _parsed_by_airflow(tmp_path, FRONTDOOR_METRICS=f"file:{tmp_path}/metrics.prom")
    assert told["dags"]["monitoring"]["tasks"] == ["tell_monitoring"]
    for heading in ("What arrives:", "Who owns it:", "When it fails:", "Run it again:"):
        assert heading in told["dags"]["monitoring"]["doc"]
    assert told["heavy"] == [] and told["errors"] == {}


def test_parsing_imports_no_heavy_library(parsed: dict) -> None:
    assert parsed["heavy"] == [], "import it inside the function that uses it"


def test_every_dag_is_a_runbook_and_never_catches_up(parsed: dict) -> None:
    assert parsed["dags"]
    for dag_id, dag in parsed["dags"].items():
        assert dag["catchup"] is False, dag_id
        for heading in ("What arrives:", "Who owns it:", "When it fails:", "Run it again:"):
            assert heading in dag["doc"], f"{dag_id}: its docstring does not say {heading!r}"


def test_no_dag_file_takes_a_name_that_dbt_would_import() -> None:
    files = list(DAGS.glob("*.py"))
    assert files
    assert not [path.name for path in files if path.name.startswith("dbt_")]


def test_dag_files_hold_no_logic() -> None:
    for path in DAGS.glob("*.py"):
        tree = ast.parse(path.read_text())
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)], (
            f"{path.name} defines functions: logic belongs in frontdoor/, wiring in frontdoor/orchestration/tasks.py"
        )
