"""What a sender says of a delivery beside its records: how many it sends, as of when, by which version of the contract.

    row_count: 142
    extract_as_of: 2026-03-02 06:00
    contract_version: 1.0.0

In delimited text and in a sheet each is a line above the headers, as the signature of a nil return is (`nil`); in JSON
it stands beside the list of records, or in an object of its own. In a zip all of them may be an entry of their own,
``<name of the file>.header.yaml``. A last line that counts (`layers`) gives the sender's count where nothing else does.

Kept is only what has the form of a count, a time or a version: anything else may name a child. What cannot be read, or
is said in two ways, is a finding; none of it holds or drops a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from frontdoor.intake.readers import nil

ROW_COUNT, EXTRACT_AS_OF, CONTRACT_VERSION = NAMES = ("row_count", "extract_as_of", "contract_version")
OTHER_COUNT, UNCLEAR, OTHER_VERSION = "FIL-043", "FIL-044", "FIL-045"
# The name and what is said, in which a comma may stand; a line with more in it is taken for a record.
MOST_CELLS = 3
# A line of JSON that is longer is a record.
LONGEST_LINE = 1024
# An entry that is larger is a file of records, whatever it is called.
LONGEST_SIDECAR = 2**14
SIDECAR_ENDINGS = (".header.yaml", ".header.yml", ".header.csv", ".header.txt")
_SAID = re.compile(
    r"[\s\ufeff#\"']*(row[ _-]count|extract[ _-]as[ _-]of|contract[ _-]version)\b[\s:=,;|\"']*(.*?)[\s\"']*",
    re.IGNORECASE | re.DOTALL,
)
_COUNT = re.compile(r"([0-9]{1,12}|[0-9]{1,3}(?:[ ,][0-9]{3}){1,3})(?:\.0+)?")
_VERSION = re.compile(r"v?([0-9]{1,4}(?:\.[0-9]{1,4}){0,3})", re.IGNORECASE)
# As people here write it: 02/03/2026 06:00.
_DAY_FIRST = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})( [0-9:]{5,8})?")
_NO_CONTENT = ("---", "...")
_YEARS = range(1900, 2200)


@dataclass
class Told:
    """What a sender says of one delivery. None: it does not say, or not so that it can be read.

    last_line_count: what a last line counts. is_unclear: something was said that cannot be read, or in two ways.
    """

    row_count: int | None = None
    extract_as_of: datetime | None = None
    contract_version: str | None = None
    last_line_count: int | None = None
    is_unclear: bool = False
    # Of an entry beside the file only; a reader has a place of its own for it.
    nil_signed_by: str = ""

    @property
    def count(self) -> int | None:
        """How many records the sender counts."""
        return self.last_line_count if self.row_count is None else self.row_count

    def note(self, name: str, text: object) -> None:
        """Note what is said under one of the names; what was said first stays."""
        read = _READ[name](text.strip()) if isinstance(text, str) else None
        if read is None or getattr(self, name) not in (None, read):
            self.is_unclear = True
        else:
            setattr(self, name, read)

    def note_line(self, cells: Sequence[str]) -> bool:
        """Note what a line says; tell whether it is one of these."""
        found = said_in(cells)
        if found is not None:
            self.note(*found)
        return found is not None

    def note_more(self, other: Told) -> None:
        """Note what is said in another place as well."""
        for name in NAMES:
            said = getattr(other, name)
            if said is not None and getattr(self, name) not in (None, said):
                self.is_unclear = True
            elif said is not None:
                setattr(self, name, said)
        self.is_unclear |= other.is_unclear

    def as_of_in(self, zone: tzinfo) -> datetime | None:
        """As of when the records speak; a time without an offset is in this zone."""
        found = self.extract_as_of
        return found.replace(tzinfo=zone) if found is not None and found.tzinfo is None else found

    def faults(self, records: int, version: str) -> Iterator[str]:
        """Yield the rules that a delivery of so many records (the unread among them), judged by a version, breaks."""
        if self.row_count is not None and self.row_count != records:
            yield OTHER_COUNT
        if self.is_unclear:
            yield UNCLEAR
        if self.contract_version is not None and not f"{version}.".startswith(f"{self.contract_version}."):
            yield OTHER_VERSION


def said_in(cells: Sequence[str]) -> tuple[str, str] | None:
    """Return (name, what is said under it) of a line; None: another line."""
    said = [cell.strip() for cell in cells if cell.strip()]
    found = _SAID.fullmatch(said[0]) if said and len(said) <= MOST_CELLS else None
    if found is None:
        return None
    name = re.sub("[ -]", "_", found[1].lower())
    return name, " ".join(each for each in (found[2], *said[1:]) if each)


def is_said_in(cells: Sequence[str]) -> bool:
    """Tell whether a line says something of the delivery, a nil return's signature among it, and is no record."""
    return said_in(cells) is not None or nil.signed_by(cells) is not None


def of_sidecar(content: bytes) -> Told | None:
    """Return what an entry beside a file says of it; None where it is anything else than these lines, and so a file."""
    if len(content) > LONGEST_SIDECAR:
        return None
    told, is_one = Told(), False
    for line in content.decode("utf-8-sig", "replace").splitlines():
        if (role := nil.signed_by([line])) is not None:
            told.nil_signed_by = role
            is_one = True
        elif told.note_line([line]):
            is_one = True
        elif line.strip() and line.strip() not in _NO_CONTENT and not line.lstrip().startswith("#"):
            return None
    return told if is_one else None


def _count_of(text: str) -> int | None:
    found = _COUNT.fullmatch(text)
    return int(re.sub("[ ,]", "", found[1])) if found else None


def _time_of(text: str) -> datetime | None:
    found = _DAY_FIRST.fullmatch(text)
    try:
        read = datetime.fromisoformat(f"{found[3]}-{found[2]}-{found[1]}{found[4] or ''}" if found else text)
    except ValueError:
        return None
    return read if read.year in _YEARS else None


def _version_of(text: str) -> str | None:
    found = _VERSION.fullmatch(text)
    return found[1] if found else None


_READ = {ROW_COUNT: _count_of, EXTRACT_AS_OF: _time_of, CONTRACT_VERSION: _version_of}
