"""All commands, as one parser. A command that is not here does not exist yet; there are no stubs."""

from __future__ import annotations

import argparse

from frontdoor.cli import (
    answering,
    archiving,
    checking,
    contracts,
    copies,
    databases,
    delivering,
    demo,
    draining,
    erasing,
    faults,
    feeds,
    keeping,
    kit,
    labels,
    looking,
    metrics,
    receipts,
    reconciling,
    retaining,
    running,
    serving,
    silence,
    simulating,
    starting,
    unread,
    waivers,
)

GROUPS = (
    delivering,
    checking,
    draining,
    looking,
    metrics,
    unread,
    receipts,
    answering,
    silence,
    reconciling,
    waivers,
    faults,
    feeds,
    starting,
    contracts,
    labels,
    archiving,
    keeping,
    copies,
    retaining,
    erasing,
    kit,
    simulating,
    databases,
    running,
    serving,
    demo,
)

EPILOG = """\
exit codes: 0 done, whatever the data's quality; 1 the system failed; 2 wrong usage, unknown agency or feed;
3 --wait ran out; 4 `check --strict` found something critical, or lines that cannot be read.
This is not a way to report a child in danger: immediate danger 999; urgent, ring the front door.
"""


def build() -> argparse.ArgumentParser:
    """Return the parser of ``frontdoor``; each command sets ``run(arguments, settings) -> exit code``."""
    parser = argparse.ArgumentParser(
        prog="frontdoor",
        description="The data platform behind a children's services front door.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add(commands)
    return parser
