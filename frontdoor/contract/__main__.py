"""`python -m frontdoor.contract lint [FOLDER]`: exit 0 when every declaration is right, 1 with one line per problem.

`frontdoor contract lint` says the same; this needs nothing but the declarations.
"""

import argparse
import sys
from pathlib import Path

from frontdoor import clock
from frontdoor.contract.lint import look


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m frontdoor.contract", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    lint = commands.add_parser("lint", help="look for what a declaration gets wrong")
    lint.add_argument("folder", nargs="?", type=Path, help="default: expectations/ of this checkout")
    folder: Path | None = parser.parse_args(arguments).folder
    found, counted = look(folder, clock.now().date())
    for line in found:
        print(line, file=sys.stderr)
    if counted:
        print(counted)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
