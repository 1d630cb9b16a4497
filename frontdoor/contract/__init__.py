"""The contracts: loaded from `expectations/`, immutable, discovered by folder.

    expectations/agencies/<agency>.yaml          who the sender is
    expectations/file_rules.yaml                 FIL-nnn: what a reader checks before there are rows
    expectations/<feed>/contract.odcs.yaml       what we ask for, and every rule
    expectations/<feed>/agencies/<agency>.yaml   how one agency sends it
    expectations/layouts/<layout>.yaml           a published format that supplies feeds

A new feed, agency or layout is a new file; nothing here is edited for it. A wrong file stops the house from loading,
with an error that says file, key and what was expected: a declaration is ours, so it may fail loudly. A sender's data
never may. (A running platform goes on with the last house that was whole: frontdoor.prepare.)
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from frontdoor.contract.feed import parse_feed
from frontdoor.contract.files import ContractError, read_yaml
from frontdoor.contract.model import (
    Agency,
    AgencyFeed,
    Element,
    Expected,
    Feed,
    House,
    Layout,
    LayoutList,
    Property,
    Rule,
    normalised,
)
from frontdoor.contract.senders import parse_agency, parse_agency_feeds, parse_file_rules, parse_layout
from frontdoor.contract.signing import in_force

__all__ = [
    "Agency",
    "AgencyFeed",
    "ContractError",
    "Element",
    "Expected",
    "Feed",
    "House",
    "Layout",
    "LayoutList",
    "Property",
    "Rule",
    "expectations_folder",
    "load_house",
    "normalised",
    "sources",
]

Coded = TypeVar("Coded", Agency, Feed, Layout)


def expectations_folder() -> Path:
    """Where the declarations stand beside the package."""
    return Path(__file__).resolve().parents[2] / "expectations"


def sources(root: Path | None = None) -> tuple[str, ...]:
    """Every feed and layout, as `House.sources`, told by the names of files alone: for DAG files, which need no more.

    A declaration that is wrong takes no DAG away.
    """
    root = root or expectations_folder()
    feeds = sorted(path.parent.name for path in root.glob("*/contract.odcs.yaml"))
    return (*feeds, *sorted(path.stem for path in root.glob("layouts/*.yaml")))


def load_house(root: Path | None = None) -> House:
    """Everything declared below `root` (default: expectations/ of this checkout), read again when a file has changed.

    Raises ContractError for a declaration that is wrong.
    """
    root = root or expectations_folder()
    if not root.is_dir():
        raise ContractError(f"{root.name}/: expected a folder of contracts, found nothing")
    files = ((path, path.stat()) for path in sorted(root.rglob("*.yaml")))
    return _read(root, tuple((path, status.st_mtime_ns, status.st_size) for path, status in files))


@lru_cache(4)
def _read(root: Path, stamps: tuple[tuple[Path, int, int], ...]) -> House:
    """Read the declarations; `stamps`: what their files were like, so that they are read once."""
    del stamps
    agencies = _by_code(parse_agency(read_yaml(path, root)) for path in sorted(root.glob("agencies/*.yaml")))
    layouts = _by_code(parse_layout(read_yaml(path, root)) for path in sorted(root.glob("layouts/*.yaml")))
    contracts = {path: parse_feed(read_yaml(path, root)) for path in sorted(root.glob("*/contract.odcs.yaml"))}
    for path, feed in contracts.items():
        if path.parent.name != feed.code:
            raise ContractError(
                f"{path.parent.name}/{path.name}: feedCode: expected {path.parent.name}, found {feed.code}"
            )
    files_of_agencies = [
        parse_agency_feeds(read_yaml(path, root), feed, agencies, layouts)
        for contract, feed in contracts.items()
        for path in sorted(contract.parent.glob("agencies/*.yaml"))
    ]
    file_rules = root / "file_rules.yaml"
    return House(
        feeds=_by_code(contracts.values()),
        agencies=agencies,
        layouts=layouts,
        agency_feeds=tuple(agreed for versions in files_of_agencies for agreed in in_force(versions)),
        file_rules=parse_file_rules(read_yaml(file_rules, root)) if file_rules.exists() else (),
        declared=tuple(agreed for versions in files_of_agencies for agreed in versions),
    )


def _by_code(items: Iterable[Coded]) -> Mapping[str, Coded]:
    return MappingProxyType({item.code: item for item in items})
