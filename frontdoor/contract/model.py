"""What a contract, a sender and a layout are, once read: immutable, and with no file, table or tool in sight.

A `Feed` is what we ask for. An `Agency` is who sends. An `AgencyFeed` is how one agency sends one feed, from one day to
another: its headers, its labels, its dates. A `Layout` is a published format that supplies one or more feeds. The
`House` holds them all. Nothing is cached or changed after loading: a task judges by the house that it loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from frontdoor.contract.editions import Editions

KINDS = ("string", "code", "date", "timestamp", "integer", "narrative")
NEEDS = ("required", "applicable", "expected", "optional")
CLASSIFICATIONS = ("identifying", "sensitive", "internal", "restricted")
SEVERITIES = ("critical", "warning", "info")
SCOPES = ("file", "record", "delivery", "history")
RECIPIENT_ROLES = ("liaison", "head_of_service", "team_manager", "data_engineer")
AGENCY_KINDS = ("police", "education", "health", "housing", "council", "public")
# How a file may be written; gz and zip around any of them are always understood.
FORMATS = ("csv", "json", "jsonl", "xml", "xlsx")
ARCHIVES = ("none", "gz", "zip")
# Who signs a version of what an agency agreed.
PARTIES = ("sender", "council")
DELIVERY_MODES = ("increment", "snapshot")
# On which days a delivery is expected; a day of the week also where it is a bank holiday.
WEEKDAYS = ("mondays", "tuesdays", "wednesdays", "thursdays", "fridays", "saturdays", "sundays")
EXPECTED_DAYS = ("every_day", "working_days", *WEEKDAYS)
# The words of the standard (ODCS 3.1). A sufficiency rule is `completeness` there and `sufficiency` in our scores.
DIMENSIONS = ("accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness")
SCORE_DIMENSIONS = (*DIMENSIONS, "sufficiency")


@dataclass(frozen=True)
class Property:
    """One field of a feed."""

    name: str
    kind: str
    is_list: bool
    need: str
    classification: str
    code_list: str | None
    is_technical: bool
    description: str
    # A whole number of which a decimal fraction may be cut off, as of years of age: 6.9 is six.
    is_cut: bool = False


@dataclass(frozen=True)
class Element:
    """One thing a decision-maker must know, as three SQL conditions over the read columns. Not applicable wins over
    present, present over unknown with a reason; what is left is missing."""

    name: str
    applies_when: str
    present_when: str
    unknown_when: str
    # What the sender is asked where it is missing, in its own words; 1 is asked first. None: the feed asks nothing.
    question: str | None = None
    ask_rank: int | None = None
    # Asked also of who has answered that it is not known: where the child is matters too much.
    is_asked_again: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule. `title` is neutral and may stand in an e-mail; `sentence` is what the sender reads behind the link."""

    rule_id: str
    feed: str
    severity: str
    dimension: str
    score_dimension: str
    scope: str
    sentence: str
    what_to_do: str
    recipient_role: str
    applies_to: tuple[str, ...]
    expectation_type: str
    expectation: Mapping[str, Any]
    title: str = ""

    def applies(self, agency: "Agency", source: str, delivery_mode: str | None = None) -> bool:
        """Whether the rule is put to files of this sender and source (and, where it is said, of this delivery mode).

        `applies_to` may name agency kinds, delivery modes and sources; where it names kinds the agency must be one of
        them, where it names sources the file must have come by one of them, and so for modes.
        """
        kinds = [word for word in self.applies_to if word in AGENCY_KINDS]
        modes = [word for word in self.applies_to if word in DELIVERY_MODES]
        sources = [word for word in self.applies_to if word not in (*kinds, *modes)]
        return (
            (not kinds or agency.kind in kinds)
            and (not sources or source in sources)
            and (not modes or delivery_mode is None or delivery_mode in modes)
        )


