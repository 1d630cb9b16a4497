"""Pour a dump into the database, in one transaction: pg_restore writes SQL, what goes before and after it is ours.

That the database holds no file is looked at under a lock, what was there goes, everything comes, is counted, letters
that were unsent are held, numbers go on at a distance. Killed at any instant it is as it was before.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from frontdoor import clock
from frontdoor.keeping import backup, tools
from frontdoor.keeping import place as places
from frontdoor.keeping.manifest import Manifest
from frontdoor.keeping.rebuild import TABLES
from frontdoor.keeping.tools import KeepingError
from frontdoor.settings import Settings

# Deliveries after the copy had numbers that letters name, and a letter's own id is made of its delivery's.
GAP = 10_000
# The first server that knows the setting; a newer pg_restore writes it for older ones, too.
TRANSACTION_TIMEOUT = re.compile(rb"^SET transaction_timeout = 0;\n", re.MULTILINE)
KNOWS_TRANSACTION_TIMEOUT = 17


def pour(connection: Connection, settings: Settings, programs: tools.Tools, manifest: Manifest, scratch: Path) -> None:
    """Bring the unsealed dump in that folder into the database. Raises `KeepingError`; then nothing came."""
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
