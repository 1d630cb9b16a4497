"""What a declaration can get wrong although it loads: looked for here, before a sender's file meets it.

Every contract is held against the official schema of the standard, every rule id must be one rule's alone, every code
list, limit and column that is named must exist. Each problem is one line: file or rule, what is wrong, what to do.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from frontdoor import reference
from frontdoor.contract import expectations_folder, load_house
from frontdoor.contract.files import ContractError, Loader
from frontdoor.contract.model import (
    AGENCY_KINDS,
    DELIVERY_MODES,
    Agency,
    AgencyFeed,
    Feed,
    House,
    Layout,
    Rule,
    normalised,
)

LINEAGE = {
    *("_agency_code", "_delivery_id", "_record_no", "_received_at", "_agency_kind"),
    *("_sufficiency", "_account_told"),
}
KEYS = {"record_key", "content_hash", "has_own_key", "child_key", "sender_reference", "extra"}
# What looks beyond the delivery, or was found by looking there; a check before sending has nothing there.
EARLIER = re.compile(r"\b((raw|intake)\.|_account_told\b)")
RECORD_RULE, QUERY_RULE, READER_RULE = "expect_records_to_keep_rule", "unexpected_rows_expectation", "reader"


def look(root: Path | None, on: date) -> tuple[list[str], str]:
    """Every problem, and a sentence that counts what was looked at where there is none."""
    found = problems(root, on)
    if found:
        return found, ""
    house = load_house(root)
    rules = sum(len(feed.rules) for feed in house.feeds.values()) + len(house.file_rules)
    agreements, layouts = len(house.agency_feeds), len(house.layouts)
    return [], f"{len(house.feeds)} contracts, {rules} rules, {agreements} agreements, {layouts} layouts: right"


def problems(root: Path | None, on: date) -> list[str]:
    """Every problem of the declarations below `root` as they stand on a day; none means clean."""
    root = root or expectations_folder()
    found = [line for path in sorted(root.glob("*/contract.odcs.yaml")) for line in _against_standard(path, root)]
    try:
        house = load_house(root)
    except ContractError as error:
        return [*found, str(error)]
    found += _doubled_ids(house)
    for feed in house.feeds.values():
        found += [*_of_properties(feed, on), *_of_predicates(feed, on), *_of_questions(feed)]
    for agreed in house.agency_feeds:
        found += _of_agreement(agreed, house.feeds[agreed.feed], on)
        found += _of_expected(agreed, house.agencies[agreed.agency])
    for layout in house.layouts.values():
        found += _of_layout(layout, house)
    return found


def _against_standard(path: Path, root: Path) -> Iterator[str]:
    """Held against the schema that the standard's own package carries."""
    import open_data_contract_standard
    from jsonschema import Draft201909Validator

    schema = json.loads((Path(open_data_contract_standard.__file__).parent / "schema.json").read_text(encoding="utf-8"))
    name = path.relative_to(root).as_posix()
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    except (yaml.YAMLError, UnicodeDecodeError):
        return  # load_house says it better
    for error in Draft201909Validator(schema).iter_errors(document):
        place = ".".join(str(part) for part in error.absolute_path) or "top"
        yield f"{name}: {place}: not as the standard (ODCS 3.1) wants it: {error.message:.200}"


def _doubled_ids(house: House) -> Iterator[str]:
    rules = [rule for feed in house.feeds.values() for rule in feed.rules] + list(house.file_rules)
    for rule_id, count in Counter(rule.rule_id for rule in rules).items():
        if count > 1:
            yield f"{rule_id}: used by {count} rules: give each rule an id of its own; an id is never used again"
    prefixes: dict[str, str] = {}
    for rule in rules:
        if prefixes.setdefault(rule.rule_id[:3], rule.feed) != rule.feed:
            owner = prefixes[rule.rule_id[:3]]
            yield f"{rule.rule_id}: {rule.rule_id[:3]} belongs to {owner}: use another prefix in {rule.feed}"
    sources = set(house.sources())
    for rule in rules:
        for word in rule.applies_to:
            if word not in sources and word not in (*AGENCY_KINDS, *DELIVERY_MODES):
                yield f"{rule.rule_id}: appliesTo {word}: no feed, layout, kind of agency or delivery mode"


def _of_questions(feed: Feed) -> Iterator[str]:
    """A feed whose records wait for a person says what that person asks."""
    if feed.worklist == "triage" and feed.elements and feed.elements[0].question is None:
        yield f"{feed.code}: questions: its records wait on the triage list, and nothing says what to ask about them"
    for element in feed.elements:
        if element.question is not None and not element.question.endswith("?"):
            yield f"{feed.code}: questions: {element.name}: expected a question, which ends with a question mark"


def _of_properties(feed: Feed, on: date) -> Iterator[str]:
    names = {prop.name for prop in feed.properties}
    for prop in feed.properties:
        place = f"{feed.code}: {prop.name}"
        if (
            prop.name in KEYS
            or prop.name.startswith("_")
            or not prop.name.isidentifier()
            or prop.name != prop.name.lower()
        ):
            yield f"{place}: not a name for a column: use small letters, digits and _, and none that the reading makes"
        if prop.name.endswith("_state") and prop.name.removesuffix("_state") in names:
            yield f"{place}: the reading makes a column of that name: rename the property"
        if prop.code_list:
            try:
                reference.code_rows(prop.code_list, on)
            except reference.UnknownConstant as error:
                yield f"{place}: {error}"
    for name in feed.key_properties:
        if feed.property(name).is_technical:
            yield f"{feed.code}: {name}: part of the key and technical: an id that is reissued overnight is no key"


