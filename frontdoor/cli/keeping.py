"""``frontdoor backup``, ``restore``, ``rebuild``, ``held``: copies of database and archive, and the ways back.

What lies in a place is told by ``frontdoor copies`` (`frontdoor.cli.copies`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, progress, say
from frontdoor.cli.shared import a_database, add_json

if TYPE_CHECKING:
    from frontdoor.keeping.manifest import Manifest
    from frontdoor.keeping.rebuild import Rebuilt
    from frontdoor.keeping.restore import Restored
    from frontdoor.settings import Settings

NOT_IN_THE_ARCHIVE = (
    "Not in the archive, and so not here: waivers, disputes, faults charged, dead letters followed up, mails that were"
    " acknowledged. They come back by `frontdoor restore` alone."
)


def add(commands: Any) -> None:
    """Add the four."""
    backup = commands.add_parser("backup", help="copy database and archive together, while the platform goes on")
    backup.add_argument(
        "--out", required=True, metavar="DIR|URL", help="a place for this platform alone, on another disk"
    )
    backup.add_argument("--keep", type=int, metavar="N", help="let go of all but the N newest; default: of none")
    add_json(backup)
    backup.set_defaults(run=run_backup)

    restore = commands.add_parser("restore", help="bring a copy back into an empty database, all of it or nothing")
    restore.add_argument("where", metavar="DIR|URL")
    restore.add_argument("--backup", metavar="ID", help="default: the newest")
    add_json(restore)
    restore.set_defaults(run=run_restore)

    rebuild = commands.add_parser("rebuild", help="take in again, from the archive alone, what the database lost")
    add_json(rebuild)
    rebuild.set_defaults(run=run_rebuild)

    held = commands.add_parser("held", help="letters held since a restore, for they may have gone out before")
    what = held.add_mutually_exclusive_group()
    what.add_argument("--send", action="store_true", help="they did not go out: send them")
    what.add_argument("--were-sent", action="store_true", help="they went out before")
    add_json(held)
    held.set_defaults(run=run_held)


def run_backup(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make a copy, and say what it does not hold."""
    from frontdoor.keeping.backup import backup
    from frontdoor.keeping.ours import is_on_a_disk_of_what_is_copied, refuse_what_is_copied
    from frontdoor.keeping.tools import WrongPlace

    if arguments.keep is not None and arguments.keep < 1:
        raise UsageMistake("--keep wants a number of copies, one or more")
    try:
        refuse_what_is_copied(settings, arguments.out)  # before a database is started for it
        with a_database(settings), progress("copying database and archive"):
            made = backup(settings, arguments.out, keep=arguments.keep)
    except WrongPlace as error:
        raise UsageMistake(str(error)) from None
    manifest = made.manifest
    key_files = _key_files(settings, manifest.key_ids)
    shares_a_disk = is_on_a_disk_of_what_is_copied(settings, arguments.out)
    document = {
        **_described(manifest),
        "copied_files": made.copied,
        "copied_bytes": made.copied_bytes,
        "mended_files": made.mended,
        "removed_backups": made.removed,
        "unreadable_backups": list(made.closed),
        "key_ids": manifest.key_ids,
        "key_files": key_files,
        "on_a_disk_of_what_it_copies": shares_a_disk,
        "waiting_in_landing": manifest.landing,
    }
    if arguments.json:
        emit(document)
        return int(bool(manifest.lost_before))
    say(f"Backup {manifest.backup_id}: {document['rows']:,} rows, {document['files']:,} archived files and notes.")
    say(f"Copied {made.copied:,} of them now ({made.copied_bytes:,} bytes); the others were there.")
    if made.mended:
        say(f"{made.mended} of those copied lay there cut short, for earlier backups as well, and are whole again.")
    for line in _up_to(manifest):
        say(line)
    for backup_id in made.closed:
        say(f"The manifest of backup {backup_id} cannot be read, so it does not come back; what it may name stays.")
    say(f"Sealed; it opens with {_of_files(key_files)} NOT in it,")
    say("nor is any other secret or setting: keep those elsewhere. Receipts are made anew by `frontdoor receipt`.")
    if shares_a_disk:
        say("It lies on a disk of what it copies: when that one dies, both are gone.")
    if manifest.landing:
        say(f"{manifest.landing} files wait in the landing zone; what is not taken yet is in no backup.")
    if manifest.lost_before:
        say(f"{len(manifest.lost_before)} archived files are NOT in it, for the archive lost them: frontdoor doctor.")
    return int(bool(manifest.lost_before))


def run_restore(arguments: argparse.Namespace, settings: Settings) -> int:
    """Bring a copy back, and say up to which point."""
    from frontdoor.keeping.restore import restore

    with a_database(settings), progress("bringing database and archive back"):
        done = restore(settings, arguments.where, arguments.backup)
    is_whole = not done.damaged and not done.keys_missing and not done.manifest.lost_before
    if arguments.json:
        emit(
            {
                **_described(done.manifest),
                "brought_files": done.files,
                "damaged_files": done.damaged,
                "keys_missing": done.keys_missing,
                "held_letters": done.held + done.since.held,
                "taken_in_since": done.since.files,
                "lost_deliveries": done.lost,
            }
        )
        return 0 if is_whole else 1
    for line in _restored(done, settings):
        say(line)
    return 0 if is_whole else 1


