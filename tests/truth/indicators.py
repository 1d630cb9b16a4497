"""The indicators' values against those that follow from the truth, counted here anew and in Python."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.truth.findings import read
from tests.truth.ingesting import TAKEN_AFTER, Ingested

COUNCIL = "wearside_council"
LONDON = ZoneInfo("Europe/London")
LIMIT_MINUTES = 24 * 60
QUANTILES = {"median": 0.5, "p95": 0.95}
# (indicator, agency, team, element, grain, first day) -> (numerator, denominator, cannot be judged)
Key = tuple[str, str, str, str, str, date]
Value = tuple[float | None, int, int]


@dataclass
class Compared:
    """How many values were held against the truth, by indicator, and which differ: key, told, true."""

    equal: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    differ: list[tuple[Key, Value | None, Value]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        """For the file that is written."""
        differ = [{"key": [str(part) for part in key], "told": told, "true": true} for key, told, true in self.differ]
        return {"equal": dict(self.equal), "differ": differ, "absent": self.absent}


@dataclass(frozen=True)
class _Record:
    """A record of the police's or a partner's, as it is true."""

    agency: str
    feed: str
    received_at: datetime
    known_at: datetime
    sent_at: datetime
    grade: str
    has_fact: bool
    left_out: frozenset[str]
    not_known: frozenset[str]


def _periods(received_at: datetime) -> Iterator[tuple[str, date]]:
    """The week and the month in which something was received."""
    day = received_at.astimezone(LONDON).date()
    yield "week", day - timedelta(days=day.weekday())
    yield "month", day.replace(day=1)


def compare(town: Ingested) -> Compared:
    """Compare every value that the truth tells with the marts'."""
    told = _told(town)
    result = Compared()
    groups: dict[tuple[str, str, date], list[_Record]] = defaultdict(list)
    for record in _records(town):
        for grain, first_day in _periods(record.received_at):
            groups[record.agency, grain, first_day].append(record)
    true: dict[Key, Value] = {}
    for (agency, grain, first_day), records in groups.items():
        for (indicator, element), value in _values(records).items():
            true[indicator, agency, "all", element, grain, first_day] = value
    today = max(file["landed_at"] for file in read(town.town, "files"))[:10]
    for row in read(town.town, "visit_gaps"):
        week = date.fromisoformat(row["week_start"])
        if week + timedelta(days=7) > date.fromisoformat(today):
            continue  # a week that is not over is judged by its last day so far, which the truth does not tell
        key = ("Q16_visit_gap", COUNCIL, row["team"], "all", "week", week)
        true[key] = int(row["not_seen"]), int(row["children"]), 0
    for key, value in true.items():
        if key in told and _agree(key, told[key], value):
            result.equal[key[0]] += 1
        else:
            result.differ.append((key, told.get(key), value))
    # What the marts tell of a period in which nothing is true.
    counted = {(key[0], key[1], key[3]) for key in true if key[0] != "Q16_visit_gap"}
    for key, value in told.items():
        if (key[0], key[1], key[3]) in counted and key not in true and value[1]:
            result.differ.append((key, value, (0, 0, 0)))
    result.differ += _elements_that_differ(told, groups, _unnamed(town))
    result.absent = _absent(town)
    return result


def _values(records: list[_Record]) -> Mapping[tuple[str, str], Value]:
    """What follows from the records of an agency in a period."""
    found: dict[tuple[str, str], Value] = {}
    is_police = records[0].feed == "police"
    elements = {"voice", "household", "history", "needs"} | (
        {"rationale", "grade"} if is_police else {"other_children"}
    )
    for element in elements:
        missing = sum(element in record.left_out for record in records)
        unknown = sum(element in record.not_known for record in records)
        answered = len(records) - missing
        for question in ("Q06",) if is_police else ("Q06", "Q12"):
            found[f"{question}_effort", element] = answered, len(records), 0
            found[f"{question}_sufficiency", element] = answered - unknown, len(records), 0
            found[f"{question}_unknown", element] = unknown, answered, missing
    if not is_police:
        return found
    graded = sum("grade" not in record.left_out for record in records)
    found["Q06_graded", "all"] = graded, len(records), 0
    judged = [record for record in records if "grade" not in record.left_out]
    beside = [record for record in judged if record.has_fact]
    without = [record for record in judged if not record.has_fact]
    blank = [record for record in records if "grade" in record.left_out]
    found["Q06_low_grade", "all"] = _count(beside, "green"), len(beside), sum(each.has_fact for each in blank)
    found["Q06_high_grade", "all"] = _count(without, "red"), len(without), sum(not each.has_fact for each in blank)
    for name in ("sent", "received"):
        # A minute that has begun counts.
        minutes = sorted(
            math.ceil((getattr(each, f"{name}_at") - each.known_at).total_seconds() / 60) for each in records
        )
        late = sum(each > LIMIT_MINUTES for each in minutes)
        found["Q06_lag", f"known_to_{name}"] = late, len(minutes), 0
        for quantile, share in QUANTILES.items():
            reached = next(each for at, each in enumerate(minutes, start=1) if at >= share * len(minutes))
            found["Q06_lag_minutes", f"known_to_{name}_{quantile}"] = reached, len(minutes), 0
    return found


