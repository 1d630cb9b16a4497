"""What an entry of a zip says of the file beside it: ``police.csv`` and ``police.csv.header.yaml`` in one zip.

It is no delivery of its own, and never holds its file: one that cannot be read, or says anything else, is taken for a
file like all others, and whoever sent it is told. A header file that lands by itself beside its file is not read so:
nobody could tell whether it is still to come.
"""

from __future__ import annotations

from frontdoor.intake.content import Content, File
from frontdoor.intake.readers.sender_header import LONGEST_SIDECAR, Told, of_sidecar
from frontdoor.intake.reasons import Unreadable


def told_of(content: Content) -> Told:
    """Return what stands beside a member. What it says of a workbook is unclear: of which of its sheets?"""
    number = content.place.get("beside")
    if number and "sheet" in content.place:
        return Told(is_unclear=True)
    return (_told_in(content.file, number) if number else None) or Told()


def is_told_in(within: File, number: int) -> bool:
    """Tell whether an entry of an archive says something of another and nothing else."""
    return _told_in(within, number) is not None


def _told_in(within: File, number: int) -> Told | None:
    try:
        with Content(within, {"entry": number}).open() as file:
            return of_sidecar(file.read(LONGEST_SIDECAR + 1))
    except Unreadable:
        return None
