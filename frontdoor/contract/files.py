"""Read YAML with errors that say which file, which key, what was expected, and what to do.

A contract is written by people who are not programmers. `Node` is a mapping together with where it stands, so that
every question put to it can answer with a place instead of a KeyError.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import yaml

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_Safe):
    """YAML's safe loader, which also refuses a key that comes twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """Look at the keys as they are written, before what `<<` brings stands among them."""
        seen = set[tuple[str, str]]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r:.80} a second time", key.start_mark
                )
            seen.add((key.tag, str(key.value)))
        return super().construct_mapping(node, deep)


class ContractError(ValueError):
    """A declaration under expectations/ or a seed is wrong; the message says where and what to write instead."""


@dataclass(frozen=True)
class Node:
    """A mapping read from a file, and where it stands there."""

    file: str
    place: str
    value: Mapping[str, Any]

    def wrong(self, key: str, expected: str) -> ContractError:
        """An error for this key, ready to raise."""
        came = "nothing" if key not in self.value else f"{self.value[key]!r:.80}"
        place = f"{self.place}.{key}" if self.place else key
        return ContractError(f"{self.file}: {place}: expected {expected}, found {came}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self.value.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise self.wrong(key, "a text")
        return value.strip()

    def optional_text(self, key: str) -> str | None:
        """A text, or None when the key is absent or null."""
        return None if self.value.get(key) is None else self.text(key)

    def word(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of a closed list of words."""
        value = self.value.get(key, default)
        if value not in allowed:
            raise self.wrong(key, f"one of {', '.join(allowed)}")
        return str(value)

    def zone(self, key: str) -> str:
        """The name of a time zone."""
        name = self.text(key)
        if name not in _zone_names():
            raise self.wrong(key, "the name of a time zone, such as Europe/London")
        return name

    def flag(self, key: str) -> bool:
        """True or false; absent is false."""
        value = self.value.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; absent is empty."""
        value = self.value.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)

    def mapping(self, key: str) -> "Node":
        """A mapping below this one; absent is empty."""
        value = self.value.get(key) or {}
        if not isinstance(value, dict):
            raise self.wrong(key, "a mapping")
        return Node(self.file, f"{self.place}.{key}" if self.place else key, value)

    def text_mapping(self, key: str) -> dict[str, str]:
        """A mapping from text to text; absent is empty. YAML's bare true, no and 1 are refused: they want quotes."""
        node = self.mapping(key)
        for name, value in node.value.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise ContractError(
                    f"{self.file}: {node.place}: expected texts (in quotes where YAML reads a number, "
                    f"a date or yes/no), found {name!r:.80}: {value!r:.80}"
                )
        return dict(node.value)

    def nodes(self, key: str, named_by: str) -> Iterator["Node"]:
        """The mappings of a list, each placed by what `named_by` says of it."""
        value = self.value.get(key) or []
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        for position, item in enumerate(value, start=1):
            place = f"{self.place}.{key}" if self.place else key
            if not isinstance(item, dict):
                raise ContractError(f"{self.file}: {place}[{position}]: expected a mapping, found {item!r:.80}")
            yield Node(self.file, f"{place}[{item.get(named_by, position)}]", item)

    def only(self, *known: str) -> None:
        """Refuse a key that nothing reads: a typing mistake would otherwise be an agreement that nobody keeps."""
        for key in self.value:
            if key not in known:
                near = get_close_matches(str(key), known, 1)
                place = f"{self.file}: {self.place}.{key}" if self.place else f"{self.file}: {key}"
                meant = f"; {near[0]} may be meant" if near else ""
                raise ContractError(f"{place}: expected one of {', '.join(known)}, found {key!r:.80}{meant}")

    def day(self, key: str) -> date | None:
        """A date (YYYY-MM-DD), or None when the key is absent or null."""
        value = self.value.get(key)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        raise self.wrong(key, "a date written YYYY-MM-DD")

    def custom(self) -> "Node":
        """The standard's `customProperties` (a list of property and value) as a mapping."""
        found: dict[str, Any] = {}
        for item in self.nodes("customProperties", "property"):
            name = item.text("property")
            if name in found:
                raise ContractError(f"{item.file}: {item.place}: expected each custom property once, found it twice")
            found[name] = item.value.get("value")
        return Node(self.file, f"{self.place}.customProperties" if self.place else "customProperties", found)


@cache
def _zone_names() -> frozenset[str]:
    # Walks hundreds of files at every call.
    return frozenset(available_timezones())


def read_yaml(path: Path, root: Path) -> Node:
    """The mapping in a YAML file, placed by its path below `root`."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ContractError(
            f"{name}:{line} expected YAML, found {getattr(error, 'problem', 'something else')}"
        ) from None
    except UnicodeDecodeError:
        raise ContractError(f"{name}: expected text in UTF-8, found other bytes: save it as UTF-8") from None
    if not isinstance(value, dict):
        raise ContractError(f"{name}: expected a mapping at the top, found {type(value).__name__}")
    return Node(name, "", value)
