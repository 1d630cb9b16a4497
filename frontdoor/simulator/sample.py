"""Invented files in an agency's own format, headers, labels and dates: good ones, and ones that fail a chosen rule.

The same seed and day give the same file. A million records are written by composing: a few thousand different records
are put into words once and then repeated, each time under numbers of their own.

    sample_records(...)   the bytes of a file
    write_sample(...)     a file of any length, in constant memory; with failing_ratio every rule fails in that share
"""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import IO, Any
from zlib import crc32

from frontdoor import clock, reference
from frontdoor.contract import AgencyFeed, Feed, House
from frontdoor.simulator.broken import AFTER_THE_GOOD, BREAKS, GONE, PAIRED, REUSED, SHARED, TWICE, Sent
from frontdoor.simulator.good import BY_KIND, GOOD, N, Record
from frontdoor.simulator.layout import write_xml
from frontdoor.simulator.workbook import python_format, write_workbook

POOL = 2000
LINES_AT_ONCE = 5000
# The first day that a zip can tell; the same arguments give the same bytes.
ZIP_DAY = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Sample:
    """What is to be written: by whom, by which source, of which day; `prefix` keeps numbers of samples apart."""

    feed: Feed
    agreed: AgencyFeed
    source: str
    seed: int
    on: date
    has_layout: bool
    kind: str

    @property
    def prefix(self) -> str:
        """The part of a record's number that tells seed and day."""
        return f"{self.seed}-{self.on:%y%j}-"

    def record(self, number: int, rule: str | None = None) -> Record:
        """The record of that number, good or failing a rule."""
        record = GOOD[self.source](Random(f"{self.source}:{self.seed}:{self.on}:{number}"), self.on)
        record |= BY_KIND.get(self.kind, {}) if self.source == "referral" else {}
        return BREAKS[rule](record, self.on) if rule is not None and rule in BREAKS else record


def sample_records(
    house: House,
    agency: str,
    feed: str,
    records: int,
    seed: int = 1,
    break_rule: str | None = None,
    on: date | None = None,
) -> bytes:
    """A file of so many records that `agency` might send by `feed` (or a layout) on a day (default: today).

    No rule fails in it, except `break_rule` in one record (two for rules about two records; rules about what came
    earlier, POL-002 or VIS-014, fail once the good file of the same seed and day came before, and one about a record
    that is gone has one record less). Raises ValueError where nothing is agreed between them or the rule cannot fail in
    such a file.
    """
    sample = _sample(house, agency, feed, seed, on)
    _refuse(house, sample, agency, break_rule, records)
    if sample.has_layout:
        middle = records // 2
        made = [sample.record(n, break_rule if n == middle else None) for n in range(records)]
        prefix = sample.prefix.replace("-", "X")
        numbered = [(record, f"{prefix}{n}") for n, record in enumerate(made, start=1)]
        return write_xml(house.layouts[feed], sample.agreed, numbered)
    content = io.BytesIO()
    _write(content, sample, _lines(sample, records, break_rule, {}))
    return content.getvalue()


def write_sample(
    path: Path,
    house: House,
    agency: str,
    feed: str,
    records: int,
    seed: int = 1,
    break_rule: str | None = None,
    failing_ratio: float = 0.0,
    on: date | None = None,
) -> None:
    """Write such a file, record by record. With `failing_ratio` every rule fails in that share, in records of its own.

    Rules about an earlier delivery are left out. Raises ValueError as above, and where the ratio leaves no room.
    """
    sample = _sample(house, agency, feed, seed, on)
    if sample.has_layout:
        raise ValueError(f"{feed} is written as a whole: use sample_records")
    _refuse(house, sample, agency, break_rule, records)
    slots, every = {}, 0
    if failing_ratio:
        rules = [rule.rule_id for rule in sample.feed.rules if rule.rule_id in {*BREAKS, *SHARED} - AFTER_THE_GOOD]
        rules = [rule for rule in rules if sample.feed.rule(rule).applies(house.agencies[agency], feed)]
        every = round(1 / failing_ratio)
        if len(rules) >= every:
            raise ValueError(f"{len(rules)} rules cannot each fail in that share: at most {1 / (len(rules) + 1):.3f}")
        slots = {slot: rule for slot, rule in enumerate(rules, start=1)}
    with path.open("wb", buffering=2**20) as file:
        _write(file, sample, _lines(sample, records, break_rule, slots, every))


