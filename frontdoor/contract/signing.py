"""From what day a version holds: not before both parties have signed it.

The version before it goes on meanwhile. The first of an agency has none before it, so it is used unsigned too: a
missing signature is ours to get, and must not turn a file away. `frontdoor doctor` says which are missing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby

from frontdoor.contract import model
from frontdoor.contract.files import ContractError, Node

DAY = timedelta(days=1)


def signatures(document: Node, feed: str) -> dict[tuple[str, str], dict[str, model.Signature]]:
    """(source, version) -> party -> signature, from an agency's file."""
    found: dict[tuple[str, str], dict[str, model.Signature]] = {}
    declared = {(each.text("source", feed), each.text("version")) for each in document.nodes("versions", "version")}
    for node in document.nodes("signatures", "version"):
        key = (node.text("source", feed), node.text("version"))
        if key not in declared:
            raise node.wrong("version", "a version of this file (and its source, where it has one)")
        party, on = node.word("party", model.PARTIES), node.day("signed")
        if on is None:
            raise node.wrong("signed", "a date written YYYY-MM-DD")
        if party in found.setdefault(key, {}):
            raise ContractError(
                f"{node.file}: {node.place}: expected one signature of each party, found two of {party}"
            )
        found[key][party] = model.Signature(on, node.text("role"))
    return found


def missing(agreed: model.AgencyFeed) -> tuple[str, ...]:
    """The parties that have not signed."""
    return tuple(party for party in model.PARTIES if party not in agreed.signed)


def in_force(versions: Sequence[model.AgencyFeed]) -> Iterator[model.AgencyFeed]:
    """The versions of one agency and feed that are used, each from its day or from the day after the later signature.

    One that is not used, or not yet, leaves its days to the version that ran up to it.
    """

    def place(each: model.AgencyFeed) -> tuple[str, date]:
        return each.source, each.valid_from

    for _, of_source in groupby(sorted(versions, key=place), key=lambda each: each.source):
        first, *later = of_source
        held = first
        for each in later:
            is_next = held.valid_to is not None and held.valid_to + DAY == each.valid_from
            start = _start(each)
            if start is None or (each.valid_to is not None and start > each.valid_to):
                held = replace(held, valid_to=each.valid_to) if is_next else held
                continue
            yield replace(held, valid_to=start - DAY) if is_next else held
            held = replace(each, valid_from=start)
        yield held


def _start(agreed: model.AgencyFeed) -> date | None:
    if missing(agreed):
        return None
    return max(agreed.valid_from, *(each.on + DAY for each in agreed.signed.values()))
