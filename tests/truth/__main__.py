"""``python -m tests.truth [town ...]``: send towns through the pipeline, print what it saw of the truth, write it as JSON.

TRUTH_CHILDREN, TRUTH_OUT: how many children a town has, and where the JSON goes (default: truth.json below TMPDIR).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from frontdoor.contract import load_house
from frontdoor.simulator.town.simulate import simulate
from frontdoor.simulator.town.spoiling import GROUPS
from tests.truth import findings, indicators
from tests.truth.ingesting import ingested

SHOWN = 4
CHILDREN = int(os.environ.get("TRUTH_CHILDREN", "4000"))


@dataclass(frozen=True)
class Town:
    """A town of the benchmark: scenario, days, and how often each defect sits where it can, by group."""

    scenario: str
    date_from: date
    date_to: date
    shares: Mapping[str, float] = field(default_factory=dict)
    seed: int = field(default=1)
    # So many times as large as the others: a rare defect must sit somewhere.
    size: float = field(default=1)


SHARES = {"records": 0.03, "files": 0.02, "deliveries": 0.08}
TOWNS = {
    "clean": Town("steady", date(2018, 4, 1), date(2018, 7, 31)),
    "spoiled": Town("steady", date(2018, 4, 1), date(2018, 6, 30), shares=SHARES, seed=2, size=6),
    # Asked twice for the lists of an inspection, and a census.
    "inspected": Town("sunderland_2019", date(2018, 7, 1), date(2018, 8, 15), seed=5),
    "sunderland": Town("sunderland_2019", date(2018, 11, 1), date(2019, 4, 30), seed=3),
    # As large as the city that was inspected: run when it is asked for.
    "year": Town("steady", date(2018, 4, 1), date(2019, 3, 31), seed=7, size=13.5),
}
USUAL = ("clean", "spoiled", "inspected", "sunderland")


def main(names: list[str]) -> int:
    """Run the towns; return 1 when a planted defect was missed, a false alarm raised, or a value is not the truth.

    2 when there is no town of that name.
    """
    if unknown := {*names} - {*TOWNS}:
        print(f"no town {', '.join(sorted(unknown))}; there are: {', '.join(TOWNS)}", file=sys.stderr)
        return 2
    documents: dict[str, Any] = {}
    is_wrong = False
    for name in names or USUAL:
        document, is_right = _run(name, TOWNS[name])
        documents[name] = document
        is_wrong |= not is_right
    path = Path(os.environ.get("TRUTH_OUT", str(Path(tempfile.gettempdir()) / "truth.json")))
    path.write_text(json.dumps(documents, indent=1, default=str) + "\n", encoding="utf-8")
    print("written: truth.json", file=sys.stderr)
    return int(is_wrong)


def _run(name: str, town: Town) -> tuple[dict[str, Any], bool]:
    scratch = Path(tempfile.mkdtemp(prefix=f"truth-{name}-"))
    try:
        began = time.monotonic()
        defects = {defect: share for group, share in town.shares.items() for defect in GROUPS[group]}
        out = scratch / "town"
        done = simulate(
            load_house(),
            town.scenario,
            town.date_from,
            town.date_to,
            round(CHILDREN * town.size),
            town.seed,
            out,
            defects,
        )
        simulated = time.monotonic() - began
        with ingested(out, scratch / "home") as told:
            found, compared = findings.compare(told), indicators.compare(told)
            is_right = _is_right(town, found, compared)
            print(
                f"\n## {name}: {town.scenario}, {town.date_from} to {town.date_to}, {round(CHILDREN * town.size):,} children\n"
            )
            print(
                f"{done.files} files, {done.records:,} records, simulated in {simulated:.0f} s,"
                f" taken and judged in {told.drain_seconds:.0f} s, built in {told.build_seconds:.0f} s\n"
            )
            _print_findings(found)
            if not town.shares:
                _print_indicators(compared)
            sizes = {"files": told.files, "records": told.records, "seconds": round(told.seconds, 1)}
            document = sizes | {"findings": found.as_document()}
            if not town.shares:
                document |= {"indicators": compared.as_document()}
            return document, is_right
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_right(town: Town, found: findings.Found, compared: indicators.Compared) -> bool:
    """Nothing missed, no false alarm, every value the truth; a town in which there was nothing to see shows nothing."""
    if found.missed_places or found.false_places:
        return False
    if town.shares:
        # In a town with defects the values are those of what was told, not of what is true.
        return sum(found.planted.values()) > 0
    return not compared.differ and sum(compared.equal.values()) > 0


def _print_findings(found: findings.Found) -> None:
    print("| defect | planted | found | recall |\n|---|---|---|---|")
    for defect, count in sorted(found.planted.items()):
        print(f"| {defect} | {count} | {found.found[defect]} | {found.found[defect] / count:.3f} |")
    for defect, count in sorted(found.unseen.items()):
        print(f"| {defect} | {count} | no rule sees it | |")
    for defect, count in sorted(found.in_spoiled_files.items()):
        print(f"| {defect} | {count} | in files spoiled as a whole | |")
    print(f"\nfalse alarms: {sum(found.false_alarms.values())} {dict(found.false_alarms) or ''}")
    for place in (*found.missed_places[:5], *found.false_places[:5]):
        print(f"  {place}")


def _print_indicators(compared: indicators.Compared) -> None:
    print("\n| indicator | values equal to the truth | others |\n|---|---|---|")
    for indicator in sorted({*compared.equal, *(key[0] for key, _, _ in compared.differ)}):
        others = sum(key[0] == indicator for key, _, _ in compared.differ)
        print(f"| {indicator} | {compared.equal[indicator]} | {others} |")
    shown: Counter[str] = Counter()
    for key, told, true in compared.differ:
        shown[key[0]] += 1
        if shown[key[0]] <= SHOWN:
            print(f"  {' '.join(map(str, key))}: told {told}, true {true}")
    print(f"\nnot built yet, so not seen: {', '.join(compared.absent)}; no signal is raised from any indicator yet")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
