"""Five hundred files of every sender: each rule broken, each fault of a table, harm, and what chance makes of rows.

`fuzzed(house, on)` yields them; the same house and day give the same files.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from frontdoor.contract import House
from frontdoor.simulator.broken import AFTER_THE_GOOD
from frontdoor.simulator.sample import sample_records
from tests.corpora.hostile import hostile
from tests.corpora.polluted import FAULTS, polluted

FILES = 500
SENDERS = (
    ("wearside_police", "police"),
    ("wearside_partnership", "police"),
    ("wearside_schools", "referral"),
    ("wearside_health", "referral"),
    ("wearside_housing", "referral"),
    ("wearside_council", "visit"),
    ("wearside_council", "cin_census"),
)
TEXT = (("wearside_police", "police"), ("wearside_schools", "referral"), ("wearside_council", "visit"))
# Of each sender: files cut off, with damaged bytes, with a block twice, and other harm.
CUT_OFF, DAMAGED, TWICE, HARMED = 5, 5, 2, 3
MEGABYTE = 2**20


@dataclass(frozen=True)
class Fuzzed:
    """One file, and what was done to it."""

    what: str
    agency: str
    source: str
    content: bytes


def fuzzed(house: House, on: date) -> Iterator[Fuzzed]:
    """Yield the five hundred."""
    chosen = [*_broken(house, on), *_polluted(), *_harmed(house, on)]
    assert len(chosen) < FILES
    return iter([*chosen, *islice(_by_chance(house, on), FILES - len(chosen))])


def _broken(house: House, on: date) -> Iterator[Fuzzed]:
    for agency, source in SENDERS:
        feed = house.feeds[source if source in house.feeds else house.layouts[source].feeds[0]]
        for number, rule in enumerate(feed.rules):
            if rule.applies(house.agencies[agency], source) and rule.rule_id not in AFTER_THE_GOOD:
                content = sample_records(house, agency, source, 5, seed=number, break_rule=rule.rule_id, on=on)
                yield Fuzzed(rule.rule_id, agency, source, content)


def _polluted() -> Iterator[Fuzzed]:
    for number in range(len(FAULTS)):
        made = polluted(number)
        yield Fuzzed(made.kind, "wearside_police", "police", made.content)


def _harmed(house: House, on: date) -> Iterator[Fuzzed]:
    bases = {sender: sample_records(house, *sender, 6, seed=7, on=on) for sender in SENDERS}
    left: dict[tuple[tuple[str, str], str], int] = {}
    for kind, sender, content in hostile(bases):
        group = next((each for each in ("cut off", "damaged", "a block twice") if kind.startswith(each)), "other")
        wanted = {"cut off": CUT_OFF, "damaged": DAMAGED, "a block twice": TWICE, "other": HARMED}[group]
        # What swells when it is unpacked has a test of its own.
        if "bomb" in kind or len(content) > MEGABYTE or left.get((sender, group), 0) >= wanted:
            continue
        left[sender, group] = left.get((sender, group), 0) + 1
        yield Fuzzed(kind, *sender, content)


def _by_chance(house: House, on: date) -> Iterator[Fuzzed]:
    """Good tables of which cells are blanked, exchanged or garbled, rows repeated or dropped, and headers renamed."""
    for number in range(FILES):
        agency, source = TEXT[number % len(TEXT)]
        chance = random.Random(f"{agency} {source} {number}")
        good = sample_records(house, agency, source, chance.randint(2, 8), seed=100 + number, on=on)
        newline = b"\r\n" if b"\r\n" in good else b"\n"
        header, *rows = (line.split(b",") for line in good.rstrip(newline).split(newline))
        for _ in range(chance.randint(1, 6)):
            row = chance.choice(rows)
            at = chance.randrange(len(row))
            match chance.randrange(7):
                case 0:
                    row[at] = b""
                case 1:
                    other = chance.randrange(len(row))
                    row[at], row[other] = row[other], row[at]
                case 2:
                    row[at] = chance.choice((b"unknown", b"N/A", b"31/02/2026", b"-1", b"Zo\xc3\xab", b"x" * 300, b"0"))
                case 3:
                    rows.insert(chance.randrange(len(rows)), list(row))
                case 4 if len(rows) > 1:
                    rows.remove(row)
                case 5:
                    header[chance.randrange(len(header))] = b"Something new"
                case _:
                    del row[at + 1 :]
        content = newline.join(b",".join(cells) for cells in (header, *rows)) + newline
        yield Fuzzed(f"by chance {number}", agency, source, content)
