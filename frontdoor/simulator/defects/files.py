"""Defects of a whole file: its encoding, its headers, its end; and the rules of files that find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from frontdoor.contract import AgencyFeed
from frontdoor.simulator.defects import opened, spoiled

Change = Callable[[bytes, AgencyFeed, Random], bytes | None]


@dataclass(frozen=True)
class FileDefect:
    """A defect of a whole file. `title`: the domain's own words.

    `rules`: those of files (FIL-nnn) that are found on the delivery or its records, and no other of them; none where no
    rule sees it, for the `reason` given. Records that lose cells break rules of their own besides. `formats`: csv,
    jsonl, xlsx, or zip (anything in a zip), whose files it can sit in. `loses`: what of the records that were in the
    file cannot be read: "nothing", "the rest" from a place on, or "all". `is_dead_letter`: what cannot be told
    apart, or not opened, is somebody's to ring about.
    """

    name: str
    title: str
    rules: tuple[str, ...]
    formats: frozenset[str]
    loses: str
    make: Change
    reason: str = ""
    is_of_the_archive: bool = False
    is_dead_letter: bool = False

    def change(self, content: bytes, agreed: AgencyFeed, chance: Random) -> bytes | None:
        """The file with the defect, or None where it cannot sit in it. content: as the agency sends it, in UTF-8."""
        if opened.kind_of(agreed) not in self.formats:
            return None
        if self.is_of_the_archive:
            return self.make(content, agreed, chance)
        return opened.within(content, agreed, lambda held: self.make(held, agreed, chance))


CSV = frozenset({"csv", "zip"})
JSON = frozenset({"jsonl"})
SHEET = frozenset({"xlsx"})
TEXT = CSV | JSON
REFUSED = "It is refused as a whole, and a dead letter with an owner says so."

DEFECTS = (
    FileDefect("serial_dates", "Excel serial dates", ("FIL-033",), CSV, "nothing", spoiled.serial_dates),
    FileDefect("mojibake", "mojibake", ("FIL-024",), CSV, "nothing", spoiled.mojibake),
    FileDefect(
        "mojibake_in_json", "mojibake", (), JSON, "nothing", spoiled.mojibake, "Only delimited text is looked at."
    ),
    FileDefect(
        "byte_order_mark", "BOM", (), TEXT, "nothing", spoiled.marked, "It is taken off: there is nothing to mend."
    ),
    FileDefect(
        "utf_16", "UTF-16", (), TEXT, "nothing", spoiled.utf_16, "Its mark says what it is, so it is read in full."
    ),
    FileDefect("windows_1252", "Windows-1252", ("FIL-008",), TEXT, "nothing", spoiled.windows_1252),
    FileDefect("header_renamed", "header renamed", ("FIL-003", "FIL-004"), CSV, "nothing", spoiled.renamed),
    FileDefect("key_renamed", "header renamed", ("FIL-003", "FIL-004"), JSON, "nothing", spoiled.renamed_keys),
    FileDefect(
        "sheet_header_renamed", "header renamed", ("FIL-003", "FIL-004"), SHEET, "nothing", spoiled.renamed_in_sheet
    ),
    FileDefect("header_reordered", "header reordered", (), CSV, "nothing", spoiled.reordered, "Columns go by name."),
    FileDefect("keys_reordered", "header reordered", (), JSON, "nothing", spoiled.reordered_keys, "Values go by name."),
    FileDefect("header_dropped", "header dropped", ("FIL-003",), CSV, "nothing", spoiled.dropped),
    FileDefect("key_dropped", "header dropped", ("FIL-003",), JSON, "nothing", spoiled.dropped_keys),
    FileDefect(
        "formula_strings", "formula strings", (), CSV, "nothing", spoiled.formula_text, "Only workbooks are looked at."
    ),
    FileDefect(
        "formula_in_json",
        "formula strings",
        (),
        JSON,
        "nothing",
        spoiled.formula_in_object,
        "Only workbooks are looked at.",
    ),
    FileDefect("formula_in_sheet", "formula strings", ("FIL-031",), SHEET, "nothing", spoiled.formula_in_sheet),
    FileDefect("real_formula", "formula strings", ("FIL-030",), SHEET, "nothing", spoiled.real_formula),
    FileDefect("header_only", "header-only file", ("FIL-001",), CSV, "all", spoiled.header_only),
    FileDefect("header_only_sheet", "header-only file", ("FIL-001",), SHEET, "all", spoiled.header_only_sheet),
    FileDefect("empty_file", "empty file", (), TEXT | SHEET, "all", spoiled.empty, REFUSED, True, True),
    FileDefect("truncated_file", "truncated file", ("FIL-006", "FIL-023"), CSV, "the rest", spoiled.cut_between_cells),
    FileDefect(
        "truncated_quotation",
        "truncated file",
        ("FIL-010", "FIL-023"),
        CSV,
        "the rest",
        spoiled.cut_in_a_quotation,
        is_dead_letter=True,
    ),
    FileDefect(
        "truncated_object",
        "truncated file",
        ("FIL-010",),
        JSON,
        "the rest",
        spoiled.cut_in_an_object,
        is_dead_letter=True,
    ),
    FileDefect(
        "truncated_archive", "truncated file", (), SHEET | {"zip"}, "all", spoiled.cut_archive, REFUSED, True, True
    ),
)
FILE: Mapping[str, FileDefect] = {each.name: each for each in DEFECTS}
