"""Which feed each member of a file goes to, and under which versions of contract and agency file.

A member of a file of a feed goes to that feed. Of a workbook these are the sheets that name columns of the feed; the
others are counted. Where none does, the fullest sheet goes to it all the same: nothing is held. A member of a file of a
layout goes to each feed that the layout supplies from it; a sheet to the feed of its list, if the list has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import count, groupby
from typing import Any
from zoneinfo import ZoneInfo

from frontdoor.contract import AgencyFeed, House, Layout, LayoutList, normalised
from frontdoor.intake.contents import Member
from frontdoor.intake.ledger import Part
from frontdoor.intake.readers import headers
from frontdoor.intake.readers.dialect import TELLING_HEADERS
from frontdoor.intake.readers.workbook import Composed, header_of

# A sheet under another name is a list of the layout if it has this share of the list's headers, and of no other's more.
SAME_LIST = 0.7


def parts_of(house: House, agency: str, source: str, received_at: datetime, found: Sequence[Member]) -> list[Part]:
    """Return the parts of a file from a known agency, under the contract and agency file in force at receipt."""
    layout = house.layouts.get(source)
    named: list[tuple[Member, str, str | None]] = []
    if layout and layout.lists:
        named = [each for book in _books(found) for each in _of_lists(layout, book)]
    elif layout:
        named = [(member, feed, feed) for member in found for feed in layout.feeds]
    else:
        words = vocabulary(house, agency, source, source, "", received_at)
        named = [each for book in _books(found) for each in _of_columns(words, source, book)]
    parts: list[Part] = []
    for member, name, feed in named:
        number, place = len(parts) + 1, member.place
        if feed is None:
            # The first row of a list that nobody reads names its columns.
            records = max((_count(member) or 0) - 1, 0)
            parts.append(Part(number, name, place, None, None, None, None, records=records))
            continue
        part = _part(house, agency, source, received_at, number, name, place, feed)
        parts.append(replace(part, refusal=member.refusal, size_bytes=member.size_bytes))
    return parts


def parts_told(
    house: House, agency: str, source: str, received_at: datetime, told: Sequence[Mapping[str, Any]]
) -> list[Part]:
    """Return the parts that a file had when it was whole, for what is left of it does not say; under today's contract.

    Of a file of one feed, of which nothing is told, it is the file itself.
    """
    if not told and source in house.feeds:
        told = [{"member_no": 1, "member_name": "file", "place": {}, "feed": source}]
    return [
        _part(house, agency, source, received_at, each["member_no"], each["member_name"], each["place"], each["feed"])
        for each in told
    ]


def _part(
    house: House,
    agency: str,
    source: str,
    received_at: datetime,
    number: int,
    name: str,
    place: Mapping[str, int],
    feed: str | None,
) -> Part:
    if feed is None or feed not in house.feeds:
        return Part(number, name, place, None, None, None, None)
    agreed = agreed_on(house, agency, source, feed, received_at)
    contract = house.feeds[feed]
    agreement = (agreed.version, agreed.delivery_mode) if agreed else ("none", contract.delivery_mode)
    return Part(number, name, place, feed, contract.version, *agreement)


def vocabulary(house: House, agency: str, source: str, feed: str, part: str, at: datetime) -> headers.Vocabulary:
    """Return the words for the columns of a part of a file: a layout's list has its own, a feed the agency's."""
    layout = house.layouts.get(source)
    if layout and layout.lists:
        return _vocabulary_of(layout.list_called(part))
    agreed = agreed_on(house, agency, source, feed, at)
    return headers.vocabulary(house.feeds[feed].properties, agreed.headers if agreed else {})


def composed(house: House, source: str, part: str) -> Composed:
    """Return what a layout adds to the columns of a part of a file."""
    layout = house.layouts.get(source)
    listed = layout.list_called(part) if layout else None
    return Composed(listed.constants, listed.composed) if listed else Composed()


def _vocabulary_of(listed: LayoutList | None) -> headers.Vocabulary:
    if listed is None:
        return headers.Vocabulary({}, ())
    words = {headers.normalised(header): name for header, name in listed.headers.items()}
    return headers.Vocabulary(words, tuple(listed.headers.values()), frozenset(map(headers.normalised, listed.beside)))


def _books(found: Sequence[Member]) -> list[list[Member]]:
    """The members in their order, sheets of one workbook together."""
    alone = count()
    return [
        list(book)
        for _, book in groupby(
            found,
            key=lambda each: (
                [(what, number) for what, number in each.place.items() if what != "sheet"]
                if "sheet" in each.place
                else next(alone)
            ),
        )
    ]


def _of_lists(layout: Layout, book: Sequence[Member]) -> list[tuple[Member, str, str | None]]:
    """Tell each sheet's list by its name, or else by its headers; where none can be told, the fullest sheet is read."""
    first = layout.feeds[0]
    if "sheet" not in book[0].place:
        return [(member, first, first) for member in book]
    told = [_named(layout, each.name) for each in book]
    left = [each for each in layout.lists if each not in told]
    for at, member in enumerate(book):
        if told[at] is None and (listed := _by_headers(left, member)):
            told[at] = listed
            left.remove(listed)
    fullest = None if any(told) else _fullest(book)
    named: list[tuple[Member, str, str | None]] = []
    for member, listed in zip(book, told, strict=True):
        if listed:
            named.append((member, listed.code, listed.feed))
        else:
            named.append((member, _name_of(member), first if member is fullest else None))
    return named


