"""A line more in an agency's file: written into the YAML as people wrote it, comments, order and quotes kept.

Every edit is tried on a copy: what would not load is never written (ContractError). Versions that share their codes by
an anchor share the new line as well.
"""

import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from frontdoor.contract import AgencyFeed, ContractError, House, normalised
from frontdoor.contract.files import Node
from frontdoor.contract.senders import parse_agency_feeds
from frontdoor.files import write_whole


def agency_file(root: Path, agreed: AgencyFeed) -> Path:
    """Where the versions of an agreement stand below expectations/."""
    return root / agreed.feed / "agencies" / f"{agreed.agency}.yaml"


def map_label(house: House, path: Path, agreed: AgencyFeed, code_list: str, label: str, code: str) -> None:
    """Let a label mean a code in this version."""

    def edit(version: Any) -> None:
        _refuse_mapped(path, agreed, code_list, label)
        _forget(version, code_list, label)
        _within(_within(version, "codes"), code_list)[_quoted(label)] = _quoted(code)

    _edit(house, path, agreed, edit)


def mark_ambiguous(house: House, path: Path, agreed: AgencyFeed, code_list: str, label: str) -> None:
    """Record that a label may mean several things: it stays unmapped, by decision."""

    def edit(version: Any) -> None:
        from ruamel.yaml.comments import CommentedSeq

        _refuse_mapped(path, agreed, code_list, label)
        listed = _within(version, "ambiguous")
        if code_list not in listed:
            listed[code_list] = CommentedSeq()
            listed[code_list].fa.set_flow_style()
        if label not in listed[code_list]:
            listed[code_list].append(_quoted(label))

    _edit(house, path, agreed, edit)


def sign(house: House, path: Path, agreed: AgencyFeed, party: str, on: date, role: str) -> None:
    """Record that a party signed this version."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    yaml = _yaml()
    document = yaml.load(path.read_text(encoding="utf-8"))
    said = CommentedMap(source=agreed.source) if agreed.source != agreed.feed else CommentedMap()
    said.update(version=_quoted(agreed.version), party=party, signed=on, role=_quoted(role))
    said.fa.set_flow_style()
    if document.get("signatures") is None:
        document["signatures"] = CommentedSeq()
    document["signatures"].append(said)
    text = io.StringIO()
    yaml.dump(document, text)
    write(house, path, agreed.feed, text.getvalue())


def _edit(house: House, path: Path, agreed: AgencyFeed, edit: Callable[[Any], None]) -> None:
    yaml = _yaml()
    document = yaml.load(path.read_text(encoding="utf-8"))
    source = agreed.source
    (version,) = (
        each
        for each in document["versions"]
        if (str(each["version"]), each.get("source", agreed.feed)) == (agreed.version, source)
    )
    edit(version)
    text = io.StringIO()
    yaml.dump(document, text)
    write(house, path, agreed.feed, text.getvalue())


def write(house: House, path: Path, feed: str, text: str) -> None:
    """Put the text in place of the agency's file, at once, if it still loads."""
    import yaml as plain

    from frontdoor.contract.files import Loader

    node = Node(path.name, "", plain.load(text, Loader=Loader))
    parse_agency_feeds(node, house.feeds[feed], house.agencies, house.layouts)
    write_whole(path, text, 0o644)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _within(mapping: Any, key: str) -> Any:
    from ruamel.yaml.comments import CommentedMap

    if mapping.get(key) is None:
        mapping[key] = CommentedMap()
    return mapping[key]


def _quoted(text: str) -> Any:
    """Text as it is written: in quotes where YAML would read something else."""
    import yaml as plain
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    from frontdoor.contract.files import Loader

    try:
        is_plain = plain.load(f"{{{text}: {text}}}", Loader=Loader) == {text: text}
    except plain.YAMLError:
        is_plain = False
    return text if is_plain else DoubleQuotedScalarString(text)


def _refuse_mapped(path: Path, agreed: AgencyFeed, code_list: str, label: str) -> None:
    meant = {normalised(each): known for each, known in agreed.codes.get(code_list, {}).items()}
    known = meant.get(normalised(label))
    if known is not None:
        raise ContractError(f"{path.name}: codes.{code_list}: {label!r} is mapped to {known} already")


def _forget(version: Any, code_list: str, label: str) -> None:
    """What was called ambiguous is no longer so once it is mapped."""
    ambiguous = version.get("ambiguous") or {}
    listed = ambiguous.get(code_list) or []
    for each in [text for text in listed if normalised(text) == normalised(label)]:
        listed.remove(each)
    if code_list in ambiguous and not listed:
        del ambiguous[code_list]
    if "ambiguous" in version and not ambiguous:
        del version["ambiguous"]
