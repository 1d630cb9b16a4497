"""`python -m frontdoor.contract lint [FOLDER]`: exit 0 when every declaration is right, 1 with one line per problem."""

import argparse
import sys
from pathlib import Path

from frontdoor import clock
from frontdoor.contract import load_house
from frontdoor.contract.lint import problems


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m frontdoor.contract", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    lint = commands.add_parser("lint", help="look for what a declaration gets wrong")
    lint.add_argument("folder", nargs="?", type=Path, help="default: expectations/ of this checkout")
    folder: Path | None = parser.parse_args(arguments).folder
    found = problems(folder, clock.now().date())
    for line in found:
        print(line, file=sys.stderr)
    if found:
        return 1
    house = load_house(folder)
    rules = sum(len(feed.rules) for feed in house.feeds.values()) + len(house.file_rules)
    agreements, layouts = len(house.agency_feeds), len(house.layouts)
    print(f"{len(house.feeds)} contracts, {rules} rules, {agreements} agreements, {layouts} layouts: right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
