"""Lines of a delimited file that are no records: a title above the headers, headers that come again, a last count.

A line is taken for one of these only on what it says, never for its shape alone: a child's record read as a heading
is a child lost, a heading read as a record is a line more in triage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import islice

from frontdoor import reference
from frontdoor.intake.readers.headers import Vocabulary, normalised

# A line names columns when this many of its cells, and most of those that say something, are headers that we know.
FEWEST_HEADERS, MOST_OF_THEM = 3, 0.6
MOST_COUNT_CELLS = 3


def names_columns(cells: Sequence[str], words: Vocabulary) -> bool:
    """Tell whether a line below the headers names columns itself."""
    said = [cell for cell in cells if cell.strip()]
    known = {words.property_of(cell) for cell in said} - {None}
    return len(known) >= FEWEST_HEADERS and len(known) >= MOST_OF_THEM * len(said)


def is_record_above(cells: Sequence[str], width: int) -> bool:
    """Tell whether a line above the headers may be a record, as when somebody sorted the sheet with its headers."""
    return sum(1 for cell in cells if cell.strip()) >= max(2, width / 2)


def count_told(cells: Sequence[str], on: date) -> int | None:
    """Return how many records a last line says there are (-1: a last line without a number); None if it is a record."""
    said = list(islice((cell for cell in cells if cell.strip()), MOST_COUNT_CELLS + 1))
    if not 0 < len(said) <= MOST_COUNT_CELLS:
        return None
    words = normalised(" ".join(said)).split()
    numbers = [word for word in words if word.isascii() and word.isdigit() and len(word) < 10]
    if len(numbers) > 1 or " ".join(word for word in words if word not in numbers) not in _words(on):
        return None
    return int(numbers[0]) if numbers else -1


@lru_cache(8)
def _words(on: date) -> frozenset[str]:
    return frozenset(reference.codes("last_line_word", on))
