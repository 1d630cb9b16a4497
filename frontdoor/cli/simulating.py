"""``frontdoor simulate``: an invented town, what its agencies send, and the truth beside it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, note, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings
    from frontdoor.simulator.town.day import Day
    from frontdoor.simulator.town.sent import SentFile


# A day; whoever waits longer for a day of the town means something else.
LONGEST_PACE = 86_400


def add(commands: Any) -> None:
    """Add ``simulate``."""
    parser = commands.add_parser("simulate", help="an invented town: the files of its agencies, and the truth")
    parser.add_argument("--scenario", default="steady", metavar="NAME", help="what changes, and when (steady: nothing)")
    parser.add_argument("--from", dest="date_from", type=date.fromisoformat, required=True, metavar="DATE")
    parser.add_argument(
        "--to", dest="date_to", type=date.fromisoformat, required=True, metavar="DATE", help="inclusive"
    )
    parser.add_argument("--children", type=int, default=2_000, metavar="N", help="how many under 18 live there")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed gives the same town")
    parser.add_argument(
        "--defect",
        action="append",
        default=[],
        metavar="NAME=SHARE",
        help="spoil this share of records or files; records=, files=, deliveries= and all= name them together",
    )
    parser.add_argument(
        "--pace",
        type=float,
        metavar="S",
        help="deliver each day's files to the landing zone, too, a day every S seconds",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Simulate, and print what was written."""
    from frontdoor.contract import load_house
    from frontdoor.simulator.town.scenario import BadScenario, BadTown, UnknownScenario
    from frontdoor.simulator.town.simulate import simulate

    if arguments.pace is not None and not 0 <= arguments.pace < LONGEST_PACE:
        raise UsageMistake(f"--pace takes seconds, from 0 to less than {LONGEST_PACE:,}")
    days = (arguments.date_to - arguments.date_from).days + 1
    try:
        with _bar(days) as tick:

            def on_day(day: Day, files: list[SentFile]) -> None:
                tick(day.on == arguments.date_from)
                if arguments.pace is not None:
                    _deliver(settings, arguments.out, files)
                    time.sleep(arguments.pace)

            done = simulate(
                load_house(),
                arguments.scenario,
                arguments.date_from,
                arguments.date_to,
                arguments.children,
                arguments.seed,
                arguments.out,
                _defects(arguments.defect),
                on_day,
            )
    except (UnknownScenario, BadScenario, BadTown) as error:
        raise UsageMistake(str(error.args[0])) from None
    counts = vars(done)
    if arguments.json:
        emit(counts)
    else:
        say(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    return 0


def _defects(told: list[str]) -> dict[str, float]:
    from frontdoor.simulator.town.spoiling import ALL, GROUPS

    defects: dict[str, float] = {}
    groups = {**GROUPS, "all": ALL}
    for each in told:
        name, _, share = each.partition("=")
        try:
            defects |= dict.fromkeys(groups.get(name, (name,)), float(share))
        except ValueError:
            raise UsageMistake(f"--defect takes NAME=SHARE, such as {ALL[0]}=0.02") from None
    return defects


def _deliver(settings: Settings, out: Path, files: list[SentFile]) -> None:
    from frontdoor.cli.delivering import put

    for sent in files:
        put(settings, out / "landing" / sent.path, sent.agency, sent.feed, ledger_mark=None, name=sent.lands_as)


@contextmanager
def _bar(days: int) -> Iterator[Callable[[bool], None]]:
    """Show on a terminal how many days are lived; elsewhere one plain line, on the first of them."""
    if not sys.stderr.isatty():
        yield lambda is_first: note(f"simulating {days:,} days") if is_first else None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("days", total=days)
        yield lambda _: bar.advance(task)
