"""CONTRIBUTING's recipes, followed to the letter in a copy of the checkout. Mend: CONTRIBUTING.md."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from frontdoor.settings import as_environment

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"<!-- file: (?P<path>\S+) -->\n\s*```yaml\n(?P<body>.*?)\n\s*```", re.DOTALL)
APPENDED = re.compile(r"<!-- append: (?P<path>\S+) -->\n\s*```yaml\n(?P<body>.*?)\n\s*```", re.DOTALL)
BESIDE = re.compile(r"<!-- beside: (?P<path>\S+) -->\n\s*```python\n(?P<body>.*?)\n\s*```", re.DOTALL)
RUN = re.compile(r"<!-- run -->\n\s*```console\n(?P<body>.*?)\n\s*```", re.DOTALL)
COPIED = ("frontdoor", "expectations", "dbt_project", "dags", "tests", "README.md", "CONTRIBUTING.md", "pyproject.toml")


def recipe(title: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the recipes touch."""
    place = tmp_path / "checkout"
    place.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "target"))
        else:
            shutil.copy(ROOT / name, place / name)
    (tmp_path / "shared").symlink_to(ROOT.parent / "shared")
    return place


def follow(steps: str, checkout: Path, environment: dict[str, str]) -> list[str]:
    """Run the commands that a recipe shows; what each said."""
    commands = [line.strip().removeprefix("$ ") for each in RUN.finditer(steps) for line in each["body"].splitlines()]
    assert commands, "the recipe no longer shows its commands"
    said = []
    for command in commands:
        first, *words = shlex.split(command)
        run = subprocess.run(
            [sys.executable, *(["-m", "frontdoor"] if first == "frontdoor" else []), *words],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout), **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, f"{command}: {run.stdout[-1500:]} {run.stderr[-1500:]}"
        said.append(run.stdout)
    return said


def test_recipe_add_an_agency_works_as_it_is_written(database: Any, checkout: Path) -> None:
    steps = recipe("Add an agency")
    files = {match["path"]: textwrap.dedent(match["body"]) for match in FILE.finditer(steps)}
    assert len(files) == 2, "the recipe no longer shows its two files"
    for path, body in files.items():
        assert not (checkout / path).exists()
        (checkout / path).write_text(body + "\n", encoding="utf-8")
    follow(steps, checkout, as_environment(database.settings))
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select status, verdict, records_loaded from intake.deliveries where agency_code = 'wearside_leisure'"
        )
        assert cursor.fetchall() == [("published", "accepted", 5)]
        cursor.execute("select count(*) from worklists.triage where agency_code = 'wearside_leisure'")
        assert cursor.fetchone() == (5,)
        cursor.execute("select count(*) from core.dim_agency where agency_code = 'wearside_leisure'")
        assert cursor.fetchone() == (1,)
    connection.close()


def test_recipe_add_a_rule_works_as_it_is_written(checkout: Path) -> None:
    steps = recipe("Add a rule")
    added = list(APPENDED.finditer(steps))
    assert [match["path"] for match in added] == [
        "expectations/visit/contract.odcs.yaml",
        "tests/feeds/visit/cases.yaml",
    ]
    for match in added:
        path = checkout / match["path"]
        path.write_text(f"{path.read_text(encoding='utf-8').rstrip()}\n{match['body']}\n", encoding="utf-8")
    (spoiled,) = BESIDE.finditer(steps)
    path = checkout / spoiled["path"]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('    "VIS-001":', f'{spoiled["body"]}\n    "VIS-001":', 1), encoding="utf-8")
    _, tested, _ = follow(steps, checkout, {})
    assert "3 passed" in tested
    assert "| VIS-090 | warning |" in (checkout / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_recipe_add_a_feed_works_as_it_is_written(database: Any, checkout: Path) -> None:
    _, linted, tested, *_ = follow(recipe("Add a feed"), checkout, as_environment(database.settings))
    assert "4 contracts" in linted
    assert "5 passed" in tested
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("select status, verdict, records_loaded from intake.deliveries where feed = 'attendance'")
        assert cursor.fetchall() == [("published", "accepted", 1)]
        cursor.execute("select sender_reference, is_open from worklists.triage where feed = 'attendance'")
        assert cursor.fetchall() == [("A1", True)]
        cursor.execute("select count(*) from quality.check_results where rule_id like 'ATT-%%' and status = 'pass'")
        assert cursor.fetchone() == (2,)
    connection.close()
