"""Records as XML of a published layout: the mapping by which they are read, followed backwards."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from xml.etree import ElementTree

from frontdoor.contract import AgencyFeed, Layout
from frontdoor.simulator.good import N, Record


def write_xml(layout: Layout, agreed: AgencyFeed, records: Iterable[tuple[Record, str]]) -> bytes:
    """One document. records: each with its number; those in a row that agree on what is around them share it.

    It says the year of the return, and is of the nearest one whose layout is known.
    """
    return written(tree_of(layout, agreed, records))


def written(root: ElementTree.Element) -> bytes:
    """The bytes of a document."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def tree_of(layout: Layout, agreed: AgencyFeed, records: Iterable[tuple[Record, str]]) -> ElementTree.Element:
    """The elements of a document, those of the records in their order."""
    records = list(records)
    year = _year(layout, (record for record, _ in records))
    mapping = layout.mapping_of(agreed.feed, year)
    root_name, *parts = mapping["record"].split("/")
    shared = parts[: len(parts) - 1 - max(place.count("..") for place in mapping["fields"].values())]
    root = ElementTree.Element(root_name)
    outside = [name for name, place in mapping["fields"].items() if place.startswith("../")]
    around, said_before = [root], None
    spelled: Mapping[str, Mapping[str, str]] = {**agreed.codes, **(mapping.get("codes") or {})}
    labels = {name: {code: label for label, code in reversed([*codes.items()])} for name, codes in spelled.items()}
    if layout.years is not None:
        _put(root, [root], f"/{layout.years.at[0]}", str(year))
    for record, number in records:
        said = [_said(record.get(name, ""), name, labels, number) for name in outside]
        around = around[:-1] if said == said_before else [root]
        said_before = said
        for part in parts[len(around) - 1 :]:
            found = around[-1].find(part) if len(around) <= len(shared) else None
            around.append(found if found is not None else ElementTree.SubElement(around[-1], part))
        for name, place in mapping["fields"].items():
            value = _said(record.get(name, ""), name, labels, number)
            if value:
                _put(root, around, place, value)
    # What belongs to the whole document comes first, as the format has it.
    root[:] = sorted(root, key=lambda element: element.tag == parts[0])
    for element in root.iter():
        element[:] = sorted(element, key=lambda child: child.tag == parts[-1])
    return root


def _year(layout: Layout, records: Iterable[Record]) -> int | None:
    if layout.years is None:
        return None
    told = {day.year for record in records if isinstance(day := record.get("return_reference_date"), date)}
    return min(max(*told, layout.years.editions[0].year), layout.years.last) if told else layout.years.last


def _put(root: ElementTree.Element, around: list[ElementTree.Element], place: str, value: str) -> None:
    steps = place.split("/")
    if steps[0] == "":
        element, steps = root, steps[2:]
    else:
        outward = steps.count("..")
        element, steps = around[len(around) - 1 - outward], steps[outward:]
    for step in steps:
        found = element.find(step)
        element = found if found is not None else ElementTree.SubElement(element, step)
    element.text = value


def _said(value: Any, name: str, labels: dict[str, dict[str, str]], number: str) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if name in ("sex", "referral_nfa") and value:
        return labels["sex" if name == "sex" else "yes_no"].get(value, str(value))
    return str(value).replace(N, number)
