"""What the contracts' rules found, against the defects that were planted: record by record, nothing missed, nothing else."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frontdoor.simulator.town.sent import DEAD_LETTER, DUPLICATE
from tests.truth.ingesting import Ingested, taken_at

Place = tuple[str, int, str]
# Defects of a file that leave each of its records what it was.
UNTOUCHED = {"byte_order_mark", "utf_16", "windows_1252", "header_reordered", "keys_reordered", "same_name_new_content"}


@dataclass
class Found:
    """By class of defect: planted where a rule must see it, and found. By rule: found where nothing was planted."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    in_spoiled_files: Counter[str] = field(default_factory=Counter)
    false_alarms: Counter[str] = field(default_factory=Counter)
    missed_places: list[Place] = field(default_factory=list)
    false_places: list[Place] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        """For the file that is written."""
        return {
            "planted": dict(self.planted),
            "found": dict(self.found),
            "planted_where_no_rule_sees": dict(self.unseen),
            "planted_in_spoiled_files": dict(self.in_spoiled_files),
            "false_alarms": dict(self.false_alarms),
        }


def compare(town: Ingested) -> Found:
    """Hold every finding against the truth; places are (path of the file, record, rule or other way of telling).

    A list of a workbook is a file of its own: path#list.

    Of a file that is spoiled as a whole the rules of files are held against the truth, under record 0; what its records
    say by then is nobody's to foretell, so their findings are left out and their defects counted apart.
    """
    result = Found()
    found, is_whole = set[Place](), {row["path"]: row["defect"] in UNTOUCHED for row in read(town.town, "file_defects")}
    for path, record_no, rule in _found(town) | _told_otherwise(town):
        if is_whole.get(path, True) and not rule.startswith("FIL-"):
            found.add((path, record_no, rule))
        elif rule.startswith("FIL-") or record_no == 0:
            found.add((path, 0, rule))
    planted: dict[Place, str] = {}
    for row in read(town.town, "file_defects"):
        _plant(result, planted, (row["path"], 0, row["told_by"]), row["defect"])
    for row in read(town.town, "defects"):
        if is_whole.get(row["path"], True):
            _plant(
                result,
                planted,
                (part_of(row["path"], row["part"]), int(row["record_no"]), row["rule_id"]),
                row["defect"],
            )
        else:
            result.in_spoiled_files[row["defect"]] += 1
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


def _plant(result: Found, planted: dict[Place, str], place: Place, defect: str) -> None:
    if place[2]:
        planted[place] = defect
    else:
        result.unseen[defect] += 1


def read(town: Path, table: str) -> list[dict[str, str]]:
    """Return the rows of a table of the truth; none where nothing of the kind happened."""
    path = town / "truth" / f"{table}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _found(town: Ingested) -> set[Place]:
    query = """
        select
            files.agency_code, files.source, files.file_name, files.received_at, members.member_name,
            findings.record_no, findings.rule_id
        from quality.findings
        inner join intake.deliveries on findings.delivery_id = deliveries.delivery_id
        inner join intake.files on deliveries.file_id = files.file_id
        left join intake.members on deliveries.file_id = members.file_id and deliveries.member_no = members.member_no
    """
    path_of = _paths(town)
    return {
        (part_of(path_of[tuple(file)], name if has_lists(town, file[1]) else ""), record_no, rule)
        for *file, name, record_no, rule in town.rows(query)
    }


def has_lists(town: Ingested, source: str) -> bool:
    """Whether files of a source are workbooks of lists."""
    return source in town.house.layouts and bool(town.house.layouts[source].lists)


def part_of(path: str, part: str) -> str:
    """The place of a list in a workbook; of any other file its path."""
    return f"{path}#{part}" if part else path


def _told_otherwise(town: Ingested) -> set[Place]:
    """Files of which a dead letter or the ledger tells, by when and as what they came."""
    query = """
        select
            files.agency_code, files.source, files.file_name, files.received_at, files.status = 'duplicate',
            exists (select from quality.dead_letters where dead_letters.file_id = files.file_id)
        from intake.files
    """
    path_of = _paths(town)
    found: set[Place] = set()
    for *file, is_duplicate, has_letter in town.rows(query):
        ways = {DUPLICATE: is_duplicate, DEAD_LETTER: has_letter}
        found |= {(path_of[tuple(file)], 0, way) for way, is_told in ways.items() if is_told}
    return found


def _paths(town: Ingested) -> dict[tuple[Any, ...], str]:
    """Path of a file by (agency, feed, the name as which it landed, when it was taken); bytes may come again."""
    return {
        (row["agency"], row["feed"], row["lands_as"], taken_at(row)): row["path"] for row in read(town.town, "files")
    }