def _write(file: IO[bytes], sample: Sample, blocks: Iterator[bytes]) -> None:
    """Write a file, packed as the agency packs it."""
    if sample.agreed.format == "xlsx":
        write_workbook(file, sample.feed, sample.agreed, blocks)
        return
    if sample.agreed.archive == "zip":
        entry = zipfile.ZipInfo(f"{sample.source}.{sample.agreed.format}", ZIP_DAY)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(file, "w") as archive, archive.open(entry, "w") as packed:
            packed.writelines(blocks)
    elif sample.agreed.archive == "gz":
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed_gz:
            packed_gz.writelines(blocks)
    else:
        file.writelines(blocks)


def _sample(house: House, agency: str, source: str, seed: int, on: date | None) -> Sample:
    on = on or clock.now().date()
    has_layout = source in house.layouts
    feeds = house.layouts[source].feeds if has_layout else (source,)
    agreed = house.agency_feed(agency, source, feeds[0], on)
    if agreed is None or source not in GOOD:
        raise ValueError(f"nothing is agreed for {agency} and {source} on {on}, or no sample of {source} is known")
    return Sample(house.feeds[feeds[0]], agreed, source, seed, on, has_layout, house.agencies[agency].kind)


def _refuse(house: House, sample: Sample, agency: str, rule: str | None, records: int) -> None:
    if rule is None:
        return
    known = [each for each in sample.feed.rules if each.rule_id == rule]
    if (
        not known
        or rule not in {*BREAKS, *SHARED, *AFTER_THE_GOOD}
        or not known[0].applies(house.agencies[agency], sample.source)
    ):
        raise ValueError(f"{rule} cannot fail in a file that {agency} sends by {sample.source}")
    needs_two = rule in SHARED | PAIRED | TWICE | GONE
    if records < (2 if needs_two else 1):
        raise ValueError(f"{rule} needs {'two records' if needs_two else 'a record'} to fail")


