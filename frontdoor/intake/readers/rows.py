"""What every reader gives: rows ready for COPY into raw.<feed>, and a tally of what was met on the way.

A row is a line of CSV that begins with the lineage and ends with `extra`. Readers never raise for the content of one
record: a record is a row (perhaps with faults), or it is a dead letter of exactly its line.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import IO, Any, NamedTuple, Protocol

from frontdoor.intake.ledger import DeadLetter
from frontdoor.intake.readers.sender_header import Told

# Faults and dead letters of a whole file are kept in memory up to this size, then on disk.
SPOOL_BYTES = 2**20
REPLACED = "\ufffd"


class Row(NamedTuple):
    """One record as a line of CSV, newline included; `record_no` is its position, `line_no` its first line."""

    record_no: int
    line_no: int
    line: bytes


@dataclass(frozen=True)
class Lineage:
    """What every row of a delivery begins with."""

    agency: str
    delivery_id: int
    received_at: datetime

    def around(self, delimiter: str) -> tuple[str, str]:
        """Return the text before and after the record number."""
        before = f"{self.agency}{delimiter}{self.delivery_id}{delimiter}"
        return before, f"{delimiter}{self.received_at.isoformat()}{delimiter}"


@dataclass
class Tally:
    """What a reader met: records, faults of records (0: of the file) by rule, dead letters."""

    loaded: int = 0
    dead: int = 0
    has_faults: bool = False
    # The role that signs for there being no record.
    nil_signed_by: str = ""
    # What else the sender says of the delivery.
    told: Told = field(default_factory=Told)
    # Records that were erased from what is read (intake/remainder.py); faults of the file are then those of before.
    removed: int = 0
    is_remembered: bool = False
    _faults: IO[str] = field(default_factory=lambda: _spool())
    _letters: IO[str] = field(default_factory=lambda: _spool())
    _noted: set[str] = field(default_factory=set)

    def fault(self, record_no: int, rule_id: str) -> None:
        """Note that a record breaks a rule of files."""
        self.has_faults = True
        self._faults.write(f"{record_no} {rule_id}\n")

    def file_fault(self, rule_id: str) -> None:
        """Note that the file breaks a rule of files; once, however often it is said."""
        if rule_id not in self._noted:
            self._noted.add(rule_id)
            self.fault(0, rule_id)

    def letter(self, line_no: int, reason_code: str) -> None:
        """Note a record that cannot be read."""
        self.dead += 1
        self._letters.write(f"{line_no} {reason_code}\n")

    @property
    def is_nil(self) -> bool:
        """Whether this is a signed nil return, once all was read."""
        return bool(self.nil_signed_by) and not self.loaded and not self.dead

    def close(self) -> None:
        """Drop what was noted."""
        self._faults.close()
        self._letters.close()

    def faults(self) -> Iterator[tuple[int, str]]:
        """Yield (record_no, rule_id)."""
        self._faults.seek(0)
        for line in self._faults:
            record_no, rule_id = line.split()
            yield int(record_no), rule_id

    def letters(self) -> Iterator[DeadLetter]:
        """Yield the dead letters."""
        self._letters.seek(0)
        for line in self._letters:
            line_no, reason_code = line.split()
            yield DeadLetter(reason_code, int(line_no))


def _spool() -> IO[str]:
    return tempfile.SpooledTemporaryFile(SPOOL_BYTES, "w+")


class Reader(Protocol):
    """One file (or part of one) being read for one feed."""

    tally: Tally

    @property
    def columns(self) -> Sequence[str]:
        """The properties that a row carries between lineage and extra, in order."""

    @property
    def delimiter(self) -> str:
        """What parts the cells of a row."""

    @property
    def quote(self) -> str:
        """What may stand around a cell of a row."""

    @property
    def reading(self) -> Mapping[str, Any]:
        """How the bytes were read, for the ledger; no header text. Complete once all rows were yielded."""

    def rows(self) -> Iterator[Row]:
        """Yield the records. Raises `Unreadable` when there is nothing to read in the file."""


def extra_json(extra: Mapping[str, Any]) -> str:
    """Return the JSON for column `extra`."""
    return json.dumps(extra, ensure_ascii=False) if extra else "{}"


class _Echo:
    """A file for `csv.writer`, which returns what its file returns: here the text that was to be written."""

    @staticmethod
    def write(text: str) -> str:
        return text


@cache
def _writer(delimiter: str, quote: str) -> Any:
    return csv.writer(_Echo(), delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_ALL, lineterminator="")


def line_of(cells: Sequence[str | None], delimiter: str, quote: str) -> str:
    """Return cells as CSV, every one of them quoted; an empty cell and None are the same to COPY's force_null."""
    between = f"{quote}{delimiter}{quote}"
    try:
        line = f"{quote}{between.join(cells)}{quote}"  # type: ignore[arg-type]
    except TypeError:  # None among them
        return str(_writer(delimiter, quote).writerow(cells))
    # With a quote in none of the cells, joining them is the same as writing them, in a tenth of the time.
    return line if line.count(quote) == 2 * len(cells) else str(_writer(delimiter, quote).writerow(cells))
