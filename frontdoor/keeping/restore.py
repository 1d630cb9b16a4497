"""Bring a copy back into an empty database: all of it, or nothing.

The archived files come first, for they hurt nobody when the rest fails; one that still stands in the archive is left as
it is, since it may have been changed on purpose after the copy was made. With them comes every request to erase that
any copy of the place holds. Then the database, in one transaction (`pour`). What the archive holds and the copy does
not (files that came after it) is taken in last, and who was erased since is erased anew.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection

from frontdoor import database
from frontdoor.files import remove_folder
from frontdoor.intake import archive_keys, papers, sealing, volumes
from frontdoor.keeping import place as places
from frontdoor.keeping import tools
from frontdoor.keeping.copies import measured
from frontdoor.keeping.manifest import Manifest, Part
from frontdoor.keeping.place import Place
from frontdoor.keeping.pour import pour
from frontdoor.keeping.rebuild import Rebuilt, rebuild
from frontdoor.keeping.release import migrations
from frontdoor.keeping.spoken import ARCHIVE, Spoken, spoken
from frontdoor.keeping.tools import KeepingError
from frontdoor.prepare import prepare_to_run
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

SCRATCH = "restore"


@dataclass(frozen=True)
class Restored:
    """What came back; what the archive knew besides; deliveries of which only receipts here still tell.

    damaged: archived files that are not in the copy as they were put there. keys_missing: ids of keys not here.
    """

    manifest: Manifest
    files: int
    damaged: list[str]
    keys_missing: list[str]
    held: int
    since: Rebuilt
    lost: list[int]


def restore(settings: Settings, where: str, backup_id: str | None = None) -> Restored:
    """Restore the newest copy in that place, or that one. Raises `KeepingError` when it is refused or fails."""
    place = places.at(settings, where)
    manifest = place.chosen(backup_id)
    keys = archive_keys.opening(settings)
    with closing(database.connect(settings, application_name="frontdoor restore")) as connection:
        programs = _refuse_what_cannot_be(connection, settings, manifest, keys)
        if not database_is_empty(connection):
            raise KeepingError(
                "the database holds files already: restore into an empty one. What it has and the archive knows better,"
                " frontdoor rebuild takes in"
            )
        with database.advisory_lock(connection, "restore", wait=False) as is_ours:
            if not is_ours:
                raise KeepingError("another restore into this database is going on")
            scratch = settings.home / "run" / SCRATCH
            try:
                with spoken("HOME/run", "written"):
                    _unseal(place, manifest, keys, scratch / "dump")
                files, damaged = _bring_files(settings, place, manifest)
                pour(connection, settings, programs, manifest, scratch / "dump")
            finally:
                remove_folder(scratch)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("analyze")
    prepare_to_run(settings)
    since = rebuild(settings)
    return Restored(
        manifest=manifest,
        files=files,
        damaged=damaged,
        keys_missing=[each for each in manifest.key_ids if each not in keys],
        held=manifest.unsent,
        since=since,
        lost=_told_of_elsewhere(settings, manifest),
    )


def database_is_empty(connection: Connection) -> bool:
    """Tell whether no file was ever taken."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('intake.files') is not null")
        if cursor.fetchone() != (True,):
            return True
        cursor.execute("select not exists (select from intake.files)")
        return cursor.fetchone() == (True,)


def _refuse_what_cannot_be(
    connection: Connection, settings: Settings, manifest: Manifest, keys: dict[str, sealing.Key]
) -> tools.Tools:
    newer = sorted(set(manifest.migrations) - migrations())
    if newer:
        raise KeepingError(
            f"the backup is of a newer release ({manifest.release}, with {newer[-1]}): restore it with that release"
        )
    server = connection.server_version // 10000
    if server < manifest.server_major:
        raise KeepingError(
            f"the backup is of Postgres {manifest.server_major}, and this server is {server}: a dump goes to the same"
            " version or a newer one, never to an older"
        )
    if manifest.dump_key_id not in keys:
        raise KeepingError(
            f"the backup is sealed with key {manifest.dump_key_id}, which is not in {settings.archive_key}: put it back"
        )
    return tools.fitting(server, manifest.tools_major, encrypted=tools.is_encrypted(settings))


def _unseal(place: Place, manifest: Manifest, keys: dict[str, sealing.Key], scratch: Path) -> None:
    remove_folder(scratch.parent)  # what a killed restore left
    for folder in (scratch.parent, scratch):
        folder.mkdir(mode=0o700, parents=True)
    for part in manifest.parts:
        try:
            file = place.database.open(part.kept_as)
        except FileNotFoundError:
            raise KeepingError(f"the backup is damaged: {part.kept_as} is not there") from None
        try:
            if measured(file) != (part.sha256, part.size_bytes):
                raise KeepingError(f"the backup is damaged: {part.kept_as} is not what was put there")
            target = os.open(scratch / Path(part.name).name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(target, "wb") as written, closing(sealing.Sealed(file, keys).open()) as content:
                shutil.copyfileobj(content, written, places.BLOCK_BYTES)
        except sealing.Damaged:
            raise KeepingError(f"the backup is damaged: {part.kept_as} does not open") from None
        finally:
            os.close(file)


def _bring_files(settings: Settings, place: Place, manifest: Manifest) -> tuple[int, list[str]]:
    """Put into the archive what it does not hold; return how many, and the names of those that are damaged here."""
    volume = Spoken(volumes.of_archive(settings), ARCHIVE)
    there, brought, damaged = set(volume.names()), 0, []
    named = {each.name for each in manifest.files}
    for each in (*manifest.files, *(each for each in _since(place, manifest) if each.name not in named)):
        # A note is of the snapshot, too, but one that stands may say where the bytes are by now.
        if each.name in there:
            continue
        if _bring(volume, place, each):
            brought += 1
        else:
            damaged.append(each.name)
    return brought, damaged


def _since(place: Place, manifest: Manifest) -> list[Part]:
    """Return what newer copies hold of erasures, by its newest: that an older one is chosen brings nobody back."""
    found: dict[str, Part] = {}
    for backup_id in place.backups():
        if backup_id > manifest.backup_id:
            try:
                files = place.manifest_of(backup_id).files
            except KeepingError as damaged:
                log.error("what a newer backup holds of erasures cannot be read: %s", damaged)
                continue
            found.update({each.name: each for each in files if _is_paper(each)})
    return list(found.values())


def _is_paper(part: Part) -> bool:
    return papers.is_one(part.name, *papers.BY_THEMSELVES)


def _bring(volume: volumes.Volume, place: Place, each: Part) -> bool:
    try:
        file = place.archive.open(each.kept_as)
    except FileNotFoundError:
        return False
    try:
        if measured(file) != (each.sha256, each.size_bytes):
            return False
        places.put(volume, each.name, places.blocks_of(file))
    finally:
        os.close(file)
    return True


def _told_of_elsewhere(settings: Settings, manifest: Manifest) -> list[int]:
    """Return deliveries after the copy that receipts here tell of, and that did not come back from the archive."""
    told = {
        int(found[1])
        for path in settings.receipts.glob("*/delivery-*.json")
        if (found := re.fullmatch(r"delivery-(\d+)(?:\.\d+)?\.json", path.name))
    }
    with closing(database.connect(settings)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select delivery_id from intake.deliveries where delivery_id > %s", (manifest.last_delivery_id,))
        known = {delivery_id for (delivery_id,) in cursor}
    return sorted(each for each in told - known if each > manifest.last_delivery_id)
