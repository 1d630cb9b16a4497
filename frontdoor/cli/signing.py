"""``frontdoor contract sign``: a party's signature under a version of what an agency agreed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings


def add(actions: Any) -> None:
    """Add ``contract sign`` to the actions of ``contract``."""
    from frontdoor.contract.model import PARTIES

    signed = actions.add_parser("sign", help="record that a party signed a version; it holds when both have")
    signed.add_argument("--agency", required=True, metavar="A")
    signed.add_argument("--feed", required=True, metavar="F", help="the feed or layout by which it sends")
    signed.add_argument("--version", required=True, metavar="V")
    signed.add_argument("--for", dest="party", required=True, choices=PARTIES, metavar="P", help=" or ".join(PARTIES))
    signed.add_argument("--role", required=True, metavar="ROLE", help="who signed; a role, never a person")
    add_json(signed)
    signed.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the signature, with today's date: what was judged before it stays as it was judged."""
    from frontdoor import clock
    from frontdoor.contract import ContractError, expectations_folder, load_house
    from frontdoor.contract.editing import agency_file, sign

    house, on = load_house(), clock.now().date()
    versions = [
        each
        for each in house.declared
        if (each.agency, each.source, each.version) == (arguments.agency, arguments.feed, arguments.version)
    ]
    if not versions:
        raise UsageMistake(f"no version {arguments.version} of {arguments.agency} and {arguments.feed} is declared")
    for agreed in versions:
        if arguments.party in agreed.signed:
            raise UsageMistake(f"{arguments.party} signed it on {agreed.signed[arguments.party].on}")
        try:
            sign(house, agency_file(expectations_folder(), agreed), agreed, arguments.party, on, arguments.role)
        except ContractError as error:  # speaks of our own declarations
            raise UsageMistake(str(error)) from None
    document = {
        "agency": arguments.agency,
        "source": arguments.feed,
        "version": arguments.version,
        "party": arguments.party,
        "on": on,
    }
    if arguments.json:
        emit(document)
    else:
        say(f"version {arguments.version} is signed for the {arguments.party}; it holds from the day after both signed")
    return 0
