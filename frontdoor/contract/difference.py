"""Two agreements compared in words: what a person would have to know who signs the second and knows the first.

Each difference is a mapping: `about` (term, layout year, field, code, rule, severity), `name`, and the sentence.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from frontdoor.contract.agreement import AS_CONTRACT, WAIVED

Difference = dict[str, str]
TERMS = {
    "format": "Format",
    "archive": "Packing",
    "delivery_mode": "Delivery mode",
    "expected": "When a delivery is expected",
    "list_separator": "Mark between items of a list",
    "date_formats": "Forms of a date",
    "timestamp_formats": "Forms of a time",
    "timezone": "Time zone",
    "calendar": "Calendar",
}
# What of a field is compared, and as what it is told.
OF_FIELDS = {
    "kind": "kind",
    "is_list": "may be a list",
    "need": "need",
    "code_list": "code list",
    "description": "meaning",
}
OF_RULES = {
    "sentence": "its sentence",
    "what_to_do": "what to do",
    "condition": "what it asks",
    "recipient_role": "who is told",
}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Every difference between two documents of `frontdoor.contract.agreement`, in the order of the second."""
    return [
        *_terms(before, after),
        *_layout_years(_by(before["layout_years"], "from"), _by(after["layout_years"], "from")),
        *_fields(_by(before["fields"], "property"), _by(after["fields"], "property")),
        *_codes(before["codes"], after["codes"]),
        *_rules(_by(before["rules"], "rule_id"), _by(after["rules"], "rule_id")),
    ]


def _by(items: list[dict[str, Any]], key: str) -> dict[Any, dict[str, Any]]:
    return {item[key]: item for item in items}


def _said(about: str, name: str, sentence: str) -> Difference:
    return {"about": about, "name": name, "sentence": sentence}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(f"'{each}'" for each in value)
    return "nothing" if value is None else f"'{value}'"


def _terms(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name, title in TERMS.items():
        old, new = before["terms"][name], after["terms"][name]
        if old != new:
            yield _said("term", name, f"{title}: {_shown(old)} becomes {_shown(new)}.")
    for role in sorted({*before["contacts"], *after["contacts"]}):
        old, new = before["contacts"].get(role), after["contacts"].get(role)
        if old != new:
            yield _said("term", role, f"Contact as {role}: {_shown(old)} becomes {_shown(new)}.")


def _each(
    about: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    new: Callable[[str, Any], str],
    gone: Callable[[str, Any], str],
) -> Iterator[Difference]:
    for name in after:
        if name not in before:
            yield _said(about, name, new(name, after[name]))
    for name in before:
        if name not in after:
            yield _said(about, name, gone(name, before[name]))


def _layout_years(before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]) -> Iterator[Difference]:
    for year, new in after.items():
        if year not in before:
            yield _said(
                "layout year", str(year), f"Returns from {year} on are read by a layout of their own: {new['says']}"
            )
        elif before[year]["places"] != new["places"]:
            yield _said("layout year", str(year), f"Returns from {year} on are read from other places.")
    for year in before:
        if year not in after:
            yield _said("layout year", str(year), f"Returns from {year} on are read by the layout of the year before.")


def _fields(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> Iterator[Difference]:
    yield from _each(
        "field",
        before,
        after,
        lambda name, field: f"New field {name} ({field['need']}): {field['description']}",
        lambda name, _: f"Field {name} is no longer asked for.",
    )
    for name, new in after.items():
        old = before.get(name, new)
        for key, word in OF_FIELDS.items():
            if old[key] != new[key]:
                yield _said("field", name, f"{name}: {word} {_shown(old[key])} becomes {_shown(new[key])}.")
        if old["headers"] != new["headers"]:
            headers = f"{_shown(old['headers'])} becomes {_shown(new['headers'])}"
            yield _said("field", name, f"{name}: header {headers}.")


def _codes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        for code in new:
            if code not in old:
                yield _said("code", name, f"{name}: new code {code} ({new[code]['label']}).")
        for code in old:
            if code not in new:
                yield _said("code", name, f"{name}: {code} ({old[code]['label']}) is no code any more.")
        meant, means = _spellings(old), _spellings(new)
        for label in sorted({*meant, *means}):
            if meant.get(label) != means.get(label):
                yield _said("code", name, f"{name}: {_of_label(label, meant.get(label), means.get(label))}")


def _spellings(codes: Mapping[str, Any]) -> dict[str, str]:
    return {label: code for code, each in codes.items() for label in each["spellings"]}


def _of_label(label: str, meant: str | None, means: str | None) -> str:
    if meant is None:
        return f"'{label}' now means {means}."
    if means is None:
        return f"'{label}' meant {meant} and goes to a person now."
    return f"'{label}' meant {meant} and means {means} now."


def _rules(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> Iterator[Difference]:
    yield from _each(
        "rule",
        before,
        after,
        lambda rule_id, rule: f"New rule {rule_id} ({rule['severity']}): {rule['sentence']}",
        lambda rule_id, _: f"{rule_id} is no longer asked.",
    )
    for rule_id, new in after.items():
        old = before.get(rule_id, new)
        if (old["standing"] == WAIVED) != (new["standing"] == WAIVED):
            now = "is waived" if new["standing"] == WAIVED else "is no longer waived"
            yield _said("rule", rule_id, f"{rule_id} {now}: {new['sentence']}")
        if old["severity"] != new["severity"]:
            why = (
                ""
                if new["standing"] == AS_CONTRACT
                else f" ({new['standing']}; {new['contract_severity']} in the contract)"
            )
            yield _said("severity", rule_id, f"{rule_id}: {old['severity']} becomes {new['severity']}{why}.")
        for key, word in OF_RULES.items():
            if old[key] != new[key]:
                what = "changes." if key == "condition" else f"{_shown(old[key])} becomes {_shown(new[key])}."
                yield _said("rule", rule_id, f"{rule_id}: {word} {what}")
