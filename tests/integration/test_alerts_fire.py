"""The alert rules fire and rest as their cases say, by Prometheus's own program.

Mend: docker/monitoring/alerts.yml, or alerts_test.yml beside it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MONITORING = Path(__file__).resolve().parents[2] / "docker" / "monitoring"


def promtool(*arguments: str, folder: Path = MONITORING) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        # No Python package has it, and a newcomer needs none of Debian's; .ci/run brings it and fails on any skip.
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("kind", ["check", "test"])
def test_rules_are_what_their_cases_say(kind: str) -> None:
    ran = promtool(kind, "rules", {"check": "alerts.yml", "test": "alerts_test.yml"}[kind])
    assert (ran.returncode, "SUCCESS" in ran.stdout) == (0, True), ran.stdout + ran.stderr


@pytest.mark.parametrize(("old", "new"), [("> 300", "> 3000"), ("< 0.1", "< 0.01")])
def test_rule_with_another_bound_is_found(tmp_path: Path, old: str, new: str) -> None:
    for file in MONITORING.iterdir():
        text = file.read_text()
        (tmp_path / file.name).write_text(text.replace(old, new) if file.name == "alerts.yml" else text)
    assert promtool("test", "rules", "alerts_test.yml", folder=tmp_path).returncode == 1
