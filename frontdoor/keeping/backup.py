"""Make a copy of database and archive together, while the platform goes on.

One snapshot says what the copy holds: rows are counted in it, pg_dump dumps it, and it names the archived files. Those
never change under their name (an erasure or a new key is another file here), so they are copied afterwards; what is in
the place from an earlier copy, as long as it was, is not copied again. The dump's parts are sealed with the archive's
key before they leave this machine's own folder. The manifest is written last: a copy that was interrupted has none, and
is none. What it left is cleared at once, or by the next.

A manifest that cannot be read hinders no copy; what it may name stays until the newer ones alone are kept.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, database
from frontdoor.delivery import erasing
from frontdoor.files import remove_folder
from frontdoor.intake import archive_keys, bucket, journal, lying, papers, sealing, volumes, watch
from frontdoor.keeping import ours, tools
from frontdoor.keeping import place as places
from frontdoor.keeping.manifest import Manifest, Part, write
from frontdoor.keeping.place import Place
from frontdoor.keeping.release import release
from frontdoor.keeping.spoken import ARCHIVE, Spoken, read_of, spoken
from frontdoor.keeping.tools import KeepingError
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

JOBS = 2
# A build may want a table of its own while it is dumped, and archived files may be sealed anew meanwhile.
ATTEMPTS = 3
SCRATCH = "backup"


@dataclass(frozen=True)
class Made:
    """A copy, and how many archived files and bytes had to be copied for it.

    mended: how many of them lay there and were not as long as they had been. closed: ids of copies whose manifest
    cannot be read.
    """

    manifest: Manifest
    copied: int
    copied_bytes: int
    mended: int
    removed: int = 0
    closed: tuple[str, ...] = ()


class _Moved(RuntimeError):
    """Archived files that the snapshot names were sealed anew, or let go of, before they were copied."""


def backup(settings: Settings, where: str, *, keep: int | None = None) -> Made:
    """Make a copy in that place; keep: how many, this one included, stay there (all).

    Raises `KeepingError`, also where place or archive is away or full, as `WrongPlace` where it must not lie there;
    and `DatabaseUnavailable`.
    """
    ours.refuse_what_is_copied(settings, where)
    with (
        closing(database.connect(settings, application_name="frontdoor backup")) as connection,
        database.advisory_lock(connection, "backup", wait=False) as is_ours,
    ):
        if not is_ours:
            raise KeepingError("another backup of this database is being made")
        place = ours.claim(settings, where)
        journal.complete(connection, settings)
        erasing.complete(connection, settings)
        try:
            made = _made(connection, settings, place)
        except BaseException:
            log.warning("no backup was made; what was copied for it is cleared now, or by the next one")
            with suppress(Exception):
                places.clear(place, None)
            raise
        removed, closed = places.clear(place, keep)
        return replace(made, removed=removed, closed=tuple(closed))


def _made(connection: Connection, settings: Settings, place: Place) -> Made:
    for _attempt in range(ATTEMPTS):
        try:
            return _make(connection, settings, place)
        except _Moved:
            log.warning("archived files were sealed anew or let go of meanwhile: the backup begins again")
    raise KeepingError("archived files went as fast as they were copied: try later")


def _make(connection: Connection, settings: Settings, place: Place) -> Made:
    connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    scratch = settings.home / "run" / SCRATCH
    remove_folder(scratch)  # what a killed backup left
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select pg_export_snapshot()")
            ((snapshot,),) = cursor.fetchall()
            taken_at = clock.now()
            told = _told(cursor, settings)
            backup_id = f"{taken_at:%Y%m%dT%H%M%S%fZ}"
            server = connection.server_version // 10000
            programs = tools.fitting(server, encrypted=tools.is_encrypted(settings))
            _dump(settings, programs, snapshot, schemas(cursor), scratch)
            key = archive_keys.sealing(settings, lambda: False)
            parts = list(_seal(place, scratch, backup_id, key))
    finally:
        remove_folder(scratch)
        connection.set_session(isolation_level="DEFAULT", readonly=False)
    copied = _copy(connection, settings, place, told.pop("stored"))
    manifest = Manifest(
        backup_id=backup_id,
        taken_at=taken_at.isoformat(),
        release=release(),
        server_major=server,
        tools_major=programs.major,
        parts=parts,
        files=copied.files,
        lost_before=copied.gone,
        dump_key_id=key.key_id,
        key_ids=sorted({key.key_id, *told.pop("key_ids")}),
        **told,
    )
    places.put(place.manifests, backup_id, [write(manifest)])
    return Made(manifest, copied.count, copied.size_bytes, copied.mended)


def _told(cursor: Cursor, settings: Settings) -> dict[str, Any]:
    """What the snapshot says of itself."""
    told: dict[str, Any] = {"counts": count_rows(cursor)}
    cursor.execute("select migration from warehouse.migrations order by migration")
    told["migrations"] = [migration for (migration,) in cursor]
    cursor.execute(
        "select delivery_id, published_at from intake.deliveries where published_at is not null"
        " order by published_at desc, delivery_id desc limit 1"
    )
    last = cursor.fetchone()
    told["last_published"] = {"delivery_id": last[0], "published_at": last[1].isoformat()} if last else None
    cursor.execute("select coalesce(max(delivery_id), 0) from intake.deliveries")
    ((told["last_delivery_id"],),) = cursor.fetchall()
    cursor.execute("select count(*) from alerts.messages where sent_at is null")
    ((told["unsent"],),) = cursor.fetchall()
    cursor.execute("select distinct stored_name from intake.files where stored_name is not null")
    stored = {name for (name,) in cursor}
    cursor.execute("select taken_token from intake.files where stored_name is not null")
    stored |= {journal.name_of(token) for (token,) in cursor}
    # Listed after the snapshot: a request is there before what it asks for is gone.
    there = Spoken(volumes.of_archive(settings), ARCHIVE).names()
    stored |= {name for name in there if papers.is_one(name, *papers.BY_THEMSELVES)}
    told["stored"] = sorted(stored)
    cursor.execute("select distinct key_id from intake.files where key_id is not null")
    told["key_ids"] = [key_id for (key_id,) in cursor]
    told["landing"] = sum(1 for _ in watch.landed(settings.landing)) + len(lying.lying(settings)) + _in_store(settings)
    return told


def _in_store(settings: Settings) -> int:
    try:
        return len(bucket.waiting(settings))
    except OSError:
        return 0  # a landing zone that is away is no reason to be without a copy


def schemas(cursor: Cursor) -> list[str]:
    """Return the schemas that our role owns: Airflow's, beside them in one database, belong to another."""
    cursor.execute(
        "select nspname from pg_namespace where nspowner = current_user::regrole"
        " and nspname !~ '^pg_' and nspname not in ('public', 'information_schema', 'airflow') order by nspname"
    )
    return [name for (name,) in cursor]


