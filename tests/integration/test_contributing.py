"""CONTRIBUTING's recipe "Add an agency", followed to the letter in a copy of the checkout. Mend: CONTRIBUTING.md."""

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
RUN = re.compile(r"<!-- run -->\n\s*```console\n(?P<body>.*?)\n\s*```", re.DOTALL)


@pytest.fixture
def recipe() -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.split("## Add an agency")[1].split("\n## ")[0]


def test_recipe_add_an_agency_works_as_it_is_written(recipe: str, database: Any, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for folder in ("frontdoor", "expectations", "dbt_project"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    files = {match["path"]: textwrap.dedent(match["body"]) for match in FILE.finditer(recipe)}
    assert len(files) == 2, "the recipe no longer shows its two files"
    for path, body in files.items():
        assert not (checkout / path).exists()
        (checkout / path).write_text(body + "\n", encoding="utf-8")
    commands = [
        line.strip().removeprefix("$ ") for match in RUN.finditer(recipe) for line in match["body"].splitlines()
    ]
    assert commands, "the recipe no longer shows its commands"
    for command in commands:
        words = shlex.split(command)
        words = (
            [sys.executable, "-m", "frontdoor", *words[1:]] if words[0] == "frontdoor" else [sys.executable, *words[1:]]
        )
        run = subprocess.run(
            words,
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout), **as_environment(database.settings)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, f"{command}: {run.stderr[-1500:]}"
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
