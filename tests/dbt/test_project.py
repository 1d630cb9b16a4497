"""The dbt project itself: it parses without a warning, its unit tests pass, nothing is undescribed or out of date."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frontdoor.warehouse import sources
from frontdoor.warehouse.dbt_runner import PROJECT, Dbt, dbt_for
from tests import releases
from tests.dbt import records
from tests.dbt.conftest import Marts

WALL_CLOCK = re.compile(
    r"\bnow\(\)|current_date|current_timestamp|localtime|clock_timestamp|run_started_at", re.IGNORECASE
)


@pytest.fixture(scope="module")
def dbt(marts: Marts) -> Dbt:
    records.build(marts.settings)
    return dbt_for(marts.settings, PROJECT)


@pytest.fixture(scope="module")
def models(dbt: Dbt) -> list[Any]:
    manifest = dbt.manifest()
    assert manifest is not None, "dbt cannot parse dbt_project: run `dbt parse` there to see why"
    return [node for node in manifest.nodes.values() if node.resource_type == "model"]


def test_project_parsed_raises_no_warning_and_no_deprecation(dbt: Dbt) -> None:
    done = dbt._call(["parse", "--no-partial-parse", "--warn-error", *dbt._options()], None)
    assert done is not None, "dbt parse warns: run `dbt parse --warn-error --no-partial-parse` in dbt_project"
    assert done.success


def test_what_another_release_left_in_the_folder_of_dbt_leads_no_parse_astray(dbt: Dbt, tmp_path: Path) -> None:
    last = releases.unpack(releases.versions()[-1], tmp_path / "last") / "dbt_project"
    for project in (last, PROJECT, last):
        manifest = replace(dbt, project=project, folder=tmp_path / "dbt").manifest()
        assert manifest is not None, f"{project}: mend Dbt.manifest in frontdoor/warehouse/dbt_runner.py"


def test_unit_tests_all_pass(dbt: Dbt) -> None:
    states = dbt._invoke("test", ["test_type:unit"])
    assert states, "dbt cannot parse dbt_project: run `dbt parse` there to see why"
    failed = sorted(name for name, state in states.items() if state != "success")
    assert len(states) >= 20
    assert not failed, f"run `dbt test --select {' '.join(failed)}` in dbt_project to see the difference"


def test_data_tests_on_empty_marts_all_pass(dbt: Dbt) -> None:
    names = dbt.test_names()
    assert len(names) > 20
    assert dbt.run_tests(names).failed == frozenset()


def test_every_model_says_what_a_row_is_and_every_column_what_it_holds(models: list[Any], marts: Marts) -> None:
    for model in models:
        assert model.description.startswith("One row per "), f"{model.name}: its description must say what a row is"
        built = records.rows(
            marts.connection,
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            f"{model.schema}.{model.alias}",
        )
        assert built, f"{model.name} was not built"
        described = {name for name, column in model.columns.items() if column.description}
        assert {name for (name,) in built} == described, f"{model.name}: columns and descriptions differ"


def test_core_and_bi_have_enforced_contracts(models: list[Any]) -> None:
    loose = [model.name for model in models if model.schema in ("core", "bi") and not model.contract.enforced]
    assert not loose, f"add `config: contract: enforced: true` in models/*/_*__models.yml: {loose}"


def test_no_model_reads_the_wall_clock() -> None:
    read = [path.name for path in sorted(PROJECT.rglob("*.sql")) if WALL_CLOCK.search(path.read_text(encoding="utf-8"))]
    assert not read, f"time comes from warehouse.clock, not from the wall: {read}"


def test_generated_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main(["--check"]) == 0, capsys.readouterr().out


def test_changed_generated_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "dbt_project"
    assert sources.main([], project=project) == 0
    assert sources.main(["--check"], project=project) == 0
    (project / "macros" / "rooms.sql").write_text("changed by hand", encoding="utf-8")
    assert sources.main(["--check"], project=project) == 1
    assert "rooms.sql is not up to date: run python -m frontdoor.warehouse.sources" in capsys.readouterr().out


def test_every_indicator_has_its_catalogue_row(models: list[Any], marts: Marts) -> None:
    computed = {model.name for model in models if model.schema == "indicators"} - {"indicator_values"}
    catalogued = {
        row[0].lower()
        for row in records.rows(marts.connection, "select indicator_id from reference.indicator_catalogue")
    }
    assert computed == catalogued, (
        "each model in models/indicators needs a row in seeds/indicator_catalogue.csv, and each row a model"
    )


def test_bi_reader_reads_bi_and_nothing_else(marts: Marts, dbt: Dbt) -> None:
    readable = records.rows(
        marts.connection,
        "select relnamespace::regnamespace::text, relname from pg_class where relkind in ('r', 'v', 'p')"
        " and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')"
        " and has_schema_privilege('bi_reader', relnamespace, 'usage')"
        " and has_table_privilege('bi_reader', oid, 'select')",
    )
    assert ("bi", "indicator_values") in readable
    assert {schema for schema, _ in readable} == {"bi"}
