"""``frontdoor archive``: the key by which archived files are sealed, and sealing anew what an older one sealed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import emit, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``archive`` with new-key and seal."""
    verbs = commands.add_parser("archive", help="the key of the archive").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    new_key = verbs.add_parser("new-key", help="seal with a new key from now on; the keys before go on opening theirs")
    add_json(new_key)
    new_key.set_defaults(run=run_new_key)

    seal = verbs.add_parser("seal", help="seal with today's key what is in plain, or sealed with another")
    add_json(seal)
    seal.set_defaults(run=run_seal)


def run_new_key(arguments: argparse.Namespace, settings: Settings) -> int:
    """Add a key, and say its id only."""
    from frontdoor.intake import archive_keys

    key = archive_keys.add(settings)
    if arguments.json:
        emit({"key_id": key.key_id, "key_file": str(settings.archive_key)})
    else:
        say(f"Files are sealed with key {key.key_id} from now on. Copy {settings.archive_key} to a safe place.")
    return 0


def run_seal(arguments: argparse.Namespace, settings: Settings) -> int:
    """Seal anew; files that do not open stay as they are, and make the exit code 1."""
    from frontdoor import database
    from frontdoor.intake import resealing

    connection = database.connect(settings)
    try:
        sealed, closed = resealing.reseal(connection, settings)
    finally:
        connection.close()
    if arguments.json:
        emit({"sealed": sealed, "not_opened": closed})
    else:
        say(
            f"Sealed {sealed} files with today's key." + (f" {closed} do not open: frontdoor doctor." if closed else "")
        )
    return 1 if closed else 0
