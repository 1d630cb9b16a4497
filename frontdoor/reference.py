"""Constants as dated rows, for Python: the same CSV seeds that SQL finds in the schema `reference`.

    codes.csv       code lists, with attributes that rules ask for (`is_serious`, `rank`)
    fillers.csv     texts that say nothing ("n/k", "as above") and where they say nothing
    thresholds.csv  numbers that are not clocks
    clocks.csv      limits of time: from which event to which, how long, by what standing
    holidays.csv    bank holidays, with the day on which they were announced

A rule never holds a number or a list; it names a row, and `expand` writes the row's value of that day into the SQL.
Every question takes a day, so yesterday's answer can be had again. A file is read once, and again when it has changed.
Constants change on few days; `unchanged_since` tells the last of them, so that work done once serves until the next.
"""

import csv
import json
import os
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

SEEDS = Path(__file__).parents[1] / "dbt_project" / "seeds"
# The seeds whose rows `expand` writes out, each from one day to another.
DATED = ("codes", "thresholds", "clocks")
PLACEHOLDER = re.compile(r"\{(limit|codes|dates|openings|words):([a-z0-9_]+)(?:\.([a-z0-9_]+))?\}")
NOT_PLAIN, BACKSLASHED = re.compile(r"([^a-z0-9 ])"), r"\\\1"
ZONE = ZoneInfo("Europe/London")
# The one calendar of bank holidays that the seeds hold, by the name that agency files use.
CALENDAR = "england"


class UnknownConstant(LookupError):
    """A rule or a caller named a row that the seeds do not have on that day."""


@dataclass(frozen=True)
class Code:
    """One code of a list on the day asked for."""

    code: str
    label: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Filler:
    """A text that says nothing, small letters. `applies_to`: `any`, kinds of property, or names of properties."""

    text: str
    applies_to: tuple[str, ...]


def codes(code_list: str, on: date) -> Mapping[str, str]:
    """Code -> label of a list on a day, in the order of the file. Raises UnknownConstant for a list without a row."""
    return MappingProxyType({code: each.label for code, each in code_rows(code_list, on).items()})


def code_rows(code_list: str, on: date) -> Mapping[str, Code]:
    """Code -> row of a list on a day. Raises UnknownConstant for a list without a row."""
    found = {
        row["code"]: Code(row["code"], row["label"], MappingProxyType(json.loads(row["attributes"] or "{}")))
        for row in _rows("codes")
        if row["code_list"] == code_list and _is_valid(row, on)
    }
    if not found:
        raise UnknownConstant(f"codes.csv has no row of code list {code_list} on {on}: add one or correct the name")
    return MappingProxyType(found)


def codes_with(code_list: str, attribute: str, on: date) -> tuple[str, ...]:
    """The codes of a list whose attribute is true on a day; may be empty, but the attribute must occur in the list."""
    rows = code_rows(code_list, on).values()
    if not any(attribute in row.attributes for row in rows):
        raise UnknownConstant(
            f"codes.csv: no code of {code_list} has the attribute {attribute}: add it or correct the name"
        )
    return tuple(row.code for row in rows if row.attributes.get(attribute) is True)


def threshold(threshold_id: str, on: date) -> Decimal:
    """The number of a threshold on a day. Raises UnknownConstant."""
    for row in _rows("thresholds"):
        if row["threshold_id"] == threshold_id and _is_valid(row, on):
            return Decimal(row["threshold_value"])
    raise UnknownConstant(f"thresholds.csv has no row {threshold_id} on {on}: add one or correct the name")


def clock(clock_id: str, on: date) -> Decimal:
    """The limit of a clock on a day, in the clock's own unit. Raises UnknownConstant."""
    for row in _rows("clocks"):
        if row["clock_id"] == clock_id and row["limit_value"] and _is_valid(row, on):
            return Decimal(row["limit_value"])
    raise UnknownConstant(f"clocks.csv has no row {clock_id} with a limit on {on}: add one or correct the name")


def limit(limit_id: str, on: date) -> Decimal:
    """A threshold or clock of that name. Raises UnknownConstant."""
    try:
        return threshold(limit_id, on)
    except UnknownConstant:
        try:
            return clock(limit_id, on)
        except UnknownConstant:
            raise UnknownConstant(
                f"neither thresholds.csv nor clocks.csv has a row {limit_id} on {on}: add one or correct the name"
            ) from None


def fillers() -> tuple[Filler, ...]:
    """Every filler."""
    return tuple(Filler(row["filler"], tuple(row["applies_to"].split())) for row in _rows("fillers"))


def fillers_for(name: str, kind: str) -> frozenset[str]:
    """The texts (small letters, trimmed) that say nothing in the property of that name and kind."""
    return frozenset(each.text for each in fillers() if {"any", kind, name} & set(each.applies_to))


def expand(sql: str, on: date) -> str:
    """SQL with every placeholder written out as it stands on a day.

    {limit:ID}              a number: a threshold or a clock
    {codes:LIST}            array of the list's codes; {codes:LIST.ATTRIBUTE}: of those whose attribute is true
    {dates:LIST}            array of dates: the list's codes
    {openings:LIST}         a regular expression: text (small letters) that begins with one of the list's codes
    {words:LIST}            a regular expression: text (small letters) in which one of the list's codes is a word

    Other braces ({batch}) stay. Raises UnknownConstant.
    """
    try:
        dated = _dated()
        return _expanded(sql, _unchanged_since(on, dated), dated)
    except UnknownConstant:
        # Said again with the day that was asked for.
        return PLACEHOLDER.sub(lambda found: _written(found, on), sql)