def _named(layout: Layout, name: str) -> LayoutList | None:
    """The list whose name a sheet has, perhaps with more words behind it."""
    said = f"{normalised(name)} "
    return next(
        (each for each in layout.lists if any(said.startswith(f"{normalised(one)} ") for one in each.names)), None
    )


def _by_headers(lists: Sequence[LayoutList], member: Member) -> LayoutList | None:
    shares: list[tuple[float, int]] = []
    for at, listed in enumerate(lists):
        known = {headers.normalised(header) for header in (*listed.headers, *listed.beside)}
        best = max((len(known & set(map(headers.normalised, row.cells or ()))) for row in member.top), default=0)
        shares.append((best / max(len(known), 1), at))
    shares.sort(reverse=True)
    if not shares or shares[0][0] < SAME_LIST or (len(shares) > 1 and shares[1][0] == shares[0][0]):
        return None
    return lists[shares[0][1]]


def _of_columns(words: headers.Vocabulary, feed: str, book: Sequence[Member]) -> list[tuple[Member, str, str | None]]:
    known = [each for each in book if each.refusal or "sheet" not in each.place or _names_columns(words, each)]
    if not any(member.refusal is None for member in known):
        known += [_fullest(book)]
    return [(member, _name_of(member), feed if member in known else None) for member in book]


def _names_columns(words: headers.Vocabulary, member: Member) -> bool:
    at = header_of(member.top, words)
    said = next((row.cells or [] for row in member.top if row.row_no == at), [])
    return len({words.property_of(cell) for cell in said if cell} - {None}) >= min(TELLING_HEADERS, len(said) or 1)


def _fullest(found: Sequence[Member]) -> Member:
    return max(found, key=lambda member: (member.refusal is None, _count(member) or 0))


def _count(member: Member) -> int | None:
    return member.count() if member.count else None


def _name_of(member: Member) -> str:
    return " ".join(f"{what} {number}" for what, number in member.place.items() if what != "beside") or "file"


def agreed_on(house: House, agency: str, source: str, feed: str, at: datetime) -> AgencyFeed | None:
    """Return how this agency sends this feed on that day; failing that, as it last agreed: no gap holds a child."""
    on = at.astimezone(ZoneInfo(house.agencies[agency].timezone)).date()
    if agreed := house.agency_feed(agency, source, feed, on):
        return agreed
    versions = [each for each in house.agency_feeds if (each.agency, each.source, each.feed) == (agency, source, feed)]
    return min(versions, key=lambda each: _distance(each, on), default=None)


def _distance(agreed: AgencyFeed, on: date) -> int:
    return abs((on - (agreed.valid_from if on < agreed.valid_from else agreed.valid_to or on)).days)
