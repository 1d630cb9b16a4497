"""A published layout over the years: what it was in the first year that we know, and what each later year changed.

    years:
      at: [Message/Header/Year, Message/Header/ReferenceDate]    where a file says its year; the first that can be read
      first: 2017                                                the year of the layout as it stands under feeds
      last: 2026                                                 the last year whose layout was looked at
      changes:
        - year: 2025                                             from this year on
          says: One sentence for people.
          source: Where it is published.
          feeds:
            referral:
              fields: {sex: ../Child/Sex}      a new place, or null: the year has no such element
              beside: [Plan/Start]             elements that no property has; they are kept with the record
              codes: {sex: {}}                 the spellings of a code list in this year, in place of those before

What a year does not say is as in the year before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from frontdoor.contract.files import ContractError, Node

YEARS = range(1990, 2100)


@dataclass(frozen=True)
class Edition:
    """A layout from one year on, until the next edition. `mapping`: feed -> where its records and fields are, whole."""

    year: int
    says: str
    source: str
    mapping: Mapping[str, Mapping[str, Any]]

    def places(self, feed: str) -> dict[str, str | None]:
        """Every path that this edition names for a feed -> the property that stands there, or None."""
        mapping = self.mapping[feed]
        return dict.fromkeys(mapping.get("beside", ())) | {place: name for name, place in mapping["fields"].items()}


@dataclass(frozen=True)
class Editions:
    """The editions of a layout, oldest first; `at`: paths at which a file says its year; `last`: see above."""

    at: tuple[str, ...]
    last: int
    editions: tuple[Edition, ...]

    def of(self, year: int | None) -> tuple[Edition, bool]:
        """The edition of a year, and whether we know that year.

        A year before the first is read by the first; a later one than we know, or none, by the newest.
        """
        newest = self.editions[-1]
        if year is None or year > self.last:
            return newest, False
        begun = [each for each in self.editions if each.year <= year]
        return (begun[-1], True) if begun else (self.editions[0], False)

    def of_other_years(self, edition: Edition, feed: str) -> dict[str, str | None]:
        """Paths that only other editions name -> the property that stands there, or None."""
        own = edition.places(feed)
        others: dict[str, str | None] = {}
        for each in self.editions:
            others |= {place: name for place, name in each.places(feed).items() if place not in own}
        return others

    def spellings(self, feed: str) -> dict[str, dict[str, str]]:
        """Code list -> label -> code, of all years: a label never means two things in two years."""
        found: dict[str, dict[str, str]] = {}
        for each in self.editions:
            for name, codes in (each.mapping[feed].get("codes") or {}).items():
                found.setdefault(name, {}).update(codes)
        return found


def parse_editions(document: Node, base: Mapping[str, Mapping[str, Any]]) -> Editions | None:
    """The editions that a layout's file describes under `years`; None for a layout that is one for all years."""
    if "years" not in document.value:
        return None
    node = document.mapping("years")
    first, last = _year(node, "first"), _year(node, "last")
    if not node.texts("at"):
        raise node.wrong("at", "paths at which a file says its year")
    editions = [Edition(first, node.text("says", "The first that we know."), node.text("source"), base)]
    for change in node.nodes("changes", "year"):
        year = _year(change, "year")
        if not editions[-1].year < year <= last:
            raise change.wrong("year", f"a year after {editions[-1].year}, and not after the last, {last}")
        mapping = _changed(change.mapping("feeds"), editions[-1].mapping)
        editions.append(Edition(year, change.text("says"), change.text("source"), mapping))
    found = Editions(node.texts("at"), last, tuple(editions))
    _refuse_two_meanings(node, found)
    return found


def _year(node: Node, key: str) -> int:
    year = node.value.get(key)
    if not isinstance(year, int) or year not in YEARS:
        raise node.wrong(key, "a year")
    return year


def _changed(feeds: Node, before: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    for code in feeds.value:
        if code not in before:
            raise feeds.wrong(code, f"one of {', '.join(before)}")
    return MappingProxyType(
        {code: MappingProxyType(_of_feed(feeds.mapping(code), mapping)) for code, mapping in before.items()}
    )


def _of_feed(change: Node, before: Mapping[str, Any]) -> dict[str, Any]:
    for key in change.value:
        if key not in ("fields", "beside", "codes"):
            raise change.wrong(key, "fields, beside or codes")
    fields = dict(before["fields"])
    for name, place in change.mapping("fields").value.items():
        if place is None and name not in fields:
            raise change.mapping("fields").wrong(name, "an element that the year before has")
        if place is not None and not isinstance(place, str):
            raise change.mapping("fields").wrong(name, "a path, or null")
        fields.pop(name, None)
        if place is not None:
            fields[name] = place
    codes = change.mapping("codes")
    spelled = {name: codes.text_mapping(name) for name in codes.value}
    return {
        **before,
        "fields": fields,
        "beside": (*before.get("beside", ()), *change.texts("beside")),
        "codes": {**(before.get("codes") or {}), **spelled},
    }


def _refuse_two_meanings(node: Node, found: Editions) -> None:
    meant: dict[tuple[str, str], str] = {}
    for each in found.editions:
        for feed, mapping in each.mapping.items():
            for name, codes in (mapping.get("codes") or {}).items():
                for label, code in codes.items():
                    if meant.setdefault((f"{feed} {name}", label), code) != code:
                        raise ContractError(
                            f"{node.file}: years.changes[{each.year}]: codes.{name}: expected one meaning of"
                            f" {label!r} in all years, found two: a reading does not ask for the year"
                        )
