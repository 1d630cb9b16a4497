"""An invented file that keeps no rule: each that its sender can mend is broken once, in a record of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date

from frontdoor.contract import House, Rule
from frontdoor.simulator.broken import AFTER_THE_GOOD, BREAKS, PAIRED, SHARED, TIMES, TWICE
from frontdoor.simulator.good import Record
from frontdoor.simulator.layout import write_xml
from frontdoor.simulator.sample import Sample, columns_of, sample_of
from frontdoor.simulator.words import pack, words_of

LIAISON = "liaison"


def breakable(house: House, agency: str, source: str, on: date) -> tuple[Rule, ...]:
    """The rules that can fail in one file of this sender, without an earlier one, and that the sender can mend."""
    sample = sample_of(house, agency, source, 1, on)
    return tuple(
        rule
        for rule in sample.feed.rules
        if rule.rule_id in {*BREAKS, *SHARED} - AFTER_THE_GOOD
        and rule.recipient_role == LIAISON
        and rule.applies(house.agencies[agency], source)
        and rule.rule_id not in sample.agreed.waived_rules
    )


def bad_sample(house: House, agency: str, source: str, seed: int = 1, on: date | None = None) -> bytes:
    """The file, as this sender writes. Rules about two records have two. Raises ValueError as `sample_records`."""
    sample = sample_of(house, agency, source, seed, on)
    rules = [rule.rule_id for rule in breakable(house, agency, source, sample.on)]
    told = list(_told(sample, rules))
    if sample.has_layout:
        prefix = sample.prefix.replace("-", "X")
        return write_xml(house.layouts[source], sample.agreed, [(record, f"{prefix}{n}") for record, n in told])
    words = words_of(sample.feed, sample.agreed, columns_of(sample, rules), sample.on, sample.seed)
    lines = [
        words.between(at) + f"{sample.prefix}{number}".join(words.line(record, at))
        for at, (record, number) in enumerate(told)
    ]
    content = io.BytesIO()
    blocks = [words.header(), "".join(lines).encode() + words.footer()]
    pack(content, sample.feed, sample.agreed, blocks)
    return content.getvalue()


def _told(sample: Sample, rules: list[str]) -> Iterator[tuple[Record, int]]:
    """Records, each with its number."""
    number = 0
    for rule in rules:
        number += 1
        if rule in SHARED:
            yield sample.record(number), number
            yield sample.record(number + 1), number
            number += 1
        elif rule in TWICE:
            yield sample.record(number), number
            yield sample.record(number, rule), number + 1
            number += 1
        else:
            yield sample.record(number, rule), number
            for _ in range(1 if rule in PAIRED else TIMES.get(rule, 1) - 1):
                number += 1
                yield sample.record(number, rule), number
