"""Which sheets a workbook holds; or why it is refused. None of their names leaves memory."""

from __future__ import annotations

from functools import partial

from frontdoor.intake.content import Content
from frontdoor.intake.contents.member import Member
from frontdoor.intake.readers import ooxml
from frontdoor.intake.readers.workbook import TOP_CELLS, count_rows, top_rows
from frontdoor.intake.reasons import Unreadable


def members_of(content: Content) -> list[Member] | None:
    """Return the sheets of a workbook in its order, or one refused member; None where the content is no workbook.

    The content may itself be an entry of an archive: a sheet's place is then in that entry.
    """
    kind = ooxml.kind_of_file(content)
    if kind != "workbook":
        return [Member(content.place, kind)] if kind else None
    try:
        with ooxml.Package(content) as package:
            book = ooxml.Book(package)
            members: list[Member] = []
            cells = TOP_CELLS
            for sheet in book.sheets:
                members.append(_member(content, package, book, sheet, cells))
                cells -= sum(len(row.cells or ()) for row in members[-1].top)
            book.strings().close()
    except Unreadable as refusal:
        return [Member(content.place, refusal.code)]
    return members


def _member(content: Content, package: ooxml.Package, book: ooxml.Book, sheet: ooxml.Sheet, cells: int) -> Member:
    place = {**content.place, "sheet": sheet.number}
    try:
        top = tuple(top_rows(package, book, sheet, cells))
    except Unreadable as refusal:
        if refusal.code == "workbook_bomb":
            raise  # of the bytes of the whole file
        return Member(place, refusal.code, name=sheet.name)
    return Member(place, name=sheet.name, top=top, count=partial(count_rows, content, sheet.number))
