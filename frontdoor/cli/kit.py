"""``frontdoor kit``: all that one sender needs to know and try before it sends, as a folder of four files."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor import clock
from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import add_json, agency_and_source

if TYPE_CHECKING:
    from datetime import date

    from frontdoor.contract import House
    from frontdoor.settings import Settings

GOOD_RECORDS = 10

README = """\
{title}, for {agency_name}
{line}

{safety}

dictionary.xlsx   your columns and labels, what is expected in them, and every rule: what it says and what to do
{samples}
Nobody in the samples is real. They are as on {on:%d} {on:%B} {on:%Y}, in your headers, labels and dates.

Check a file before you send it
-------------------------------

    frontdoor check FILE --agency {agency} --feed {source}

says what the front door would say: the same rules, asked by the same program. It needs no network and no platform,
sends nothing, and keeps nothing of the file. With --out answer.html (or .xlsx, .json) the answer is a file that names
rows, columns and rules, and no child. Python 3.11 to 3.13 and `make setup` in a copy of the program are all it takes.

What it cannot ask: rules that hold a file against what you sent before, and whether you sent the same file before.
It names them as not run; that is no pass.

No finding holds a record back. Send the file also where you cannot mend it, and ring about a child who cannot wait.
The exit code is 0 whatever is found; with --strict it is 4 where something is critical, or cannot be read.
{try_it}"""
SAMPLES = """\
{good}   a file as it should be: the check finds nothing in it
{bad}   a file in which each of these rules is broken once:
{rules}
"""
TRY_IT = """
Try it with both samples:

    frontdoor check {good} --agency {agency} --feed {source}
    frontdoor check {bad} --agency {agency} --feed {source}
"""


def add(commands: Any) -> None:
    """Add ``kit``."""
    parser = commands.add_parser("kit", help="for one sender: dictionary, good sample, bad sample, how to check")
    parser.add_argument("--agency", required=True, metavar="A", help="for whom, in whose headers and labels")
    parser.add_argument("--feed", required=True, metavar="F", help="a feed or a layout")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the folder."""
    from frontdoor.contract import load_house

    house = load_house()
    agency, source = agency_and_source(house, arguments.agency, arguments.feed)
    files = contents(house, agency, source, clock.now().date())
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (arguments.out / name).write_bytes(content)
    except OSError:
        raise UsageMistake("--out cannot be written") from None
    if arguments.json:
        emit({"agency_code": agency, "source": source, "files": [arguments.out / name for name in files]})
    else:
        say(f"{', '.join(files)}: {arguments.out}")
    return 0


def contents(house: House, agency: str, source: str, on: date) -> dict[str, bytes]:
    """Return the files of a kit by name. A sender of whom no sample is known gets none, and is told so."""
    from frontdoor import receipts
    from frontdoor.receipts.document import SAFETY
    from frontdoor.simulator.bad import bad_sample, breakable
    from frontdoor.simulator.sample import sample_records

    ending = _ending(house, agency, source, on)
    good, bad = f"good-sample.{ending}", f"bad-sample.{ending}"
    thing = house.layouts[source] if source in house.layouts else house.feeds[source]
    title, agency_name = thing.title, house.agencies[agency].name
    words = {"agency": agency, "source": source, "good": good, "bad": bad, "on": on, "title": title}
    words |= {"agency_name": agency_name, "safety": SAFETY, "line": "=" * len(f"{title}, for {agency_name}")}
    files: dict[str, bytes] = {}
    try:
        files[good] = sample_records(house, agency, source, GOOD_RECORDS, on=on)
        files[bad] = bad_sample(house, agency, source, on=on)
        broken = ", ".join(rule.rule_id for rule in breakable(house, agency, source, on))
        rules = textwrap.fill(broken, 110, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        words |= {"samples": SAMPLES.format(**words, rules=rules), "try_it": TRY_IT.format(**words)}
    except ValueError:
        words |= {"samples": "There is no sample of this layout yet.\n", "try_it": ""}
    return {
        "README.txt": README.format(**words).encode(),
        "dictionary.xlsx": receipts.dictionary(house, agency, source, on),
        **files,
    }


def _ending(house: House, agency: str, source: str, on: date) -> str:
    layout = house.layouts.get(source)
    if layout is not None:
        return layout.format
    agreed = house.agency_feed(agency, source, source, on)
    if agreed is None:
        return "csv"
    return {"zip": "zip", "gz": f"{agreed.format}.gz"}.get(agreed.archive, agreed.format)
