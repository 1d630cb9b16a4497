"""Which column of a file is which property of the contract.

The agency's own words come first, then the contract's names; both are compared as `contract.normalised` writes them.
What nobody knows is kept in `extra` under the words of the sender. A property that appears twice is read from the first
column, and the later one is kept in `extra` as ``name#2``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from frontdoor.contract import Property
from frontdoor.contract import normalised as slowly_normalised

NONE_RECOGNISED, MISSING, UNKNOWN, TWICE = "FIL-002", "FIL-003", "FIL-004", "FIL-005"

# The same few hundred words come in every file.
normalised = lru_cache(4096)(slowly_normalised)


@dataclass(frozen=True)
class Columns:
    """The columns of a file in order: the property of each (or None), and the name in `extra` of each."""

    properties: tuple[str | None, ...]
    labels: tuple[str, ...]
    faults: tuple[str, ...]
    # The headers as they are compared; none where they were numbered.
    words: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether every column is a property of its own."""
        return all(self.properties)

    @cached_property
    def recognised(self) -> tuple[str, ...]:
        """The properties that the file carries, in order."""
        return tuple(name for name in self.properties if name)


@dataclass(frozen=True)
class Vocabulary:
    """The words for the columns of one feed that one agency may use."""

    words: Mapping[str, str]
    required: tuple[str, ...]
    # Headers that a layout has and no property: they are kept, and nobody is told of them.
    beside: frozenset[str] = frozenset()

    def property_of(self, header: str) -> str | None:
        """Return the property that a header means."""
        return self.words.get(normalised(header))

    def columns(self, headers: Sequence[str]) -> Columns:
        """Return what the columns under these headers are, and which rules of files the headers break."""
        names: list[str | None] = []
        labels: list[str] = []
        seen: Counter[str] = Counter()
        faults: dict[str, None] = {}
        for position, header in enumerate(headers, start=1):
            name = self.property_of(header)
            label = name or header.strip() or f"column_{position}"
            seen[label] += 1
            if seen[label] > 1:
                faults[TWICE] = None
                while f"{label}#{seen[label]}" in labels:  # a sender's own name may look like that
                    seen[label] += 1
                label = f"{label}#{seen[label]}"
                name = None
            elif name is None and header.strip() and normalised(header) not in self.beside:
                faults[UNKNOWN] = None
            names.append(name)
            labels.append(label)
        if not any(names):
            faults = {NONE_RECOGNISED: None, **{key: None for key in faults if key == TWICE}}
        elif set(self.required) - set(names):
            faults[MISSING] = None
        return Columns(tuple(names), tuple(labels), tuple(faults), tuple(map(normalised, headers)))


def vocabulary(properties: Sequence[Property], agency_headers: Mapping[str, str]) -> Vocabulary:
    """Return the words that an agency may use for the columns of a feed."""
    words = {normalised(each.name): each.name for each in properties}
    words |= {normalised(header): name for header, name in agency_headers.items()}
    return Vocabulary(words, tuple(each.name for each in properties if each.need == "required"))


def numbered(width: int) -> Columns:
    """Return the columns of a file without headers: all of them unknown."""
    return Columns((None,) * width, tuple(f"column_{n}" for n in range(1, width + 1)), (NONE_RECOGNISED,))