def count_rows(cursor: Cursor) -> dict[str, int]:
    """Return the rows of every table of those schemas, partitions each by itself."""
    cursor.execute(
        "select nspname, relname from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind = 'r' and nspname = any(%s) order by nspname, relname",
        (schemas(cursor),),
    )
    counts = {}
    for schema, table in cursor.fetchall():
        cursor.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table)))
        ((counts[f"{schema}.{table}"],),) = cursor.fetchall()
    return counts


def _dump(settings: Settings, programs: tools.Tools, snapshot: str, named: list[str], scratch: Path) -> None:
    with spoken("HOME/run", "written"):
        scratch.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        with tools.reaching(settings, "frontdoor backup") as (address, environment):
            command = [programs.command("pg_dump"), "--dbname", address, "--format=directory", f"--jobs={JOBS}"]
            command += ["--compress=1", f"--snapshot={snapshot}", "--file", str(scratch), "--no-password"]
            command += [f"--schema={name}" for name in named]
            previous = os.umask(0o077)
            try:
                done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True)
            finally:
                os.umask(previous)
        if done.returncode == 0:
            return
        remove_folder(scratch)
        log.warning("pg_dump did not finish (attempt %s of %s)", attempt + 1, ATTEMPTS)
    # What it said may quote a row.
    free = shutil.disk_usage(scratch.parent).free // 2**20
    raise KeepingError(
        f"pg_dump of Postgres {programs.major} did not finish: its exit code was {done.returncode}; HOME/run, where it"
        f" writes, has {free:,} MB left"
    )


def _seal(place: Place, scratch: Path, backup_id: str, key: sealing.Key) -> Iterator[Part]:
    for path in sorted(scratch.iterdir()):
        kept_as = f"{backup_id}-{path.name}"
        file = os.open(path, os.O_RDONLY)
        try:
            blocks = sealing.seal(places.blocks_of(file), key, kept_as.encode())
            sha256, size = places.put(place.database, kept_as, blocks)
        finally:
            os.close(file)
        path.unlink()
        yield Part(path.name, kept_as, sha256, size)


@dataclass
class _Copied:
    """Every file of the copy; names that the archive does not hold; what was copied, and of it what lay there cut."""

    files: list[Part] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    count: int = 0
    size_bytes: int = 0
    mended: int = 0


def _copy(connection: Connection, settings: Settings, place: Place, stored: list[str]) -> _Copied:
    """Copy what is not there yet, or is not as long as when it was put there."""
    source, there = Spoken(volumes.of_archive(settings), ARCHIVE), place.archive.sizes()
    known = _known(place, there)
    copied = _Copied()
    for name in stored:
        head = source.head(name, sealing.HEADER.size)
        if head is None:
            copied.gone.append(name)
            continue
        kept_as = places.called(name, head)
        if kept_as not in known:
            try:
                file = source.open(name)
            except FileNotFoundError:
                copied.gone.append(name)
                continue
            try:
                kept_as = places.called(name, os.pread(file, sealing.HEADER.size, 0))
                blocks = read_of(ARCHIVE, places.blocks_of(file))
                known[kept_as] = Part(name, kept_as, *places.put(place.archive, kept_as, blocks))
            finally:
                os.close(file)
            copied.count += 1
            copied.size_bytes += known[kept_as].size_bytes
            copied.mended += kept_as in there
        copied.files.append(known[kept_as])
    if copied.gone and _were_renamed(connection, copied.gone):
        raise _Moved
    return copied


def _known(place: Place, there: dict[str, int]) -> dict[str, Part]:
    """Return what the newest copy that can be read names, and is there as long as it was."""
    manifests, closed = place.readable()
    for backup_id in closed:
        log.warning("the manifest of backup %s cannot be read: what it may name stays", backup_id)
    newest = list(manifests.values())[-1:]
    return {each.kept_as: each for told in newest for each in told.files if there.get(each.kept_as) == each.size_bytes}


def _were_renamed(connection: Connection, gone: list[str]) -> bool:
    """Tell whether the ledger names other files by now; what it still names was lost before, and holds no copy up."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select stored_name from intake.files where stored_name = any(%s)", (gone,))
        still = {name for (name,) in cursor}
    return any(name not in still for name in gone if not papers.is_one(name))
