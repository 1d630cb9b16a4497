"""The text of a message: what arrived and is on the list, at most three patterns, what to do, by when.

Pure functions from facts to text. The order is the reader's: first that nothing was lost, then what matters most.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

PATTERNS_SHOWN = 3
WIDTH = 76
NOT_A_REPORT = (
    "This is not the way to report a child. If a child is in immediate danger, call 999."
    " If it is urgent, ring the front door."
)
NO_DETAILS = "Please put no name and no detail of a child into an answer to this mail."


@dataclass(frozen=True)
class Pattern:
    """One kind of defect in one delivery, in words that may leave the house."""

    heading: str  # rule id and severity, or the severity alone
    title: str
    to_do: str
    count: str  # "4 records"
    places: str  # "Rows of your file: 3, 17, 20." or ""
    due_at: datetime


@dataclass(frozen=True)
class Digest:
    """What one role is told about one delivery or file: the most urgent patterns, and how many more there are."""

    subject: str
    greeting: str
    arrived: str
    patterns: Sequence[Pattern]
    more: int
    quote: str  # "delivery 17"
    zone: tzinfo


def write(digest: Digest) -> str:
    """Return the body of the message."""
    parts = [digest.greeting, digest.arrived, NOT_A_REPORT]
    for number, pattern in enumerate(digest.patterns, start=1):
        parts.append(_pattern(number, pattern, digest.zone))
    if digest.more:
        were = "was" if digest.more == 1 else "were"
        found = f"{count_of(digest.more, 'other pattern')} {were} found"
        parts.append(f"{found}; the receipt of {digest.quote} has them all.")
    parts.append(f"Quote {digest.quote} and the row when you write or ring. {NO_DETAILS}")
    return "\n\n".join(part if part.startswith(" ") else _wrapped(part) for part in parts) + "\n"


def count_of(number: int, noun: str) -> str:
    """Return "1 record", "2 records", "no record"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s" if number else f"no {noun}"


def places(label: str, numbers: Sequence[int], total: int) -> str:
    """Return "Rows of your file: 3, 17 and 5 more.", or nothing where no number is known."""
    if not numbers:
        return ""
    more = total - len(numbers)
    return f"{label}: {', '.join(str(number) for number in numbers)}{f' and {more:,} more' if more > 0 else ''}."


def local(instant: datetime, zone: tzinfo) -> str:
    """Return "Monday 23 November 2026, 08:36" as the reader's clock shows it."""
    there = instant.astimezone(zone)
    return f"{there:%A} {there.day} {there:%B %Y, %H:%M}"


def _pattern(number: int, pattern: Pattern, zone: tzinfo) -> str:
    lines = [
        f"{pattern.heading}, in {pattern.count}: {pattern.title}",
        pattern.places,
        f"What to do: {pattern.to_do}",
        f"By: {local(pattern.due_at, zone)}",
    ]
    first, *others = [line for line in lines if line]
    head = textwrap.fill(first, WIDTH, initial_indent=f" {number}. ", subsequent_indent="    ")
    below = [textwrap.fill(line, WIDTH, initial_indent="    ", subsequent_indent="    ") for line in others]
    return "\n".join([head, *below])


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, WIDTH)