def _lines(
    sample: Sample, records: int, break_rule: str | None, slots: dict[int, str], every: int = 0
) -> Iterator[bytes]:
    """The header, then blocks of lines. slots: place within a run of `every` records -> the rule that fails there."""
    failing = [break_rule] if break_rule else list(slots.values())
    columns = _columns(sample, failing)
    words = (_Names if sample.agreed.format in ("json", "jsonl") else _Words)(sample, columns)
    yield words.header()
    middle = records // 2
    pieces: dict[tuple[int, str | None], list[str]] = {}
    block: list[str] = []
    for n in range(records):
        rule = slots.get(n % every) if every else (break_rule if n == middle else None)
        if rule in GONE:
            continue
        if break_rule in PAIRED and n == middle - 1:
            rule = break_rule
        number = n
        if rule in SHARED:
            # The same number as the record before the middle, or as the one a run before: two children under one.
            number = (n - every if n // every % 2 else n) if every else n - 1
        key = (n % POOL, rule)
        if key not in pieces:
            told = (n - 1 if rule in TWICE else n) % POOL
            made = sample.record(told + (POOL if rule in REUSED else 0), rule)
            pieces[key] = words.line(made, n % POOL)
        block.append(words.between(n) + f"{sample.prefix}{number + 1}".join(pieces[key]))
        if len(block) == LINES_AT_ONCE:
            yield "".join(block).encode()
            block.clear()
    yield "".join(block).encode() + words.footer()


def _columns(sample: Sample, failing: list[str]) -> list[str]:
    used = set(sample.record(0))
    for rule in failing:
        used |= set(sample.record(0, rule))
    return [prop.name for prop in sample.feed.properties if prop.name in used or prop.need == "required"]


class _Words:
    """A record in the words of an agency: its headers, labels, dates and separators, as delimited text."""

    def __init__(self, sample: Sample, columns: list[str]) -> None:
        agreed = sample.agreed
        self._columns = columns
        self._headers = {name: header for header, name in reversed([*agreed.headers.items()])}
        self._separator = agreed.list_separator
        self._seed = sample.seed
        self._labels = {
            prop.name: labels_of(agreed, prop.code_list, sample.on)
            for prop in sample.feed.properties
            if prop.name in columns and prop.code_list
        }
        self._stamps = python_format(agreed.timestamp_formats[0])
        self._dates = python_format(agreed.date_formats[0])

    def header(self) -> bytes:
        """The header line."""
        return _csv_line([self._headers.get(name, name) for name in self._columns]).encode()

    def footer(self) -> bytes:
        """What stands after the last record."""
        return b""

    def between(self, number: int) -> str:
        """What stands before the record of that number, from 0."""
        return ""

    def line(self, record: Record, number: int) -> list[str]:
        """The record's line, cut where its number goes. The same number chooses the same among several labels."""
        return _csv_line([self._cell(name, record.get(name, ""), number) for name in self._columns]).split(N)

    def _cell(self, name: str, value: Any, number: int) -> str:
        if isinstance(value, Sent):
            return value.text
        if isinstance(value, list):
            return self._separator.join(self._cell(name, item, number) for item in value)
        if isinstance(value, datetime):
            return value.strftime(self._stamps)
        if isinstance(value, date):
            return value.strftime(self._dates)
        if value and name in self._labels:
            labels = self._labels[name].get(value, [value])
            return labels[crc32(f"{self._seed}:{number}:{name}".encode()) % len(labels)]
        return str(value)


class _Names(_Words):
    """A record in the words of an agency as JSON: one object a line, or a list of them.

    A header with a dot (``patient.birthDate``) is a name within an object.
    """

    def __init__(self, sample: Sample, columns: list[str]) -> None:
        super().__init__(sample, columns)
        self._is_list = sample.agreed.format == "json"
        self._truths = {prop.name for prop in sample.feed.properties if prop.code_list == "yes_no"}

    def header(self) -> bytes:
        """The bracket of a list."""
        return b"[\n" if self._is_list else b""

    def footer(self) -> bytes:
        """The bracket of a list."""
        return b"\n]\n" if self._is_list else b""

    def between(self, number: int) -> str:
        """The comma of a list."""
        return ",\n" if self._is_list and number else ""

    def line(self, record: Record, number: int) -> list[str]:
        """The record's object, cut where its number goes."""
        document: dict[str, Any] = {}
        for name in self._columns:
            *around, last = self._headers.get(name, name).split(".")
            inner = document
            for each in around:
                inner = inner.setdefault(each, {})
            inner[last] = self._value(name, record.get(name, ""), number)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return (text + ("" if self._is_list else "\n")).split(json.dumps(N)[1:-1])

    def _value(self, name: str, value: Any, number: int) -> Any:
        if isinstance(value, list):
            return [self._value(name, each, number) for each in value]
        if name in self._truths and value in ("yes", "no"):
            return value == "yes"
        if isinstance(value, int):
            return value
        return self._cell(name, value, number) or None


def labels_of(agreed: AgencyFeed, code_list: str, on: date) -> dict[str, list[str]]:
    """How the agency writes each code of a list: its own labels; besides them the list's, if people read its files."""
    labels: dict[str, list[str]] = {}
    for label, code in agreed.codes.get(code_list, {}).items():
        labels.setdefault(code, []).append(label)
    if agreed.headers:
        for code, label in reference.codes(code_list, on).items():
            labels.setdefault(code, [label])
    return labels


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
