"""Records in the words of an agency: its headers, labels, dates and separators, its format, packed as it packs."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import IO, Any
from zlib import crc32

from frontdoor import reference
from frontdoor.contract import AgencyFeed, Feed
from frontdoor.simulator.broken import Sent
from frontdoor.simulator.good import N, Record
from frontdoor.simulator.workbook import python_format, write_workbook

# The first day that a zip can tell; the same arguments give the same bytes.
ZIP_DAY = (1980, 1, 1, 0, 0, 0)


def words_of(feed: Feed, agreed: AgencyFeed, columns: Sequence[str], on: date, seed: int = 0) -> "Lines":
    """The words of an agency on a day, for records of these properties."""
    return (Objects if agreed.format in ("json", "jsonl") else Lines)(feed, agreed, columns, on, seed)


def pack(file: IO[bytes], feed: Feed, agreed: AgencyFeed, blocks: Iterable[bytes]) -> None:
    """Write a file, packed as the agency packs it."""
    if agreed.format == "xlsx":
        write_workbook(file, feed, agreed, blocks)
        return
    if agreed.archive == "zip":
        entry = zipfile.ZipInfo(f"{agreed.source}.{agreed.format}", ZIP_DAY)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(file, "w") as archive, archive.open(entry, "w") as packed:
            packed.writelines(blocks)
    elif agreed.archive == "gz":
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed_gz:
            packed_gz.writelines(blocks)
    else:
        file.writelines(blocks)


class Lines:
    """Records as delimited text."""

    def __init__(self, feed: Feed, agreed: AgencyFeed, columns: Sequence[str], on: date, seed: int = 0) -> None:
        """Put records of a feed into the words that hold on a day; the seed chooses among labels of one meaning."""
        self._columns = columns
        self._headers = {name: header for header, name in reversed([*agreed.headers.items()])}
        self._separator = agreed.list_separator
        self._seed = seed
        self._labels = {
            prop.name: labels_of(agreed, prop.code_list, on)
            for prop in feed.properties
            if prop.name in columns and prop.code_list
        }
        self._stamps = python_format(agreed.timestamp_formats[0])
        self._dates = python_format(agreed.date_formats[0])

    def header(self) -> bytes:
        """The header line."""
        return _csv_line([self._headers.get(name, name) for name in self._columns]).encode()

    def nil(self, role: str) -> bytes:
        """A whole file without records, signed by a role."""
        return _csv_line([f"nil_signed_by: {role}"]).encode() + self.header()

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
        if value == "":
            return ""
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


class Objects(Lines):
    """Records as JSON: one object a line, or a list of them.

    A header with a dot (``patient.birthDate``) is a name within an object.
    """

    def __init__(self, feed: Feed, agreed: AgencyFeed, columns: Sequence[str], on: date, seed: int = 0) -> None:
        """Put records of a feed into the words that hold on a day; the seed chooses among labels of one meaning."""
        super().__init__(feed, agreed, columns, on, seed)
        self._is_list = agreed.format == "json"
        self._truths = {prop.name for prop in feed.properties if prop.code_list == "yes_no"}

    def header(self) -> bytes:
        """The bracket of a list."""
        return b"[\n" if self._is_list else b""

    def nil(self, role: str) -> bytes:
        """A whole file without records, signed by a role."""
        signed: dict[str, Any] = {"nil_signed_by": role}
        return (json.dumps(signed | {"records": []} if self._is_list else signed, ensure_ascii=False) + "\n").encode()

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