def run_rebuild(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take in what the archive knows and the database does not."""
    from frontdoor.keeping.rebuild import rebuild
    from frontdoor.prepare import prepare_to_run

    with a_database(settings), progress("taking in what is archived"):
        prepare_to_run(settings)
        done = rebuild(settings)
    if arguments.json:
        emit(
            {
                "files": done.files,
                "published": done.published,
                "let_go": done.let_go,
                "not_opened": done.closed,
                "held_letters": done.held,
                "first_at": done.first_at,
                "last_at": done.last_at,
                "not_in_the_archive": NOT_IN_THE_ARCHIVE,
            }
        )
    else:
        for line in _rebuilt(done):
            say(line)
        say(NOT_IN_THE_ARCHIVE)
    return 1 if done.closed else 0


def run_held(arguments: argparse.Namespace, settings: Settings) -> int:
    """List what is held, or say what became of it."""
    from frontdoor import database
    from frontdoor.keeping import held

    with a_database(settings), closing(database.connect(settings)) as connection:
        listed = held.listed(connection)
        done = held.let_go(connection) if arguments.send else held.were_sent(connection) if arguments.were_sent else 0
    if arguments.json:
        letters = [{"agency_code": agency, "role": role, "count": count} for agency, role, count in listed]
        emit(
            {"held": letters, "let_go": done if arguments.send else 0, "were_sent": done if arguments.were_sent else 0}
        )
        return 0
    for agency, role, count in listed:
        say(f"{count} letters to {role} of {agency}")
    if arguments.send:
        say(f"{done} letters go out with the next sending.")
    elif arguments.were_sent:
        say(f"{done} letters are marked as sent.")
    else:
        say("frontdoor held --send, or --were-sent." if listed else "No letter is held.")
    return 0


def _key_files(settings: Settings, key_ids: list[str]) -> dict[str, str | None]:
    """Return where each key stands; None: in no file that is here."""
    from frontdoor.intake import archive_keys

    stands = {
        key.key_id: str(path)
        for path in (archive_keys.spare_file(settings), settings.archive_key)
        for key in archive_keys.read(path)
    }
    return {key_id: stands.get(key_id) for key_id in key_ids}


def _of_files(key_files: dict[str, str | None]) -> str:
    by_file: dict[str | None, list[str]] = {}
    for key_id, file in key_files.items():
        by_file.setdefault(file, []).append(key_id)
    said = [
        f"{' and '.join(key_ids)} of {file or 'a key file that is not here any more'}"
        for file, key_ids in by_file.items()
    ]
    return f"{' and '.join(said)}, which {'is' if len(said) == 1 else 'are'}"


def _described(manifest: Manifest) -> dict[str, Any]:
    return {
        "backup_id": manifest.backup_id,
        "taken_at": manifest.at,
        "release": manifest.release,
        "postgres": manifest.server_major,
        "last_published": manifest.last_published,
        "rows": sum(manifest.counts.values()),
        "files": len(manifest.files),
        "unsent_letters": manifest.unsent,
        "lost_before": len(manifest.lost_before),
    }


def _up_to(manifest: Manifest) -> Iterator[str]:
    last = manifest.last_published
    if last is None:
        yield f"Nothing had been published at {manifest.at:%Y-%m-%d %H:%M:%S} UTC."
        return
    published_at = datetime.fromisoformat(last["published_at"])
    yield (
        f"Everything published until {manifest.at:%Y-%m-%d %H:%M:%S} UTC is in it; the last was delivery"
        f" {last['delivery_id']}, at {published_at:%Y-%m-%d %H:%M:%S}."
    )


def _restored(done: Restored, settings: Settings) -> Iterator[str]:
    manifest = done.manifest
    rows = sum(manifest.counts.values())
    yield f"Restored backup {manifest.backup_id}: {rows:,} rows, {done.files:,} archived files and notes."
    yield from _up_to(manifest)
    if done.since.files:
        yield "The archive had files from after it, and they are taken in:"
        yield from _rebuilt(done.since)
    elif done.lost:
        first, last = done.lost[0], done.lost[-1]
        yield f"LOST: {len(done.lost)} deliveries, {first} to {last}, of which receipts tell; ask their senders again."
    else:
        if not manifest.lost_before:
            yield "None of what was published until then is lost."
        yield "What came later is not here, if anything came: ask the senders, or bring back the archive and run"
        yield "frontdoor rebuild."
    if manifest.lost_before:
        yield f"{len(manifest.lost_before)} archived files were lost before the copy was made, so they are NOT here:"
        yield "what was read of them is in the database, what was sent is not."
    if done.since.files and done.lost:
        yield f"LOST all the same: {len(done.lost)} deliveries of which receipts tell, from {done.lost[0]} on."
    if done.held:
        yield f"{done.held} letters were unsent then and may have gone out since, so they are held: frontdoor held."
    if done.damaged:
        yield f"{len(done.damaged)} archived files of the backup are damaged and were NOT brought back."
    if done.keys_missing:
        yield f"Keys {', '.join(done.keys_missing)} are not in {settings.archive_key}: what they sealed does not open."
    yield "Then: frontdoor doctor; frontdoor up, which takes what landed meanwhile."


def _rebuilt(done: Rebuilt) -> Iterator[str]:
    if done.first_at and done.last_at:
        span = f", of {done.first_at:%Y-%m-%d %H:%M} to {done.last_at:%Y-%m-%d %H:%M} UTC"
    else:
        span = ""
    yield f"Taken in again: {done.files} files{span}; {done.published} deliveries published as they came."
    if done.let_go:
        yield f"{done.let_go} files have left the archive (retention, or a loss), and are not taken in."
    if done.closed:
        yield f"{done.closed} files or notes do not open: the key, or a copy of the archive, is missing."
    if done.held:
        yield f"{done.held} letters are held, for they went out before: frontdoor held."
