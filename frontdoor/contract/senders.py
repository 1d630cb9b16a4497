"""Who sends and how: agencies, what each agreed per feed, published layouts, and the rules that hold for any file.

An agency file holds differences only, as dated versions. What a published layout fixes (dates, code spellings) is taken
from the layout; the agency's own wins where both say something.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from frontdoor.contract import model
from frontdoor.contract.editions import parse_editions
from frontdoor.contract.feed import parse_rule
from frontdoor.contract.files import ContractError, Node
from frontdoor.contract.signing import signatures

DATE_FORMATS = ("YYYY-MM-DD", "DD/MM/YYYY")
TIMESTAMP_FORMATS = ("YYYY-MM-DD HH24:MI:SS", "YYYY-MM-DD HH24:MI", "DD/MM/YYYY HH24:MI:SS", "DD/MM/YYYY HH24:MI")
# All that is read of each; any other key is refused.
AGENCY_KEYS = ("code", "name", "kind", "area_code", "timezone", "calendar", "liaison_role")
AGREEMENT_KEYS = ("agency", "versions", "signatures")
VERSION_KEYS = (
    *("version", "source", "valid_from", "valid_to", "format", "archive", "headers", "codes", "ambiguous"),
    *("list_separator", "date_formats", "timestamp_formats", "delivery_mode", "expected", "tightened", "waived_rules"),
)


def parse_agency(document: Node) -> model.Agency:
    """The agency that a file of `expectations/agencies/` describes."""
    document.only(*AGENCY_KEYS)
    return model.Agency(
        code=document.text("code"),
        name=document.text("name"),
        kind=document.word("kind", model.AGENCY_KINDS),
        area_code=document.text("area_code"),
        timezone=document.zone("timezone"),
        calendar=document.text("calendar"),
        liaison_role=document.text("liaison_role"),
    )


def parse_layout(document: Node) -> model.Layout:
    """The layout that a file of `expectations/layouts/` describes."""
    feeds = document.mapping("feeds")
    lists = tuple(_list(node, feeds) for node in document.nodes("lists", "list"))
    for code in feeds.value if not lists else ():
        record = feeds.mapping(code)
        record.text("record")
        record.text_mapping("fields")
    mapping = MappingProxyType({code: MappingProxyType(feeds.mapping(code).value) for code in feeds.value})
    years = parse_editions(document, mapping)
    return model.Layout(
        code=document.text("code"),
        title=document.text("title"),
        feeds=tuple(feeds.value),
        format=document.word("format", model.FORMATS),
        mapping=years.editions[-1].mapping if years else mapping,
        timezone=document.zone("timezone"),
        lists=lists,
        years=years,
    )


def _list(node: Node, feeds: Node) -> model.LayoutList:
    feed = node.optional_text("feed")
    if feed is not None and feed not in feeds.value:
        raise node.wrong("feed", f"one of {', '.join(feeds.value)}, or none")
    names = node.texts("names")
    if not names:
        raise node.wrong("names", "what the sheet is called")
    listed = model.LayoutList(
        code=node.text("list"),
        feed=feed,
        names=names,
        headers=MappingProxyType(node.text_mapping("headers")),
        beside=node.texts("beside"),
        constants=MappingProxyType(node.text_mapping("constants")),
        composed=MappingProxyType(node.text_mapping("composed")),
    )
    known = {model.normalised(header) for header in (*listed.headers, *listed.beside)}
    for name, text in listed.composed.items():
        for header in re.findall(r"{([^}]*)}", text):
            if model.normalised(header) not in known:
                place = f"{node.file}: {node.place}.composed.{name}"
                raise ContractError(f"{place}: expected a header of the list in braces, found {header}")
    return listed


def parse_agency_feeds(
    document: Node, feed: model.Feed, agencies: Mapping[str, model.Agency], layouts: Mapping[str, model.Layout]
) -> tuple[model.AgencyFeed, ...]:
    """The dated versions in a file of `expectations/<feed>/agencies/`."""
    document.only(*AGREEMENT_KEYS)
    agency = document.text("agency")
    if agency not in agencies:
        raise document.wrong("agency", f"a file expectations/agencies/{agency}.yaml")
    declared = [_version(node, agency, feed, layouts) for node in document.nodes("versions", "version")]
    signed = signatures(document, feed.code)
    versions = tuple(
        replace(each, signed=MappingProxyType(signed.get((each.source, each.version), {}))) for each in declared
    )
    if not versions:
        raise document.wrong("versions", "at least one dated version")
    _refuse_overlap(document, versions)
    return versions


def parse_file_rules(document: Node) -> tuple[model.Rule, ...]:
    """The rules that a reader checks before there are rows."""
    return tuple(parse_rule(node, "file", {}) for node in document.nodes("quality", "id"))


def _version(node: Node, agency: str, feed: model.Feed, layouts: Mapping[str, model.Layout]) -> model.AgencyFeed:
    node.only(*VERSION_KEYS)
    source = node.text("source", feed.code)
    if source != feed.code and (source not in layouts or feed.code not in layouts[source].feeds):
        raise node.wrong("source", f"{feed.code}, or a layout that supplies {feed.code}")
    fixed = Node(source, "", _fixed(layouts[source], feed.code) if source in layouts else {})
    valid_from = node.day("valid_from")
    if valid_from is None:
        raise node.wrong("valid_from", "a date written YYYY-MM-DD")
    return model.AgencyFeed(
        agency=agency,
        feed=feed.code,
        source=source,
        version=node.text("version"),
        valid_from=valid_from,
        valid_to=node.day("valid_to"),
        format=node.word("format", model.FORMATS),
        headers=MappingProxyType(_headers(node, feed)),
        codes=MappingProxyType(_codes(fixed, feed) | _codes(node, feed)),
        list_separator=str(node.value.get("list_separator", fixed.value.get("list_separator", ";"))),
        date_formats=node.texts("date_formats") or fixed.texts("date_formats") or DATE_FORMATS,
        timestamp_formats=node.texts("timestamp_formats") or fixed.texts("timestamp_formats") or TIMESTAMP_FORMATS,
        delivery_mode=node.word("delivery_mode", model.DELIVERY_MODES, feed.delivery_mode),
        waived_rules=node.texts("waived_rules"),
        tightened=MappingProxyType(_tightened(node, feed)),
        archive=node.word("archive", model.ARCHIVES, "none"),
        ambiguous=MappingProxyType(_ambiguous(node, feed)),
        expected=_expected(node),
    )


def _fixed(layout: model.Layout, feed: str) -> Mapping[str, Any]:
    """What a layout says of a feed, with the spellings of all its years."""
    return (
        layout.mapping[feed]
        if layout.years is None
        else {**layout.mapping[feed], "codes": layout.years.spellings(feed)}
    )


def _expected(node: Node) -> model.Expected | None:
    if node.value.get("expected") is None:
        return None
    said = node.mapping("expected")
    said.only("days", "by")
    try:
        by = datetime.strptime(said.text("by"), "%H:%M").time()  # noqa: DTZ007 a clock on the wall
    except (ValueError, ContractError):
        raise said.wrong("by", 'a time of day in quotes, such as "09:00"') from None
    return model.Expected(said.word("days", model.EXPECTED_DAYS), by)


def _headers(node: Node, feed: model.Feed) -> dict[str, str]:
    names = {prop.name for prop in feed.properties}
    headers = node.text_mapping("headers")
    seen: dict[str, str] = {}
    for header, name in headers.items():
        if name not in names:
            raise ContractError(f"{node.file}: {node.place}.headers: expected a property of {feed.code}, found {name}")
        if seen.setdefault(model.normalised(header), name) != name:
            raise ContractError(f"{node.file}: {node.place}.headers: expected one property for {header!r}, found two")
    return headers


def _codes(node: Node, feed: model.Feed) -> dict[str, Mapping[str, str]]:
    lists = {prop.code_list for prop in feed.properties}
    codes = node.mapping("codes")
    for name in codes.value:
        if name not in lists:
            raise ContractError(f"{node.file}: {codes.place}: expected a code list used by {feed.code}, found {name}")
    return {name: MappingProxyType(codes.text_mapping(name)) for name in codes.value}


def _ambiguous(node: Node, feed: model.Feed) -> dict[str, tuple[str, ...]]:
    lists = {prop.code_list for prop in feed.properties}
    ambiguous = node.mapping("ambiguous")
    for name in ambiguous.value:
        if name not in lists:
            raise ContractError(
                f"{node.file}: {ambiguous.place}: expected a code list used by {feed.code}, found {name}"
            )
    return {name: ambiguous.texts(name) for name in ambiguous.value}


def _tightened(node: Node, feed: model.Feed) -> dict[str, str]:
    tightened = node.text_mapping("tightened")
    known = {rule.rule_id for rule in feed.rules}
    for rule_id in (*tightened, *node.texts("waived_rules")):
        if rule_id not in known:
            raise ContractError(f"{node.file}: {node.place}: expected a rule of {feed.code}, found {rule_id}")
    for rule_id, severity in tightened.items():
        if severity not in model.SEVERITIES:
            raise ContractError(
                f"{node.file}: {node.place}.tightened.{rule_id}: expected one of "
                f"{', '.join(model.SEVERITIES)}, found {severity}"
            )
    return tightened


def _refuse_overlap(document: Node, versions: tuple[model.AgencyFeed, ...]) -> None:
    last: dict[str, model.AgencyFeed] = {}
    for version in sorted(versions, key=lambda each: (each.source, each.valid_from)):
        before = last.get(version.source)
        if before and (before.valid_to or date.max) >= version.valid_from:
            raise ContractError(
                f"{document.file}: versions: expected one version per day, found {before.version} and "
                f"{version.version} on {version.valid_from}; end the first with valid_to"
            )
        last[version.source] = version
