"""A rule in the sender's own words: which of its columns a rule is about, and what is expected in them.

A rule names properties of the contract; the sender knows its own headers. Nothing here looks at a file: headers and
labels are those that were agreed, so that no text of a file can come into a receipt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from frontdoor import reference
from frontdoor.contract import AgencyFeed, Feed, House, Property, Rule

CODES_SHOWN = 12
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_FORMS = {"YYYY": "year", "MM": "month", "DD": "day", "HH24": "hour", "MI": "minute", "SS": "second"}
_NEEDS = {
    "required": "always",
    "applicable": "where it applies",
    "expected": "where it can be known",
    "optional": "if you like",
}


@dataclass(frozen=True)
class Columns:
    """The sender's own name of each property of a feed, as it was agreed."""

    feed: Feed
    agreed: AgencyFeed | None
    names: Mapping[str, str]
    on: date

    def of_rule(self, rule: Rule) -> tuple[str, ...]:
        """The properties that a rule asks about, in the order of the contract; none for a rule about the file."""
        said = rule.expectation.get("fails_when") or rule.expectation.get("unexpected_rows_query") or ""
        words = set(_WORD.findall(str(said)))
        return tuple(each.name for each in self.feed.properties if each.name in words or f"{each.name}_state" in words)

    def name_of(self, name: str) -> str:
        """The sender's name of a property."""
        return self.names.get(name, name)

    def expected(self, name: str) -> str:
        """What is expected in a column: "a date as day/month/year"."""
        prop = self.feed.property(name)
        several = " (several, parted by {})".format(self.agreed.list_separator if self.agreed else ";")
        return f"{self._kind(prop)}{several if prop.is_list else ''}"

    def needed(self, name: str) -> str:
        """When a column is to be filled: "always"."""
        return _NEEDS[self.feed.property(name).need]

    def _kind(self, prop: Property) -> str:
        if prop.kind == "code":
            return self._labels(prop.code_list or "")
        if prop.kind in ("date", "timestamp"):
            forms = (
                (self.agreed.date_formats if prop.kind == "date" else self.agreed.timestamp_formats)
                if self.agreed
                else ()
            )
            what = "a date" if prop.kind == "date" else "a date and time"
            return f"{what} as {_in_words(forms[0])}" if forms else what
        return {"integer": "a whole number", "narrative": "an account in your own words"}.get(prop.kind, "text")

    def _labels(self, code_list: str) -> str:
        mapped = self.agreed.codes.get(code_list, {}) if self.agreed else {}
        try:
            known = reference.codes(code_list, self.on)
        except reference.UnknownConstant:
            known = {}
        # One spelling for each code: the sender's first, else our own.
        spelling = {code: code for code in known}
        for label, code in reversed([*mapped.items()]):
            spelling[code] = label
        labels = [label for code, label in spelling.items() if code in known] or [*mapped]
        more = len(labels) - CODES_SHOWN
        return f"one of: {', '.join(labels[:CODES_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def columns_of(
    house: House, agency: str, source: str, feed: str, part: str, on: date, year: int | None = None
) -> Columns:
    """The columns of a part of a sender's file on a day: under a layout's headers where it came by one.

    ``part``: the list of a layout, as `intake.members` names it; ``year``: that of the layout, None for the newest.
    """
    contract, agreed, layout = house.feeds[feed], house.agency_feed(agency, source, feed, on), house.layouts.get(source)
    names: dict[str, str] = {}
    if layout is not None and layout.lists:
        listed = layout.list_called(part)
        names = _by_property(listed.headers) if listed else {}
    elif layout is not None:
        fields: Mapping[str, str] = layout.mapping_of(feed, year).get("fields", {})
        names = {name: path.rsplit("/", 1)[-1] for name, path in fields.items()}
    elif agreed is not None:
        names = _by_property(agreed.headers)
    return Columns(contract, agreed, names, on)


def _by_property(headers: Mapping[str, str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for header, name in headers.items():
        names.setdefault(name, header)
    return names


def _in_words(form: str) -> str:
    for mark, word in _FORMS.items():
        form = form.replace(mark, word)
    return form
