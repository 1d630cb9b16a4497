"""Figures, alert rules, their cases and runbook in step. Mend: what the message names, of frontdoor/monitoring/figures.py
and places.py, docker/monitoring/alerts.yml and alerts_test.yml, and CONTRIBUTING.md ("When an alert fires")."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from frontdoor.monitoring import figures

ROOT = Path(__file__).resolve().parents[2]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "docker" / "monitoring" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
CASES: list[dict[str, Any]] = [
    case
    for test in yaml.safe_load((ROOT / "docker" / "monitoring" / "alerts_test.yml").read_text())["tests"]
    for case in test["alert_rule_test"]
]
SECTIONS = {
    title: body
    for title, body in re.findall(
        r"^### (\w+)\n(.*?)(?=^##|\Z)",
        (ROOT / "CONTRIBUTING.md").read_text().split("## When an alert fires\n")[1].split("\n## ")[0],
        re.MULTILINE | re.DOTALL,
    )
}
LABELS = {figures.PREFIX + figure.name: set(figure.labels) for figure in figures.FROM_TABLES} | {
    "frontdoor_disk_free_ratio": {"folder"}
}


def named(rule: dict[str, Any]) -> set[str]:
    return set(re.findall(r"\bfrontdoor_\w+", rule["expr"]))


def test_there_is_a_rule_for_each_figure_and_none_for_anything_else() -> None:
    assert RULES
    of_rules = set().union(*(named(rule) for rule in RULES))
    assert of_rules == figures.helps().keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_says_how_urgent_it_is_and_where_its_section_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"CONTRIBUTING.md#{rule['alert'].lower()}"
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "0m"))
    assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_asks_for_labels_that_its_figures_have(rule: dict[str, Any]) -> None:
    known = set().union(*(LABELS.get(name, set()) for name in named(rule)))
    selected = set(re.findall(r"(\w+)=~?\"", rule["expr"]))
    grouped = {label.strip() for by in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in by.split(",")}
    said = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert selected | grouped | said <= known
    if "by (" in rule["expr"]:
        assert said <= grouped


@pytest.mark.parametrize("side", ["fires", "rests"])
def test_there_is_a_case_in_which_each_rule_fires_and_one_in_which_it_rests(side: str) -> None:
    """Whether it does is asked of Prometheus's own program: tests/integration/test_alerts_fire.py."""
    told = {case["alertname"] for case in CASES if bool(case.get("exp_alerts")) == (side == "fires")}
    missing = [rule["alert"] for rule in RULES if rule["alert"] not in told]
    assert not missing, f"docker/monitoring/alerts_test.yml has no case in which {', '.join(missing)} {side}"
    strangers = {case["alertname"] for case in CASES} - {rule["alert"] for rule in RULES}
    assert not strangers, f"alerts_test.yml speaks of {strangers}, which are no rules: such a case rests always"


def test_each_rule_has_a_section_and_each_section_a_rule() -> None:
    assert [rule["alert"] for rule in RULES] == list(SECTIONS)


@pytest.mark.parametrize("alert", SECTIONS)
def test_section_says_what_it_means_for_children_where_to_look_what_to_do_and_who(alert: str) -> None:
    assert re.findall(r"\*\*([^*]+)\*\*", SECTIONS[alert]) == ["For children", "Look", "Do", "Who"]


def test_labels_of_figures_are_our_own_codes() -> None:
    assert set().union(*LABELS.values()) == {
        *("agency", "feed", "state", "verdict", "severity", "rule", "status", "quantile", "folder")
    }
