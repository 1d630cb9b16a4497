"""``frontdoor serve``: one part of Airflow in the foreground, for a container or a service manager."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import note, say

if TYPE_CHECKING:
    from frontdoor.settings import Settings

# Not imported from the platform, so that `frontdoor status` stays quick; a test holds the two equal.
PARTS = ("api-server", "scheduler", "triggerer", "dag-processor", "worker")


def add(commands: Any) -> None:
    """Add ``serve``."""
    serve = commands.add_parser("serve", help="one part of Airflow in the foreground: for containers")
    serve.add_argument("part", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    serve.add_argument("--check", action="store_true", help="say whether that part is well on this host; 1 if not")
    serve.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Become that part of Airflow, or look at it."""
    from frontdoor.platform import serving

    if not arguments.check:
        serving.serve(settings, arguments.part, note)
    wrong = serving.look_at(settings, arguments.part)
    say(wrong or f"The {arguments.part} is well.")
    return 1 if wrong else 0
