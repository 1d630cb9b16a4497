"""What the contracts' rules found, against the defects that were planted: record by record, nothing missed, nothing else."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.truth.ingesting import Ingested

Place = tuple[str, int, str]


@dataclass
class Found:
    """By class of defect: planted where a rule must see it, and found. By rule: found where nothing was planted."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    false_alarms: Counter[str] = field(default_factory=Counter)
    missed_places: list[Place] = field(default_factory=list)
    false_places: list[Place] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        """For the file that is written."""
        return {
            "planted": dict(self.planted),
            "found": dict(self.found),
            "planted_where_no_rule_sees": dict(self.unseen),
            "false_alarms": dict(self.false_alarms),
        }


def compare(town: Ingested) -> Found:
    """Hold every finding against the truth; places are (path of the file, record, rule)."""
    result = Found()
    planted: dict[Place, str] = {}
    for row in read(town.town, "defects"):
        if row["rule_id"]:
            planted[row["path"], int(row["record_no"]), row["rule_id"]] = row["defect"]
        else:
            result.unseen[row["defect"]] += 1
    found = _found(town)
    for place, defect in planted.items():
        result.planted[defect] += 1
        if place in found:
            result.found[defect] += 1
        else:
            result.missed_places.append(place)
    for place in sorted(found - planted.keys()):
        result.false_alarms[place[2]] += 1
        result.false_places.append(place)
    return result


def read(town: Path, table: str) -> list[dict[str, str]]:
    """Return the rows of a table of the truth; none where nothing of the kind happened."""
    path = town / "truth" / f"{table}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _found(town: Ingested) -> set[Place]:
    path_of = {row["sha256"]: row["path"] for row in read(town.town, "files")}
    query = """
        select files.sha256_received, findings.record_no, findings.rule_id
        from quality.findings
        inner join intake.deliveries on findings.delivery_id = deliveries.delivery_id
        inner join intake.files on deliveries.file_id = files.file_id
    """
    return {(path_of[sha256], record_no, rule_id) for sha256, record_no, rule_id in town.rows(query)}
