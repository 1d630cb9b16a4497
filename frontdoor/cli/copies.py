"""``frontdoor copies``: what `frontdoor backup` left in a place, and whether it is still whole."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import emit, progress, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.keeping.copies import Listed
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``copies`` with list and verify."""
    verbs = commands.add_parser("copies", help="what lies in a place of backups").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    listing = verbs.add_parser("list", help="every backup there; 1 where one cannot be read, or something is missing")
    listing.add_argument("where", metavar="DIR|URL")
    add_json(listing)
    listing.set_defaults(run=run_list)

    verify = verbs.add_parser("verify", help="read all of a backup, and name what is not as it was put there; then 1")
    verify.add_argument("where", metavar="DIR|URL")
    verify.add_argument("--backup", metavar="ID", help="default: the newest")
    add_json(verify)
    verify.set_defaults(run=run_verify)


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List, the newest first."""
    from frontdoor.keeping import copies

    found = copies.listed(settings, arguments.where)
    if arguments.json:
        emit([_document(each) for each in found])
    else:
        for each in found:
            say(_line(each))
        if not found:
            say("There is no backup here: one that was interrupted is none.")
    return int(any(each.manifest is None or each.lacking for each in found))


def run_verify(arguments: argparse.Namespace, settings: Settings) -> int:
    """Read it all."""
    from frontdoor.keeping import copies

    with progress("reading the backup"):
        done = copies.verify(settings, arguments.where, arguments.backup)
    parts, files = len(done.manifest.parts), len(done.manifest.files)
    if arguments.json:
        emit(
            {
                "backup_id": done.manifest.backup_id,
                "parts": parts,
                "files": files,
                "bytes": done.read_bytes,
                "damaged": done.damaged,
            }
        )
        return int(bool(done.damaged))
    for name in done.damaged:
        say(f"damaged: {name}")
    what = f"{parts} parts of the dump, {files:,} archived files and notes, {done.read_bytes:,} bytes"
    if not done.damaged:
        say(f"Backup {done.manifest.backup_id} is whole: {what}.")
        return 0
    say(f"Backup {done.manifest.backup_id} is damaged: {len(done.damaged)} of {what}.")
    if any(name.startswith("database/") for name in done.damaged):
        say("Its database does not come back: make another backup now, and look at the disk.")
    else:
        say("All but these files comes back. Delete them there, and the next backup copies them anew.")
    return 1


def _document(each: Listed) -> dict[str, Any]:
    manifest = each.manifest
    return {
        "backup_id": each.backup_id,
        "is_readable": manifest is not None,
        "taken_at": manifest.at if manifest else None,
        "release": manifest.release if manifest else None,
        "postgres": manifest.server_major if manifest else None,
        "rows": sum(manifest.counts.values()) if manifest else None,
        "files": len(manifest.files) if manifest else None,
        "key_ids": manifest.key_ids if manifest else None,
        "missing_or_cut": each.lacking,
    }


def _line(each: Listed) -> str:
    manifest = each.manifest
    if manifest is None:
        return f"{each.backup_id}  its manifest cannot be read"
    lacking = f"; {each.lacking} of its parts and files are missing or cut short" if each.lacking else ""
    return (
        f"{each.backup_id}  of {manifest.at:%Y-%m-%d %H:%M:%S} UTC by release {manifest.release},"
        f" {sum(manifest.counts.values()):,} rows, {len(manifest.files):,} archived files and notes{lacking}"
    )
