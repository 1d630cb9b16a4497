"""Invented files in an agency's own format, headers, labels and dates: good ones, and ones that fail a chosen rule.

The same seed and day give the same file. A million records are written by composing: a few thousand different records
are put into words once and then repeated, each time under numbers of their own.

    sample_records(...)   the bytes of a file
    sample_nil(...)       the bytes of a signed nil return
    write_sample(...)     a file of any length, in constant memory; with failing_ratio every rule fails in that share
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from frontdoor import clock
from frontdoor.contract import AgencyFeed, Feed, House
from frontdoor.simulator.broken import AFTER_THE_GOOD, BREAKS, GONE, PAIRED, REUSED, SHARED, TIMES, TWICE
from frontdoor.simulator.good import BY_KIND, GOOD, Record
from frontdoor.simulator.layout import write_xml
from frontdoor.simulator.words import pack, words_of

POOL = 2000
LINES_AT_ONCE = 5000


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
        if rule is None or rule not in BREAKS:
            return record
        broken = BREAKS[rule](record, self.on)
        # One account for several records of a file, and for those of no other.
        return broken | {"narrative": f"{broken['narrative']} Our log: {self.prefix}0."} if rule in TIMES else broken


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

    No rule fails in it, except `break_rule` in one record (two for rules about two records, five for standard text;
    rules about what came earlier, POL-002 or VIS-014, fail once the good file of the same seed and day came before, and
    one about a record that is gone has one record less). Raises ValueError where nothing is agreed between them or the
    rule cannot fail in such a file.
    """
    sample = sample_of(house, agency, feed, seed, on)
    _refuse(house, sample, agency, break_rule, records)
    if sample.has_layout:
        middle = records // 2
        made = [sample.record(n, break_rule if n == middle else None) for n in range(records)]
        prefix = sample.prefix.replace("-", "X")
        numbered = [(record, f"{prefix}{n}") for n, record in enumerate(made, start=1)]
        return write_xml(house.layouts[feed], sample.agreed, numbered)
    content = io.BytesIO()
    pack(content, sample.feed, sample.agreed, _lines(sample, records, break_rule, {}))
    return content.getvalue()


def sample_nil(house: House, agency: str, feed: str, role: str, on: date | None = None) -> bytes:
    """A signed nil return of an agency in its own format. Raises ValueError as `sample_records`, and for a layout."""
    sample = sample_of(house, agency, feed, 1, on)
    if sample.has_layout:
        raise ValueError(f"{feed} is a published layout, and has no place for a nil return")
    words = words_of(sample.feed, sample.agreed, columns_of(sample, []), sample.on)
    content = io.BytesIO()
    pack(content, sample.feed, sample.agreed, [words.nil(role)])
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

    Rules about an earlier delivery, or about one account of several matters, are left out. Raises ValueError as above,
    and where the ratio leaves no room.
    """
    sample = sample_of(house, agency, feed, seed, on)
    if sample.has_layout:
        raise ValueError(f"{feed} is written as a whole: use sample_records")
    _refuse(house, sample, agency, break_rule, records)
    slots, every = {}, 0
    if failing_ratio:
        breakable = {*BREAKS, *SHARED} - AFTER_THE_GOOD - {*TIMES}
        rules = [rule.rule_id for rule in sample.feed.rules if rule.rule_id in breakable]
        rules = [rule for rule in rules if sample.feed.rule(rule).applies(house.agencies[agency], feed)]
        every = round(1 / failing_ratio)
        if len(rules) >= every:
            raise ValueError(f"{len(rules)} rules cannot each fail in that share: at most {1 / (len(rules) + 1):.3f}")
        slots = {slot: rule for slot, rule in enumerate(rules, start=1)}
    with path.open("wb", buffering=2**20) as file:
        pack(file, sample.feed, sample.agreed, _lines(sample, records, break_rule, slots, every))


def sample_of(house: House, agency: str, source: str, seed: int, on: date | None) -> Sample:
    """What is to be written by this sender, on a day (default: today). Raises ValueError as `sample_records`."""
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
    needed = TIMES.get(rule, 2 if rule in SHARED | PAIRED | TWICE | GONE else 1)
    if records < needed:
        said = {1: "a record", 2: "two records"}.get(needed, f"{needed} records")
        raise ValueError(f"{rule} needs {said} to fail")


def _lines(
    sample: Sample, records: int, break_rule: str | None, slots: dict[int, str], every: int = 0
) -> Iterator[bytes]:
    """The header, then blocks of lines. slots: place within a run of `every` records -> the rule that fails there."""
    failing = [break_rule] if break_rule else list(slots.values())
    columns = columns_of(sample, failing)
    words = words_of(sample.feed, sample.agreed, columns, sample.on, sample.seed)
    yield words.header()
    middle = records // 2
    last = middle + (TIMES.get(break_rule or "", 1) - 1) // 2
    pieces: dict[tuple[int, str | None], list[str]] = {}
    block: list[str] = []
    for n in range(records):
        rule = slots.get(n % every) if every else (break_rule if n == middle else None)
        if rule in GONE:
            continue
        if break_rule in PAIRED and n == middle - 1:
            rule = break_rule
        if break_rule in TIMES and -TIMES[break_rule] < n - last <= 0:
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


def columns_of(sample: Sample, failing: list[str]) -> list[str]:
    """The properties that records use, good ones and those failing these rules, in the order of the contract."""
    used = set(sample.record(0))
    for rule in failing:
        used |= set(sample.record(0, rule))
    return [prop.name for prop in sample.feed.properties if prop.name in used or prop.need == "required"]
