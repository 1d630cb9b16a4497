"""``frontdoor feed new`` and ``frontdoor agency new``: the small files with which something new starts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import a_day, add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings

AREA = "E08000024"


def add_feed(actions: Any) -> None:
    """Add ``feed new`` to the actions of ``feed``."""
    new = actions.add_parser("new", help="write the files of a new feed: contract, one agency's file, cases")
    new.add_argument("feed", metavar="FEED", help="small letters, digits and _")
    new.add_argument("--agency", required=True, metavar="A", help="one that sends it")
    new.add_argument("--title", metavar="T", help="default: the name in words")
    new.add_argument("--prefix", metavar="ABC", help="with which ids of its rules begin; default: from the name")
    new.add_argument("--from", dest="valid_from", type=a_day, metavar="DATE", help="default: today")
    add_json(new)
    new.set_defaults(run=run_feed)


def add(commands: Any) -> None:
    """Add ``agency new``."""
    agency = commands.add_parser("agency", help="who sends")
    actions = agency.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="write the files of a new agency: who it is, and how it sends a feed")
    new.add_argument("agency", metavar="AGENCY", help="small letters, digits and _")
    new.add_argument("--name", required=True, metavar="N")
    new.add_argument("--kind", required=True, metavar="K", help="police, education, health, housing, council or public")
    new.add_argument("--feed", required=True, metavar="F")
    new.add_argument("--area-code", default=AREA, metavar="C", help=f"default: {AREA}")
    new.add_argument("--from", dest="valid_from", type=a_day, metavar="DATE", help="default: today")
    add_json(new)
    new.set_defaults(run=run_agency)


def run_feed(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a feed's files."""
    from frontdoor.contract import load_house, starting

    letters = "".join(letter for letter in arguments.feed if letter.isalpha())

    def files(root: Path) -> dict[Path, str]:
        return starting.feed_files(
            load_house(),
            arguments.feed,
            arguments.agency,
            title=arguments.title or arguments.feed.replace("_", " ").capitalize(),
            prefix=arguments.prefix or letters[:3].upper(),
            valid_from=arguments.valid_from or _today(),
            root=root,
        )

    return _write(files, arguments.json)


def run_agency(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write an agency's files."""
    from frontdoor.contract import load_house, starting

    def files(root: Path) -> dict[Path, str]:
        return starting.agency_files(
            load_house(),
            arguments.agency,
            arguments.feed,
            name=arguments.name,
            kind=arguments.kind,
            area_code=arguments.area_code,
            valid_from=arguments.valid_from or _today(),
            root=root,
        )

    return _write(files, arguments.json)


def _write(files: Callable[[Path], dict[Path, str]], wants_json: bool) -> int:
    from frontdoor.contract import expectations_folder, starting

    root = expectations_folder().parent
    try:
        made = files(root)
        starting.write(made)
    except starting.CannotStart as error:
        raise UsageMistake(str(error)) from None
    names = [path.relative_to(root).as_posix() for path in made]
    if wants_json:
        emit({"written": names})
        return 0
    for name in names:
        say(name)
    say("Change them to what was agreed, then: frontdoor contract lint")
    return 0


def _today() -> date:
    from frontdoor import clock

    return clock.now().date()