@lru_cache(maxsize=4096)
def _expanded(sql: str, on: date, _dated: tuple[int, ...]) -> str:
    return PLACEHOLDER.sub(lambda found: _written(found, on), sql)


def unchanged_since(on: date) -> date:
    """The latest day, up to and including `on`, on which a constant began or ceased to hold; `date.min` before any."""
    return _unchanged_since(on, _dated())


def _unchanged_since(on: date, dated: tuple[int, ...]) -> date:
    days = _days_of_change(dated)
    at = bisect_right(days, on)
    return days[at - 1] if at else date.min


@lru_cache(maxsize=2)
def _days_of_change(_dated: tuple[int, ...]) -> tuple[date, ...]:
    rows = [row for seed in DATED for row in _rows(seed)]
    begun = {date.fromisoformat(row["valid_from"]) for row in rows}
    ceased = {date.fromisoformat(row["valid_to"]) + timedelta(days=1) for row in rows if row["valid_to"]}
    return tuple(sorted(begun | ceased))


def working_days_between(date_from: date, date_to: date) -> int:
    """Working days after date_from up to and including date_to; negative when it is earlier."""
    if date_to < date_from:
        return -working_days_between(date_to, date_from)
    days = (date_from + timedelta(days=n) for n in range(1, (date_to - date_from).days + 1))
    return sum(map(is_working_day, days))


def is_working_day(day: date) -> bool:
    """Neither a weekend nor a bank holiday of England."""
    return day.isoweekday() < 6 and day not in _holidays(_stamp("holidays"))


def add_working_hours(start: datetime, hours: float) -> datetime:
    """The instant at which so many hub hours after `start` have passed; `start` is aware, the answer in its zone.

    Hub hours are those of the thresholds hub_opens_hour and hub_closes_hour on working days, local time.
    """
    moment = start.astimezone(ZONE)
    left = timedelta(hours=hours)
    while True:
        opens = datetime.combine(moment.date(), _hour("hub_opens_hour", moment.date()), ZONE)
        closes = datetime.combine(moment.date(), _hour("hub_closes_hour", moment.date()), ZONE)
        moment = max(moment, opens)
        if is_working_day(moment.date()) and moment < closes:
            if left <= closes - moment:
                return (moment + left).astimezone(start.tzinfo)
            left -= closes - moment
        moment = datetime.combine(moment.date() + timedelta(days=1), time(), ZONE)


def _written(found: re.Match[str], on: date) -> str:
    what, name, attribute = found.groups()
    if what == "limit":
        return f"{limit(name, on).normalize():f}"
    listed = codes_with(name, attribute, on) if attribute else tuple(code_rows(name, on))
    if what == "dates":
        return f"array[{', '.join(f'date {_quoted(each)}' for each in listed)}]"
    if what == "openings":
        return _quoted(f"^({'|'.join(NOT_PLAIN.sub(BACKSLASHED, each) for each in listed)})")
    if what == "words":
        return _quoted(rf"\m{_any_of(listed)}\M")
    return f"array[{', '.join(map(_quoted, listed))}]::text[]"


def _any_of(words: tuple[str, ...]) -> str:
    """A regular expression of any of the words, what they begin with alike written once.

    Postgres works a pattern out anew for each text, so a short one halves the time.
    """
    after: dict[str, list[str]] = {}
    for word in words:
        if word:
            after.setdefault(word[0], []).append(word[1:])
    ways = [NOT_PLAIN.sub(BACKSLASHED, first) + _any_of(tuple(rest)) for first, rest in after.items()]
    if not ways:
        return ""
    either = ways[0] if len(ways) == 1 and "" not in words else f"(?:{'|'.join(ways)})"
    return f"{either}?" if "" in words else either


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _hour(threshold_id: str, on: date) -> time:
    minutes = int(threshold(threshold_id, on) * 60)
    return time(minutes // 60, minutes % 60)


def _is_valid(row: Mapping[str, str], on: date) -> bool:
    return row["valid_from"] <= on.isoformat() and (not row["valid_to"] or on.isoformat() <= row["valid_to"])


def stamp() -> tuple[int, ...]:
    """Return what changes when a seed does."""
    return tuple(_stamp(path.stem) for path in sorted(SEEDS.glob("*.csv")))


def _dated() -> tuple[int, ...]:
    return tuple(map(_stamp, DATED))


def _rows(seed: str) -> tuple[Mapping[str, str], ...]:
    return _read(seed, _stamp(seed))


def _stamp(seed: str) -> int:
    # Asked for each expression of each rule: as text, because a path takes longer to join than to look at.
    return os.stat(f"{SEEDS}/{seed}.csv").st_mtime_ns


@lru_cache(maxsize=16)
def _read(seed: str, stamp: int) -> tuple[Mapping[str, str], ...]:
    with (SEEDS / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(MappingProxyType(row) for row in csv.DictReader(file))


@lru_cache(maxsize=2)
def _holidays(stamp: int) -> frozenset[date]:
    return frozenset(date.fromisoformat(row["holiday_date"]) for row in _rows("holidays"))