def _of_predicates(feed: Feed, on: date) -> Iterator[str]:
    known = LINEAGE | KEYS | {name for prop in feed.properties for name in (prop.name, f"{prop.name}_state")}
    for rule in feed.rules:
        for wanted in _kwargs_wanted(rule) - set(rule.expectation):
            yield f"{rule.rule_id}: {rule.expectation_type} wants {wanted}: add it under implementation.kwargs"
        for name, sql in rule.expectation.items():
            yield from _of_sql(f"{rule.rule_id}: {name}", str(sql), known, on)
            if rule.scope != "history" and EARLIER.search(str(sql)):
                yield f"{rule.rule_id}: {name}: looks at earlier deliveries: give the rule scope: history"
    for element in feed.elements:
        for name in ("applies_when", "present_when", "unknown_when"):
            yield from _of_sql(f"{feed.code}: element {element.name}: {name}", getattr(element, name), known, on)


def _kwargs_wanted(rule: Rule) -> set[str]:
    wanted = {RECORD_RULE: {"applies_when", "fails_when"}, QUERY_RULE: {"unexpected_rows_query"}, READER_RULE: set()}
    return wanted.get(rule.expectation_type, set())


def _of_sql(place: str, sql: str, known: set[str], on: date) -> Iterator[str]:
    import sqlglot
    from sqlglot import exp

    try:
        written = reference.expand(sql, on).replace("{batch}", "batch")
    except reference.UnknownConstant as error:
        yield f"{place}: {error}"
        return
    if "{" in written.replace("{batch}", ""):
        yield f"{place}: a placeholder that nothing writes out: use limit, codes, dates, openings, words, def or batch"
        return
    if "%" in written:
        yield f"{place}: %: drivers read it as a parameter; write mod() or a regular expression"
    try:
        tree = sqlglot.parse_one(written, read="postgres")
    except sqlglot.errors.SqlglotError:
        yield f"{place}: not SQL that Postgres can read"
        return
    made = {alias.alias for alias in tree.find_all(exp.Alias)}
    for column in sorted({column.name for column in tree.find_all(exp.Column)} - known - made):
        yield f"{place}: {column}: no column of the reading: use a property, <property>_state or one of the lineage"


def _of_agreement(agreed: AgencyFeed, feed: Feed, on: date) -> Iterator[str]:
    place = f"{agreed.feed}/agencies/{agreed.agency}.yaml: {agreed.version}"
    yield from _of_codes(place, agreed.codes, on)
    for code_list, labels in agreed.ambiguous.items():
        mapped = {normalised(label) for label in agreed.codes.get(code_list, {})}
        for label in labels:
            if normalised(label) in mapped:
                yield f"{place}: ambiguous.{code_list}: {label!r} is mapped to a code as well: one or the other"
    if agreed.list_separator == "" and any(prop.is_list for prop in feed.properties):
        yield f"{place}: list_separator: expected the mark between the items of a list, found nothing"


def _of_expected(agreed: AgencyFeed, agency: Agency) -> Iterator[str]:
    if agreed.expected and agreed.expected.days == "working_days" and agency.calendar != reference.CALENDAR:
        yield (
            f"{agreed.feed}/agencies/{agreed.agency}.yaml: {agreed.version}: expected: no working days are known of the"
            f" calendar {agency.calendar}: use {reference.CALENDAR} in agencies/{agreed.agency}.yaml, or other days"
        )


def _of_codes(place: str, codes: Mapping[str, Mapping[str, str]], on: date) -> Iterator[str]:
    for code_list, labels in codes.items():
        try:
            rows = reference.code_rows(code_list, on)
        except reference.UnknownConstant as error:
            yield f"{place}: {error}"
            continue
        meant: dict[str, str] = {}
        for label, code in labels.items():
            if meant.setdefault(normalised(label), code) != code:
                yield f"{place}: codes.{code_list}: {label!r} and a label like it mean two codes: leave it to a person"
            if code not in rows:
                yield f"{place}: codes.{code_list}: {label!r} is mapped to {code}, which is no code on {on}"


def _of_layout(layout: Layout, house: House) -> Iterator[str]:
    for code, mapping in layout.mapping.items():
        place = f"layouts/{layout.code}.yaml: feeds.{code}"
        if code not in house.feeds:
            yield f"{place}: expected a feed, found none of that name"
            continue
        names = {prop.name for prop in house.feeds[code].properties}
        named: dict[str, Any] = {**mapping.get("fields", {}), **(mapping.get("constants") or {})}
        for edition in layout.years.editions if layout.years else ():
            named |= edition.mapping[code]["fields"]
        for name in sorted(set(named) - names):
            yield f"{place}: {name}: expected a property of {code}"
    for code, count in Counter(each.code for each in layout.lists).items():
        if count > 1:
            yield f"layouts/{layout.code}.yaml: lists: {code}: used by {count} lists: give each a code of its own"
    for each in layout.lists:
        place = f"layouts/{layout.code}.yaml: lists[{each.code}]"
        feed = house.feeds.get(each.feed or "")
        known = {prop.name for prop in feed.properties} if feed else set()
        for name in sorted(each.carried - known):
            yield f"{place}: {name}: expected a property of {each.feed or 'the feed that the list names'}"
