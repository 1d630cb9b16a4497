"""From an ODCS document to a `Feed`. The document is the single source; this only reads it and says what is wrong.

A contract may name a condition once under `definitions` and use it as `{def:name}` in rules and elements; it is written
out here, so that whoever runs a rule sees plain SQL. `{limit:..}`, `{codes:..}`, `{dates:..}`, `{openings:..}` and
`{words:..}` stay: they depend on the day a file was received (frontdoor.reference.expand).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from frontdoor.contract import model
from frontdoor.contract.files import ContractError, Node

DEFINITION = re.compile(r"\{def:([a-z0-9_]+)\}")
RULE_ID = re.compile(r"[A-Z]{3}-\d{3}")


def parse_feed(document: Node) -> model.Feed:
    """The feed that an ODCS document describes."""
    custom = document.custom()
    code = custom.text("feedCode")
    tables = list(document.nodes("schema", "name"))
    if len(tables) != 1:
        raise document.wrong("schema", "exactly one table: one feed is one grain")
    definitions = custom.text_mapping("definitions")
    properties = tuple(_property(node) for node in tables[0].nodes("properties", "name"))
    names = [prop.name for prop in properties]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ContractError(
            f"{document.file}: schema.properties: expected each property once, found {doubled[0]} twice"
        )
    feed = model.Feed(
        code=code,
        title=document.text("name"),
        version=document.text("version"),
        delivery_mode=custom.word("deliveryMode", model.DELIVERY_MODES),
        worklist=custom.optional_text("worklist"),
        timezone=custom.zone("timezone"),
        key_properties=_properties_named(custom, "keyProperties", names),
        child_properties=_properties_named(custom, "childProperties", names),
        reference_property=_properties_named(custom, "referenceProperty", names)[0],
        properties=properties,
        elements=_elements(custom, definitions),
        rules=tuple(parse_rule(node, code, definitions) for node in tables[0].nodes("quality", "id")),
        service_levels=MappingProxyType(
            {node.text("property"): node.value.get("value") for node in document.nodes("slaProperties", "property")}
        ),
        reach_property=_properties_named(custom, "reachProperty", names)[0]
        if "reachProperty" in custom.value
        else None,
        account=_account(custom, names) if "account" in custom.value else None,
    )
    _refuse_unknown_elements(tables[0], feed)
    return feed


def parse_rule(node: Node, feed: str, definitions: Mapping[str, str]) -> model.Rule:
    """The rule that one quality item of the standard describes."""
    custom = node.custom()
    rule_id = node.text("id")
    if not RULE_ID.fullmatch(rule_id):
        raise node.wrong("id", "three capital letters, a hyphen and three digits, such as POL-014")
    dimension = node.word("dimension", model.DIMENSIONS)
    implementation = node.mapping("implementation")
    return model.Rule(
        rule_id=rule_id,
        feed=feed,
        severity=node.word("severity", model.SEVERITIES),
        dimension=dimension,
        score_dimension=custom.word("scoreDimension", model.SCORE_DIMENSIONS, default=dimension),
        scope=custom.word("scope", model.SCOPES),
        sentence=node.text("description"),
        what_to_do=custom.text("whatToDo"),
        recipient_role=custom.word("recipientRole", model.RECIPIENT_ROLES),
        applies_to=custom.texts("appliesTo"),
        expectation_type=implementation.text("type"),
        expectation=MappingProxyType(_written_out(implementation, definitions)),
        title=node.text("name"),
    )


def write_out(text: str, definitions: Mapping[str, str], place: str) -> str:
    """The text with every `{def:..}` written out, definitions within definitions too."""
    for _ in range(8):
        missing = [name for name in DEFINITION.findall(text) if name not in definitions]
        if missing:
            raise ContractError(f"{place}: expected a name under definitions, found {{def:{missing[0]}}}")
        if not DEFINITION.search(text):
            return " ".join(text.split())
        text = DEFINITION.sub(lambda match: f"({definitions[match[1]]})", text)
    raise ContractError(f"{place}: expected definitions that end, found one that names itself")


def _property(node: Node) -> model.Property:
    custom = node.custom()
    kind = custom.word("kind", model.KINDS)
    code_list = custom.optional_text("codeList")
    if (kind == "code") != (code_list is not None):
        raise custom.wrong("codeList", "a code list for kind code, and for no other kind")
    need = custom.word("need", model.NEEDS)
    if node.flag("required") != (need == "required"):
        raise node.wrong("required", f"{str(need == 'required').lower()}, because need is {need}")
    return model.Property(
        name=node.text("name"),
        kind=kind,
        is_list=node.text("logicalType") == "array",
        need=need,
        classification=node.word("classification", model.CLASSIFICATIONS),
        code_list=code_list,
        is_technical=custom.flag("technical"),
        description=node.text("description"),
        is_cut=custom.flag("cutFraction"),
    )


def _elements(custom: Node, definitions: Mapping[str, str]) -> tuple[model.Element, ...]:
    """The elements in the order of their letters, each with its question where the contract asks any."""
    elements = tuple(_element(node, definitions) for node in custom.nodes("sufficiencyElements", "element"))
    asked: dict[str, tuple[int, Node]] = {}
    for rank, node in enumerate(custom.nodes("questions", "element"), start=1):
        name = node.text("element")
        if name in asked or name not in {element.name for element in elements}:
            raise node.wrong("element", "an element of this contract, each once")
        asked[name] = (rank, node)
    if not asked:
        return elements
    if left_out := [element.name for element in elements if element.name not in asked]:
        raise custom.wrong("questions", f"a question for each element, also for {', '.join(left_out)}")
    return tuple(
        replace(
            element,
            question=asked[element.name][1].text("ask"),
            ask_rank=asked[element.name][0],
            is_asked_again=asked[element.name][1].flag("askAgain"),
        )
        for element in elements
    )


def _element(node: Node, definitions: Mapping[str, str]) -> model.Element:
    return model.Element(
        name=node.text("element"),
        applies_when=write_out(node.text("appliesWhen", "true"), definitions, f"{node.file}: {node.place}"),
        present_when=write_out(node.text("presentWhen"), definitions, f"{node.file}: {node.place}"),
        unknown_when=write_out(node.text("unknownWhen", "false"), definitions, f"{node.file}: {node.place}"),
    )


def _written_out(implementation: Node, definitions: Mapping[str, str]) -> dict[str, Any]:
    place = f"{implementation.file}: {implementation.place}"
    kwargs = implementation.mapping("kwargs").value
    return {
        name: write_out(value, definitions, place) if isinstance(value, str) else value
        for name, value in kwargs.items()
    }


def _properties_named(custom: Node, key: str, names: list[str]) -> tuple[str, ...]:
    wanted = (custom.text(key),) if isinstance(custom.value.get(key), str) else custom.texts(key)
    if not wanted or any(name not in names for name in wanted):
        raise custom.wrong(key, "names of properties of this contract")
    return wanted


def _account(custom: Node, names: list[str]) -> model.Account:
    told = custom.mapping("account")
    groups = told.value.get("oneMatter")
    is_right = isinstance(groups, list) and all(
        isinstance(group, list) and group and set(group) <= set(names) for group in groups
    )
    if not groups or not is_right:
        raise told.wrong("oneMatter", "lists of properties of this contract, such as [[incident_ref], [forename, dob]]")
    (name,) = _properties_named(told, "property", names)
    return model.Account(name, tuple(tuple(group) for group in groups))


def _refuse_unknown_elements(table: Node, feed: model.Feed) -> None:
    known = {element.name for element in feed.elements}
    for node in table.nodes("properties", "name"):
        custom = node.custom()
        for element in custom.texts("sufficiencyElement"):
            if element not in known:
                raise custom.wrong("sufficiencyElement", f"an element of this contract ({', '.join(sorted(known))})")
