"""Bring a copy back into an empty database: all of it, or nothing.

The archived files come first, for they hurt nobody when the rest fails; one that still stands in the archive is left as
it is, since it may have been changed on purpose after the copy was made. Then the database, in one transaction: that it
holds no file is looked at under a lock, what was there goes, everything comes, is counted, letters that were unsent are
held, numbers go on at a distance. Killed at any instant it is as it was before. What the archive holds and the copy
does not (files that came after it) is taken in last.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from frontdoor import clock, database
from frontdoor.intake import archive_keys, sealing, volumes
from frontdoor.keeping import backup, tools
from frontdoor.keeping import place as places
from frontdoor.keeping.copies import measured
from frontdoor.keeping.manifest import Manifest, Part
from frontdoor.keeping.place import Place
from frontdoor.keeping.rebuild import TABLES, Rebuilt, rebuild
from frontdoor.keeping.release import migrations
from frontdoor.keeping.spoken import ARCHIVE, Spoken, spoken
from frontdoor.keeping.tools import KeepingError
from frontdoor.prepare import prepare_to_run
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

SCRATCH = "restore"
# Deliveries after the copy had numbers that letters name, and a letter's own id is made of its delivery's.
GAP = 10_000
# The first server that knows the setting; a newer pg_restore writes it for older ones, too.
TRANSACTION_TIMEOUT = re.compile(rb"^SET transaction_timeout = 0;\n", re.MULTILINE)
KNOWS_TRANSACTION_TIMEOUT = 17


@dataclass(frozen=True)
class Restored:
    """What came back; what the archive knew besides; deliveries of which only receipts here still tell.

    damaged: archived files that are not in the copy as they were put there. closed: key ids that are not here.
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
                _bring_database(connection, settings, programs, manifest, scratch / "dump")
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
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
    shutil.rmtree(scratch.parent, ignore_errors=True)  # what a killed restore left
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
    for each in manifest.files:
        # A note is of the snapshot, too, but one that stands may say where the bytes are by now.
        if each.name in there:
            continue
        if _bring(volume, place, each):
            brought += 1
        else:
            damaged.append(each.name)
    return brought, damaged


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


def _bring_database(
    connection: Connection, settings: Settings, programs: tools.Tools, manifest: Manifest, scratch: Path
) -> None:
    server = connection.server_version // 10000
    defaults, chosen = _default_rights(programs, scratch)
    before, after = _before(connection), defaults + _after(connection, manifest)
    connection.commit()
    writer = [programs.command("pg_restore"), "--no-owner", "--exit-on-error", f"--use-list={chosen}", "--file=-"]
    writer.append(str(scratch))
    options = {"maintenance_work_mem": "256MB", "synchronous_commit": "off", "lock_timeout": "60s"}
    with tools.reaching(settings, "frontdoor restore", **options) as (address, environment):
        reader = [programs.command("psql"), "--dbname", address, "--no-password", "--no-psqlrc", "--quiet"]
        # What a failing statement would say may quote a row.
        reader += ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=sqlstate", "--file=-"]
        common: dict[str, Any] = {"env": environment, "stderr": subprocess.PIPE}
        with (
            subprocess.Popen(writer, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **common) as written,
            subprocess.Popen(reader, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **common) as taken,
        ):
            assert written.stdout and taken.stdin and taken.stderr
            try:
                taken.stdin.write(before)
                for block in _script(written.stdout, server):
                    taken.stdin.write(block)
                # The end is written by us, and only when all of it came: what breaks off is rolled back.
                if written.wait() == 0:
                    taken.stdin.write(after)
                taken.stdin.close()
            except BrokenPipeError:
                written.kill()
            said = taken.stderr.read().decode(errors="replace")
    if written.returncode or taken.returncode or not _is_committed(connection, manifest):
        state = re.search(r"\b[0-9A-Z]{5}\b(?=\s*$)", said, re.MULTILINE)
        raise KeepingError(
            f"the database was not restored, and is as it was before (pg_restore ended with {written.returncode}, psql"
            f" with {taken.returncode}{f', SQLSTATE {state[0]}' if state else ''})"
        )


def _default_rights(programs: tools.Tools, scratch: Path) -> tuple[bytes, Path]:
    """Return who may read what will be made, without the name of the role that owned it; and a list of the rest."""
    command = [programs.command("pg_restore"), "--list", str(scratch)]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines(keepends=True)
    scripts = []
    for name, wanted in (("rest", False), ("defaults", True)):
        listed = scratch.with_name(f"{scratch.name}.{name}")
        listed.write_bytes(b"".join(line for line in lines if (b" DEFAULT ACL " in line) == wanted))
        scripts.append(listed)
    rest, defaults = scripts
    command = [programs.command("pg_restore"), f"--use-list={defaults}", "--file=-", str(scratch)]
    script = subprocess.run(command, capture_output=True, check=True).stdout
    rights = re.findall(rb"^ALTER DEFAULT PRIVILEGES .*;$", script, re.MULTILINE)
    said = b"".join(re.sub(rb" FOR ROLE \S+ ", b" ", each) + b"\n" for each in rights if b" TO " in each)
    return said, rest


def _script(stream: IO[bytes], server: int) -> Iterator[bytes]:
    first = stream.read(2**16)
    yield first if server >= KNOWS_TRANSACTION_TIMEOUT else TRANSACTION_TIMEOUT.sub(b"", first, count=1)
    while block := stream.read(places.BLOCK_BYTES):
        yield block


def _before(connection: Connection) -> bytes:
    """Nobody may have taken a file: looked at under a lock, so that nobody can until everything has come."""
    with connection.cursor() as cursor:
        lines = [
            "begin;",
            "do $$ begin if to_regclass('intake.files') is not null then",
            "lock table intake.files in access exclusive mode;",
            "if exists (select from intake.files) then raise exception using errcode = '55006'; end if;",
            "end if; end $$;",
        ]
        for name in backup.schemas(cursor):
            lines.append(sql.SQL("drop schema {} cascade;").format(sql.Identifier(name)).as_string(cursor))
    return ("\n".join(lines) + "\n").encode()


def _after(connection: Connection, manifest: Manifest) -> bytes:
    """Count what came; hold the letters that may have gone out since; number at a distance; commit."""
    lines = []
    with connection.cursor() as cursor:
        for table, count in sorted(manifest.counts.items()):
            name = sql.Identifier(*table.split(".", 1))
            lines.append(
                sql.SQL(
                    "do $$ begin if (select count(*) from {}) <> {} then raise exception using errcode = '22000';"
                    " end if; end $$;"
                )
                .format(name, sql.Literal(count))
                .as_string(cursor)
            )
        held = sql.SQL("update alerts.messages set held_at = {} where sent_at is null;")
        lines.append(held.format(sql.Literal(clock.now().isoformat())).as_string(cursor))
        for table, column in TABLES:
            lines.append(
                sql.SQL("select setval(each, nextval(each) + {}) from (select {}::regclass as each) as counted;")
                .format(
                    sql.Literal(GAP),
                    sql.SQL("pg_get_serial_sequence({}, {})").format(sql.Literal(table), sql.Literal(column)),
                )
                .as_string(cursor)
            )
    return ("\n" + "\n".join([*lines, "commit;"]) + "\n").encode()


def _is_committed(connection: Connection, manifest: Manifest) -> bool:
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('intake.deliveries') is not null")
        if cursor.fetchone() != (True,):
            return False
        cursor.execute("select coalesce(max(delivery_id), 0) = %s from intake.deliveries", (manifest.last_delivery_id,))
        return cursor.fetchone() == (True,)


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
