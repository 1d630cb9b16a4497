"""What one agency agreed for one feed, whole: the contract and the agency's differences from it, as one document.

The contract says what we ask for and the agency's file how that differs; nobody should have to lay one over the other
in the head. `frontdoor contract show` prints the document, `frontdoor.contract.difference` compares two of them.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from frontdoor import reference
from frontdoor.contract.model import AgencyFeed, Expected, Feed, House, Layout, Rule
from frontdoor.contract.signing import missing

AS_CONTRACT, TIGHTENED, WAIVED = "as_contract", "tightened", "waived"


def agreements(house: House, agency: str, source: str, on: date) -> list[dict[str, Any]]:
    """One document per feed that the source supplies, as it stands on a day; none where nothing is agreed for it."""
    agreed = (house.agency_feed(agency, source, feed, on) for feed in sorted(house.feeds))
    return [document(house, each, on) for each in agreed if each is not None]


def document(house: House, agreed: AgencyFeed, on: date) -> dict[str, Any]:
    """The agreement in plain values. `on`: the day whose code lists are meant."""
    feed, agency = house.feeds[agreed.feed], house.agencies[agreed.agency]
    layout = house.layouts.get(agreed.source)
    rules = [_rule(rule, agreed) for rule in feed.rules if rule.applies(agency, agreed.source, agreed.delivery_mode)]
    return {
        "agency": agency.code,
        "agency_name": agency.name,
        "feed": feed.code,
        "title": feed.title,
        "source": agreed.source,
        "contract_version": feed.version,
        "agency_version": agreed.version,
        "valid_from": agreed.valid_from,
        "valid_to": agreed.valid_to,
        "terms": {
            "format": layout.format if layout else agreed.format,
            "archive": agreed.archive,
            "delivery_mode": agreed.delivery_mode,
            "expected": in_words(agreed.expected),
            "list_separator": agreed.list_separator,
            "date_formats": list(agreed.date_formats),
            "timestamp_formats": list(agreed.timestamp_formats),
            "timezone": layout.timezone if layout else agency.timezone,
            "calendar": agency.calendar,
        },
        "contacts": {
            role: agency.liaison_role if role == "liaison" else role
            for role in sorted({"liaison", *(rule["recipient_role"] for rule in rules)})
        },
        "layout_years": _layout_years(layout, feed.code),
        "fields": _fields(feed, agreed, layout),
        "codes": _codes(feed, agreed, on),
        "rules": rules,
        "versions": [
            {
                "version": each.version,
                "valid_from": each.valid_from,
                "valid_to": each.valid_to,
                "signed": {party: {"on": said.on, "role": said.role} for party, said in each.signed.items()},
                "signatures_missing": list(missing(each)),
            }
            for each in house.declared
            if (each.agency, each.source, each.feed) == (agreed.agency, agreed.source, agreed.feed)
        ],
    }


def in_words(expected: Expected | None) -> str | None:
    """Say "working days by 09:00"; None where nothing is expected on a day."""
    return f"{expected.days.replace('_', ' ')} by {expected.by:%H:%M}" if expected else None


def _fields(feed: Feed, agreed: AgencyFeed, layout: Layout | None) -> list[dict[str, Any]]:
    named = _names_of(layout, feed.code) if layout else {}
    for header, name in agreed.headers.items():
        named.setdefault(name, []).append(header)
    carried = layout.carried(feed.code) if layout else None
    return [
        {
            "property": each.name,
            "headers": named.get(each.name, [each.name]),
            "kind": each.kind,
            "is_list": each.is_list,
            "need": each.need,
            "code_list": each.code_list,
            "description": each.description,
        }
        for each in feed.properties
        if carried is None or each.name in carried
    ]


def _layout_years(layout: Layout | None, feed: str) -> list[dict[str, Any]]:
    """How a published layout changed: from which year on, in words, and where each property of the feed stands then."""
    if layout is None or layout.years is None:
        return []
    ends = [*(each.year - 1 for each in layout.years.editions[1:]), layout.years.last]
    return [
        {
            "from": each.year,
            "to": end,
            "says": each.says,
            "source": each.source,
            "places": dict(each.mapping[feed]["fields"]),
            "beside": list(each.mapping[feed].get("beside", ())),
        }
        for each, end in zip(layout.years.editions, ends, strict=True)
    ]


def _names_of(layout: Layout, feed: str) -> dict[str, list[str]]:
    """Property -> what a published layout calls it."""
    named: dict[str, list[str]] = {}
    for name, place in (layout.mapping[feed].get("fields") or {}).items():
        named.setdefault(name, []).append(str(place))
    for each in layout.lists:
        for header, name in each.headers.items() if each.feed == feed else ():
            if header not in named.setdefault(name, []):
                named[name].append(header)
    return named


def _codes(feed: Feed, agreed: AgencyFeed, on: date) -> dict[str, dict[str, dict[str, Any]]]:
    """Code list -> code -> its label, and the spellings that this agency uses for it."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in sorted({each.code_list for each in feed.properties if each.code_list}):
        spelled: dict[str, list[str]] = {}
        for label, code in agreed.codes.get(name, {}).items():
            spelled.setdefault(code, []).append(label)
        found[name] = {
            code: {"label": label, "spellings": spelled.get(code, [])} for code, label in _known(name, on).items()
        }
    return found


def _known(code_list: str, on: date) -> Mapping[str, str]:
    try:
        return reference.codes(code_list, on)
    except reference.UnknownConstant:
        return {}


def _rule(rule: Rule, agreed: AgencyFeed) -> dict[str, Any]:
    is_waived = rule.rule_id in agreed.waived_rules
    return {
        "rule_id": rule.rule_id,
        "standing": WAIVED if is_waived else TIGHTENED if rule.rule_id in agreed.tightened else AS_CONTRACT,
        "severity": agreed.tightened.get(rule.rule_id, rule.severity),
        "contract_severity": rule.severity,
        "scope": rule.scope,
        "recipient_role": rule.recipient_role,
        "sentence": rule.sentence,
        "what_to_do": rule.what_to_do,
        "condition": {name: str(text) for name, text in rule.expectation.items()},
    }
