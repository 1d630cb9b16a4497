"""The house as it would be if a file held: a proposed contract, or a proposed version of what an agency agreed.

The file may stand anywhere and is part of nothing; the house that comes back is in nobody's force.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

from frontdoor.contract import AgencyFeed, ContractError, House
from frontdoor.contract.feed import parse_feed
from frontdoor.contract.files import Node, read_yaml
from frontdoor.contract.senders import parse_agency_feeds


def house_with(house: House, path: Path, feed: str | None = None) -> tuple[House, AgencyFeed | None]:
    """The house with this contract in place of its own, or with the last version of this agency file for every day.

    `feed`: which feed an agency file speaks of; a contract says it itself. The agreement that an agency file proposes
    comes back beside the house; None for a contract. Raises ContractError for a file that is wrong, OSError for none.
    """
    node = read_yaml(path, path.parent)
    if "apiVersion" in node.value:
        return _with_contract(house, node), None
    if feed is None:
        raise ContractError(f"{node.file}: expected to be told of which feed an agency's file speaks")
    return _with_agreement(house, node, feed)


def _with_contract(house: House, node: Node) -> House:
    proposed = parse_feed(node)
    return replace(house, feeds=MappingProxyType({**house.feeds, proposed.code: proposed}))


def _with_agreement(house: House, node: Node, feed: str) -> tuple[House, AgencyFeed]:
    versions = parse_agency_feeds(node, house.feeds[feed], house.agencies, house.layouts)
    last = replace(max(versions, key=lambda each: each.valid_from), valid_from=date.min, valid_to=None)
    others = (each for each in house.agency_feeds if _key(each) != _key(last))
    return replace(house, agency_feeds=(*others, last)), last


def _key(agreed: AgencyFeed) -> tuple[str, str, str]:
    return agreed.agency, agreed.source, agreed.feed
