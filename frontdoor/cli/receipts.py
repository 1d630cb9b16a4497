"""``frontdoor receipt``: what a sender was answered about a delivery, made anew from the tables as they stand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import add_json, describe_receipt

if TYPE_CHECKING:
    from frontdoor.settings import Settings

FORMATS = ("html", "xlsx", "json")


def add(commands: Any) -> None:
    """Add ``receipt``."""
    parser = commands.add_parser("receipt", help="what came of a delivery, for whoever sent it")
    parser.add_argument("--delivery", required=True, type=int, metavar="ID")
    parser.add_argument("--format", choices=FORMATS, help="with --out: which; else as the name of FILE ends")
    parser.add_argument("--out", type=Path, metavar="FILE", help="- for stdout")
    parser.add_argument(
        "--with-references", action="store_true", help="beside each row the sender's own reference; not for a mail"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the receipt, or write it to a file."""
    from frontdoor import database, receipts
    from frontdoor.contract import load_house

    form = form_of(arguments)
    connection = database.connect(settings)
    try:
        found = receipts.documents(
            connection, load_house(), [arguments.delivery], with_references=arguments.with_references
        )
    finally:
        connection.close()
    if not found:
        raise UsageMistake("no delivery of that number is known")
    (document,) = found
    if form is None:
        if arguments.json:
            emit(document)
        else:
            for line in describe_receipt(document):
                say(line)
        return 0
    content = content_of(document, form)
    if str(arguments.out) == "-":
        sys.stdout.buffer.write(content)
        return 0
    try:
        arguments.out.write_bytes(content)
    except OSError:
        raise UsageMistake("--out cannot be written") from None
    say(f"{document['sentence']} {arguments.out}")
    return 0


def content_of(document: Mapping[str, Any], form: str) -> bytes:
    """Return a receipt as the bytes of a file."""
    from frontdoor import receipts

    if form == "html":
        return receipts.page(document).encode()
    return receipts.workbook(document) if form == "xlsx" else receipts.as_json(document)


def form_of(arguments: argparse.Namespace) -> str | None:
    """Return which format ``--format`` and ``--out`` ask for; None where nothing is to be written."""
    if arguments.out is None:
        if arguments.format is not None:
            raise UsageMistake("--format wants --out FILE (- for stdout)")
        return None
    form = arguments.format or arguments.out.suffix.lstrip(".")
    if form not in FORMATS:
        raise UsageMistake(f"--format wants one of {', '.join(FORMATS)}")
    return str(form)
