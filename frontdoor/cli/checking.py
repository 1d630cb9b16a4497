"""``frontdoor check``: what the front door would say of a file, before it is sent, and nothing left behind.

The exit code is 0 whatever is found, so that ``check && deliver`` holds nobody back. A sender who wants its script to
tell says ``--strict``.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, progress, say
from frontdoor.cli.receipts import FORMATS, content_of, form_of
from frontdoor.cli.shared import add_json, agency_and_source, describe_receipt

if TYPE_CHECKING:
    from frontdoor.delivery.checking import Checked
    from frontdoor.settings import Settings

MUST_BE_MENDED = 4


def add(commands: Any) -> None:
    """Add ``check``."""
    parser = commands.add_parser("check", help="the verdict before sending: offline, and nothing is kept")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--agency", required=True, metavar="A", help="who would send it")
    parser.add_argument("--feed", required=True, metavar="F", help="a feed or a layout")
    parser.add_argument("--format", choices=FORMATS, help="with --out: which; else as the name of FILE ends")
    parser.add_argument("--out", type=Path, metavar="FILE", help="- for stdout; further parts become FILE-2 and so on")
    parser.add_argument(
        "--strict", action="store_true", help="exit 4 where something is critical, or cannot be read; else always 0"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check, and print or write what came of it."""
    from frontdoor.contract import load_house

    form = form_of(arguments)
    agency, source = agency_and_source(load_house(), arguments.agency, arguments.feed)
    if not arguments.file.is_file():
        raise UsageMistake("FILE is not there, or is not a file")
    with progress("checking; nothing is sent"):
        checked = check(arguments.file, agency, source, settings)
    if form is not None:
        _write(checked, form, arguments.out)
    elif arguments.json:
        emit(as_document(checked))
    else:
        _describe(checked)
    return MUST_BE_MENDED if arguments.strict and checked.must_be_mended else 0


def check(file: Path, agency: str, source: str, settings: Settings) -> Checked:
    """Check one file in a database of its own; of the settings only a pinned time is used."""
    from frontdoor.platform.throwaway import throwaway
    from frontdoor.quality import warm

    # The slowest import of all, beside the start of the server. Should it fail, judging says so.
    threading.Thread(target=warm.warm, daemon=True).start()
    from frontdoor.delivery.checking import checker

    with throwaway(settings.now) as here, checker(here) as ready:
        return ready.check(file, agency, source)


def as_document(checked: Checked) -> dict[str, Any]:
    """Return what came of a check as one JSON document."""
    from frontdoor.receipts.unsent import NOTICE

    return {
        "sent": False,
        "notice": NOTICE,
        "verdict": checked.verdict,
        "must_be_mended": checked.must_be_mended,
        "reason": checked.reason,
        "parts_ignored": checked.parts_ignored,
        "receipts": checked.receipts,
    }


def _describe(checked: Checked) -> None:
    from frontdoor.receipts.unsent import NOTICE

    if checked.reason:
        say(checked.reason)
    for number, document in enumerate(checked.receipts, start=1):
        if len(checked.receipts) > 1:
            say(f"{'' if number == 1 else chr(10)}part {number} of {len(checked.receipts)}")
        for line in describe_receipt(document):
            say(line)
    if checked.parts_ignored:
        say(f"\n{checked.parts_ignored} sheets or parts have no records for us, and are not read.")
    say(f"\n{NOTICE}")


def _write(checked: Checked, form: str, out: Path) -> None:
    if form == "json":
        contents = [content_of(as_document(checked), form)]
    else:
        contents = [content_of(document, form) for document in checked.receipts]
    if not contents:
        raise UsageMistake(f"there is no page to write: {checked.reason}")
    if str(out) == "-":
        if len(contents) > 1:
            raise UsageMistake(f"the file has {len(contents)} parts: name a file with --out, or ask for --format json")
        sys.stdout.buffer.write(contents[0])
        return
    for number, content in enumerate(contents, start=1):
        path = out if number == 1 else out.with_stem(f"{out.stem}-{number}")
        try:
            path.write_bytes(content)
        except OSError:
            raise UsageMistake("--out cannot be written") from None
        said = checked.receipts[number - 1]["sentence"] if checked.receipts else checked.reason
        say(f"{said} {path}")
    say("Nothing was sent.")
