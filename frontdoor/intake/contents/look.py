"""Which members a file holds, and where; an entry is read to its end once, so that no surprise is left for loading."""

from __future__ import annotations

from dataclasses import replace

from frontdoor.intake import beside
from frontdoor.intake.content import Content, File
from frontdoor.intake.contents import archives, probe, workbook
from frontdoor.intake.contents.member import Member
from frontdoor.intake.reasons import Unreadable


def look_into(file: File, form: str | None) -> list[Member]:
    """Return the members of a file in their order, at least one. `form`: the format of the layout, if it is one's."""
    content = Content(file)
    if form != "xml" and (sheets := workbook.members_of(content)):
        return sheets
    kind = _kind_of(content)
    if kind in ("gz", "zip"):
        try:
            return _entries_of(file, form)
        except Unreadable as refusal:
            return [Member({}, refusal.code)]
    return _members_at(content, kind, form, None)


def _kind_of(content: Content) -> str | None:
    with content.open() as opened:
        return archives.kind_of(opened)


def _entries_of(file: File, form: str | None) -> list[Member]:
    with file.open("rb", 0) as opened:
        entries = archives.list_entries(opened).entries
    # An entry that is called as if it told of another, and holds anything else, is a file like all others.
    telling = {each.beside for each in entries if each.beside and beside.is_told_in(file, each.beside)}
    members: list[Member] = []
    spent, bombs = 0, 0
    for entry in entries:
        if entry.number in telling:
            continue
        told_in = {"beside": entry.beside} if entry.beside in telling else {}
        content = Content(file, {"entry": entry.number, **told_in})
        try:
            size = archives.measure(file, entry, spent)
            spent += size
            if size and form != "xml" and (sheets := workbook.members_of(content)):
                members += [replace(sheet, size_bytes=size) for sheet in sheets]
                continue
            kind = _kind_of(content) if size else None
            if kind in ("gz", "zip"):
                raise Unreadable("archive_nested")
            members += _members_at(content, kind, form, size)
        except Unreadable as refusal:
            # What stands beside a bomb is read; beside two of them it is no accident, and each costs time.
            bombs += refusal.code == "archive_bomb"
            spent = archives.MOST_BYTES + 1 if bombs > 1 else spent
            members.append(Member(content.place, refusal.code))
    return members


def _members_at(content: Content, kind: str | None, form: str | None, size: int | None) -> list[Member]:
    """Return the member at a place that is neither archive nor workbook."""
    if kind in ("workbook", "office"):
        return [Member(content.place, "archive", size)]
    return [Member(content.place, probe.refusal(content, form), size)]