@dataclass(frozen=True)
class Account:
    """The property that says what happened, and what tells that two records are about one matter.

    `one_matter`: groups of properties; two records that are alike in all of a group are about one matter, and may be
    told in the same words.
    """

    property: str
    one_matter: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Feed:
    """One kind of record that agencies send us: its fields, its rules, and what must be known to decide."""

    code: str
    title: str
    version: str
    delivery_mode: str
    worklist: str | None
    timezone: str
    key_properties: tuple[str, ...]
    child_properties: tuple[str, ...]
    reference_property: str
    properties: tuple[Property, ...]
    elements: tuple[Element, ...]
    rules: tuple[Rule, ...]
    service_levels: Mapping[str, Any]
    # The property with the number to ring about a record.
    reach_property: str | None = None
    # Where the same words told of several matters count as nothing told.
    account: Account | None = None

    def property(self, name: str) -> Property:
        """The property of that name."""
        return next(prop for prop in self.properties if prop.name == name)

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id."""
        return next(rule for rule in self.rules if rule.rule_id == rule_id)


@dataclass(frozen=True)
class Agency:
    """Who sends. Roles, never people."""

    code: str
    name: str
    kind: str
    area_code: str
    timezone: str
    calendar: str
    liaison_role: str


@dataclass(frozen=True)
class Signature:
    """When a party signed, and by which role; never a person."""

    on: date
    role: str


@dataclass(frozen=True)
class Expected:
    """When an agency agreed to send: on which days (`EXPECTED_DAYS`), and by what time of its own clock on the wall."""

    days: str
    by: time

    def is_due_on(self, day: date, is_working_day: Callable[[date], bool]) -> bool:
        """Whether a delivery is expected on a day."""
        if self.days in WEEKDAYS:
            return day.weekday() == WEEKDAYS.index(self.days)
        return self.days == "every_day" or is_working_day(day)

    def due_at(self, day: date, zone: ZoneInfo) -> datetime:
        """The instant by which the delivery of a day is expected, in UTC.

        A time that the clocks leave out is the one an hour later, of a time that they repeat it is the first.
        """
        return datetime.combine(day, self.by, zone).astimezone(UTC)


@dataclass(frozen=True)
class AgencyFeed:
    """How one agency sends one feed by one source between two days (`valid_to` is the last day, or None).

    `headers` maps the sender's header (compared by `normalised`) to a property; a contract's own property names are
    always understood besides. `codes` maps, per code list, the sender's label (compared by `normalised`) to a code.
    `ambiguous`: per code list, labels of which a person decided that they may mean several things.
    `archive` says what the sender packs its files into; it is only written by it, and never asked for when reading.
    `delivery_mode`: whether a file holds the whole list (`snapshot`) or what is new or changed since (`increment`); the
    contract's, where the agency agreed nothing else. `expected`: when a delivery is due; None: when there is something
    to tell, so that silence says nothing.
    Dates and time stamps are written as in `to_date` and `to_timestamp`: YYYY, MM, DD, HH24, MI, SS, Mon.
    """

    agency: str
    feed: str
    source: str
    version: str
    valid_from: date
    valid_to: date | None
    format: str
    headers: Mapping[str, str]
    codes: Mapping[str, Mapping[str, str]]
    list_separator: str
    date_formats: tuple[str, ...]
    timestamp_formats: tuple[str, ...]
    waived_rules: tuple[str, ...] = ()
    tightened: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    archive: str = "none"
    delivery_mode: str = "increment"
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    # Party -> signature.
    signed: Mapping[str, Signature] = field(default_factory=lambda: MappingProxyType({}))
    expected: Expected | None = None


@dataclass(frozen=True)
class LayoutList:
    """One list (sheet) of a published workbook; `feed`: which its rows go to, or None: they are only counted.

    `names`: what the sheet may be called. `headers`: header -> property; `beside`: headers that no property has, kept
    with the record. `constants`: properties that are the same for all rows; `composed`: properties put together of
    cells, as text with headers in braces, blank where one of the cells is.
    """

    code: str
    feed: str | None
    names: tuple[str, ...]
    headers: Mapping[str, str]
    beside: tuple[str, ...]
    constants: Mapping[str, str]
    composed: Mapping[str, str]

    @property
    def carried(self) -> frozenset[str]:
        """The properties that its rows can have."""
        return frozenset((*self.headers.values(), *self.constants, *self.composed))


@dataclass(frozen=True)
class Layout:
    """A published format that supplies one or more feeds. `mapping`: feed -> where its records and fields are.

    A workbook's mapping has no record and fields: its `lists` say which sheet goes where. Where a layout changed over
    the years, `mapping` is the newest edition's, and `years` holds all of them.
    """

    code: str
    title: str
    feeds: tuple[str, ...]
    format: str
    mapping: Mapping[str, Mapping[str, Any]]
    timezone: str
    lists: tuple[LayoutList, ...] = ()
    years: Editions | None = None

    def mapping_of(self, feed: str, year: int | None) -> Mapping[str, Any]:
        """Where the records and fields of a feed are in a file of that year; None: the newest."""
        return self.years.of(year)[0].mapping[feed] if self.years else self.mapping[feed]

    def list_called(self, code: str) -> LayoutList | None:
        """The list of that code."""
        return next((each for each in self.lists if each.code == code), None)

    def carried(self, feed: str) -> frozenset[str]:
        """The properties of a feed that it can supply, by any of its lists."""
        editions = [each.mapping[feed] for each in self.years.editions] if self.years else [self.mapping[feed]]
        carried = frozenset(name for each in editions for name in (*each.get("fields", {}), *each.get("constants", {})))
        return carried.union(*(each.carried for each in self.lists if each.feed == feed))


@dataclass(frozen=True)
class House:
    """Everything that is declared under `expectations/`.

    `agency_feeds`: the versions in force, each in its days; `declared`: all versions, as their files say.
    """

    feeds: Mapping[str, Feed]
    agencies: Mapping[str, Agency]
    layouts: Mapping[str, Layout]
    agency_feeds: tuple[AgencyFeed, ...]
    file_rules: tuple[Rule, ...]
    declared: tuple[AgencyFeed, ...] = ()

    def agency_feed(self, agency: str, source: str, feed: str, on: date) -> AgencyFeed | None:
        """How the agency sends the feed by the source on a day; None if nothing is agreed for that day."""
        for agreed in self.agency_feeds:
            if (agreed.agency, agreed.source, agreed.feed) != (agency, source, feed):
                continue
            if agreed.valid_from <= on and (agreed.valid_to is None or on <= agreed.valid_to):
                return agreed
        return None

    def sources(self) -> tuple[str, ...]:
        """Every feed and layout: the names of landing folders and of the feeds' DAGs."""
        return (*sorted(self.feeds), *sorted(self.layouts))

    def accepts(self, agency: str, source: str) -> bool:
        """Whether this agency has ever agreed to send by this source."""
        return any(agreed.agency == agency and agreed.source == source for agreed in self.agency_feeds)


def normalised(text: str) -> str:
    """The form in which headers and labels are compared: lower case, letters and digits only, one space between words.

    Beyond spaces and case this also takes away what spreadsheets and people put around a label: a byte order mark,
    no-break spaces, curly quotes, underscores, hyphens, brackets, a trailing colon or star.
    """
    kept = "".join(char if char.isalnum() else " " for char in text.casefold() if char not in "'\u2018\u2019\ufeff")
    return " ".join(kept.split())