def _count(records: list[_Record], grade: str) -> int:
    return sum(record.grade == grade for record in records)


def _agree(key: Key, told: Value, true: Value) -> bool:
    if key[0] in ("Q06_low_grade", "Q06_high_grade"):
        # A missing grade stands beside both rates or one, as the facts can be told; it is never in a rate.
        return told[:2] == true[:2]
    return told == true


def _elements_that_differ(
    told: Mapping[Key, Value],
    groups: Mapping[tuple[str, str, date], list[_Record]],
    unnamed: Mapping[tuple[str, date], int],
) -> Iterator[tuple[Key, Value | None, Value]]:
    """Of the elements that no sender leaves out nothing may be missing, whatever the number they are asked of.

    The council is asked for none of those others; and a row of its lists, for a child not visited yet, has no number.
    """
    left_out = {"voice", "household", "history", "needs", "rationale", "grade", "other_children", "all"}
    for key, value in told.items():
        indicator, agency, _, element, grain, first_day = key
        if not indicator.endswith(("_effort", "_sufficiency", "_unknown")):
            continue
        if element in left_out:
            if agency == COUNCIL and element != "all" and value != (0, 0, 0):
                yield key, value, (0, 0, 0)
            continue
        missing = unnamed.get((grain, first_day), 0) if (agency, element) == (COUNCIL, "own_reference") else 0
        has_records = agency == COUNCIL or (agency, grain, first_day) in groups
        if indicator.endswith("_unknown"):
            if value[0] or value[2] != missing or not has_records:
                yield key, value, (0, value[1], missing)
            continue
        if value[0] != value[1] - missing or value[2] or not has_records:
            yield key, value, (value[1] - missing, value[1], 0)


def _records(town: Ingested) -> Iterator[_Record]:
    contacts = {row["contact_no"]: row for row in read(town.town, "contacts")}
    files = {row["path"]: row for row in read(town.town, "files")}
    for row in read(town.town, "records"):
        if not row["contact_no"]:
            continue
        file, contact = files[row["path"]], contacts[row["contact_no"]]
        yield _Record(
            file["agency"],
            file["feed"],
            datetime.fromisoformat(file["landed_at"]) + TAKEN_AFTER,
            _instant(contact["known_at"]),
            _instant(contact["sent_at"]),
            contact["grade"],
            contact["has_fact"] == "True",
            frozenset(contact["left_out"].split()),
            frozenset(contact["not_known"].split()),
        )


def _unnamed(town: Ingested) -> Mapping[tuple[str, date], int]:
    """By week and month: records of the council's that have no reference, in lists that are read."""
    files, counts = {row["path"]: row for row in read(town.town, "files")}, Counter[tuple[str, date]]()
    layouts = town.house.layouts
    for row in read(town.town, "records"):
        file = files[row["path"]]
        listed = layouts[file["feed"]].list_called(row["part"]) if file["feed"] in layouts else None
        if not row["reference"] and (listed is None or listed.feed):
            counts.update(_periods(datetime.fromisoformat(file["landed_at"]) + TAKEN_AFTER))
    return counts


def _instant(on_the_clock: str) -> datetime:
    # Of two times of one zone Python counts what the clock on the wall shows, also over the night when it is put on.
    return datetime.fromisoformat(on_the_clock).replace(tzinfo=LONDON).astimezone(UTC)


def _told(town: Ingested) -> dict[Key, Value]:
    rows = town.rows(
        "select indicator_id, agency_code, team_code, element, period_grain, period_start, numerator, denominator,"
        " unknown_count from indicators.indicator_values where basis = 'as_known'"
    )
    return {row[:6]: (row[6], int(row[7]), int(row[8])) for row in rows}


def _absent(town: Ingested) -> list[str]:
    there = {row[0][:3] for row in town.rows("select distinct indicator_id from indicators.indicator_values")}
    return [f"Q{number:02d}" for number in range(1, 21) if f"Q{number:02d}" not in there]
