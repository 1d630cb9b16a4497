"""Over 500 hostile files: none crashes the reading, hangs it or fills the memory, and what is refused is refused at once."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from frontdoor.contract import House, load_house
from frontdoor.intake import members
from frontdoor.intake.contents import look_into
from frontdoor.intake.reasons import SENTENCES, Unreadable
from frontdoor.simulator.sample import sample_records
from tests.corpora.hostile import Sender, hostile

# The package gives the function of that name.
load = sys.modules["frontdoor.intake.load"]

SENDERS: tuple[Sender, ...] = (
    ("wearside_police", "police"),
    ("wearside_partnership", "police"),
    ("wearside_schools", "referral"),
    ("wearside_health", "referral"),
    ("wearside_housing", "referral"),
    ("wearside_council", "visit"),
    ("wearside_council", "cin_census"),
)
RECEIVED_AT = datetime(2026, 3, 12, 9, tzinfo=UTC)
LONGEST_SECONDS, LONGEST_REFUSAL_SECONDS, MOST_GROWTH_BYTES = 10.0, 1.0, 200 * 2**20


@pytest.fixture(scope="module")
def house() -> House:
    return load_house()


def outcome(house: House, sender: Sender, path: Path) -> Iterator[str]:
    """What becomes of each member: why it is refused, or that its records and dead letters were read."""
    agency, source = sender
    layout = house.layouts.get(source)
    found = look_into(path, layout.format if layout else None)
    for part in members.parts_of(house, agency, source, RECEIVED_AT, found):
        if part.refusal or part.feed is None:
            yield part.refusal or "counted"
            continue
        versions = (part.contract_version or "", "received", RECEIVED_AT, "", "", "", part.place)
        delivery = load._Delivery(1, 1, part.member_no, part.member_name, agency, source, part.feed, *versions)
        try:
            reader = load._reader(path, house, delivery)
            with closing(reader.tally) as tally:
                given = sum(1 for _ in reader.rows())
                assert given == tally.loaded
                assert all(letter.reason_code in SENTENCES for letter in tally.letters())
            yield "read"
        except Unreadable as refusal:
            yield refusal.code


def memory(field: str) -> int:
    """Bytes that this process has (VmRSS), or had at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def forget_peak() -> int:
    """Let the peak begin anew, or an earlier one would hide the next; return what there is now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory("VmRSS")


def test_no_hostile_file_crashes_hangs_or_swells(house: House, tmp_path: Path) -> None:
    path = tmp_path / "file"
    bases = {sender: sample_records(house, *sender, 30, seed=5, on=date(2026, 3, 12)) for sender in SENDERS}
    for sender, good in bases.items():
        path.write_bytes(good)
        assert set(outcome(house, sender, path)) == {"read"}, "the good file is read, or nothing here means much"
    seen: Counter[str] = Counter()
    slow: list[str] = []
    swollen: list[str] = []
    for kind, sender, content in hostile(bases):
        path.write_bytes(content)
        del content
        before = forget_peak()
        started, spent = time.monotonic(), time.process_time()
        said = set(outcome(house, sender, path))
        seen[" ".join(sorted(said))] += 1
        took, cost = time.monotonic() - started, time.process_time() - spent
        is_refused = "read" not in said
        if took > LONGEST_SECONDS or (is_refused and cost > LONGEST_REFUSAL_SECONDS):
            slow.append(
                f"{kind} as {sender[0]} {sender[1]}: {took:.1f} s, {cost:.1f} s of the processor, {sorted(said)}"
            )
        if (grown := memory("VmHWM") - before) > MOST_GROWTH_BYTES:
            swollen.append(f"{kind} as {sender[0]} {sender[1]}: {grown / 2**20:.0f} MB")
    assert sum(seen.values()) > 500, seen
    assert not slow, slow
    assert not swollen, swollen
