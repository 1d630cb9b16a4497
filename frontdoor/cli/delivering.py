"""``frontdoor deliver``: put a file into the landing zone as a careful sender would, and follow it if asked.

The file appears in one rename, so that nobody ever reads half of it, and never in the place of another file that still
lies there. A file is followed by its bytes and the ledger's numbers, not by its name: what the ledger took after we
began, with our hash, from our folder, under the name that no other waiting file had.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor import clock
from frontdoor.cli.output import UsageMistake, emit, note, progress, say
from frontdoor.cli.shared import add_json, agency_and_source, describe_file
from frontdoor.intake.volumes import why

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.settings import Settings

LOOK_EVERY_SECONDS = 0.1
# Names that the landing zone leaves alone, because they say that the file is not whole.
UNFINISHED = (".part", ".tmp")


class LandingClosed(RuntimeError):
    """The landing zone cannot be written; the sentence says why, and names no file."""

    is_safe_to_show = True


@dataclass(frozen=True)
class Landed:
    """One file put into the landing zone. ``ledger_mark``: the newest file that the ledger knew before."""

    agency: str
    source: str
    name: str
    at: datetime
    sha256: str
    size_bytes: int
    ledger_mark: int | None


def add(commands: Any) -> None:
    """Add ``deliver``."""
    parser = commands.add_parser("deliver", help="put a file into the landing zone")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--agency", required=True, metavar="A", help="who sends it")
    parser.add_argument("--feed", required=True, metavar="F", help="a feed or a layout")
    parser.add_argument(
        "--wait", type=float, metavar="S", help="wait so many seconds until it is published, built and told of"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Deliver, and follow; 3 if it did not get through in time."""
    from frontdoor import database
    from frontdoor.contract import load_house

    agency, source = agency_and_source(load_house(), arguments.agency, arguments.feed)
    if arguments.wait is None:
        landed = put(settings, arguments.file, agency, source, ledger_mark=None)
        document = _as_document(landed)
        emit(document) if arguments.json else say(f"delivered to {agency}/{source}: {landed.size_bytes:,} bytes")
        return 0
    connection, why_not = None, None
    try:
        connection = database.connect(settings)
        connection.autocommit = True
        mark = newest_file(connection)
    except database.DatabaseUnavailable as error:
        mark, why_not = None, error
    landed = put(settings, arguments.file, agency, source, ledger_mark=mark)
    if connection is None:
        note("The file is in the landing zone, but the ledger cannot be asked what becomes of it.")
        raise why_not or RuntimeError
    try:
        with progress(f"waiting up to {arguments.wait:g} s for {agency}/{source}"):
            found, is_done = follow(connection, landed, arguments.wait)
    finally:
        connection.close()
    if arguments.json:
        emit(found or _as_document(landed))
    else:
        for line in describe_file(found) if found else ["not taken yet"]:
            say(line)
    if not is_done:
        note(f"frontdoor: not through after {arguments.wait:g} s; the file is safe: see frontdoor status")
    return 0 if is_done else 3


def put(settings: Settings, file: Path, agency: str, source: str, *, ledger_mark: int | None, name: str = "") -> Landed:
    """Copy a file into its landing folder, under its own name or another: a dot-name, made durable, then one rename."""
    if settings.landing_url is not None:
        return _put_into_store(settings, file, agency, source, ledger_mark, name or file.name)
    folder = settings.landing / agency / source
    temporary = folder / f".{uuid.uuid4().hex}.part"
    digest = hashlib.sha256()
    _refuse_what_cannot_be_read(file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as bytes_in, temporary.open("xb") as bytes_out:
            shutil.copyfileobj(bytes_in, _Counted(bytes_out, digest), 2**20)
            bytes_out.flush()
            os.fsync(bytes_out.fileno())
            size = bytes_out.tell()
        # A last write older than the rename proves the file whole, also where both fall into one tick of the clock.
        written = temporary.stat()
        os.utime(temporary, ns=(written.st_atime_ns, written.st_mtime_ns - 1_000_000_000))
        with _only_deliverer(settings.landing):
            name = _free_name(folder, name or file.name)
            os.rename(temporary, folder / name)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise LandingClosed(f"the landing zone cannot be written: {why(error)}") from None
    # The ledger holds a name that is no text as a database can.
    as_text = os.fsencode(name).decode("utf-8", "replace")
    return Landed(agency, source, as_text, clock.now(), digest.hexdigest(), size, ledger_mark)


def _refuse_what_cannot_be_read(file: Path) -> None:
    if not file.is_file():
        raise UsageMistake("FILE is not there, or is not a file")
    try:
        file.open("rb").close()
    except OSError as error:
        raise UsageMistake(f"FILE cannot be read: {why(error)}") from None


def _put_into_store(
    settings: Settings, file: Path, agency: str, source: str, ledger_mark: int | None, name: str
) -> Landed:
    from frontdoor.intake import bucket

    _refuse_what_cannot_be_read(file)
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256")
            size = content.tell()
        name = bucket.put(settings, file, agency, source, name)
    except OSError as error:
        raise LandingClosed(f"the landing zone in the object store cannot be written: {why(error)}") from None
    return Landed(agency, source, name, clock.now(), digest.hexdigest(), size, ledger_mark)


def newest_file(connection: Connection) -> int:
    """Return the number of the newest file in the ledger; 0 if it is empty."""
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(max(file_id), 0) from intake.files")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def follow(connection: Connection, landed: Landed, seconds: float) -> tuple[dict[str, Any] | None, bool]:
    """Wait until the ledger has taken the file and all that is due to it is done; return (FILE, whether done)."""
    from frontdoor import status

    until = clock.monotonic() + seconds
    while True:
        file_id = ledger_row(connection, landed)
        is_done = file_id is not None and status.is_done(connection, file_id)
        if is_done or clock.monotonic() >= until:
            return (status.files(connection, file_ids=[file_id])[0] if file_id is not None else None), is_done
        time.sleep(LOOK_EVERY_SECONDS)


def ledger_row(connection: Connection, landed: Landed) -> int | None:
    """Return the number of a landed file in the ledger; None while nobody has taken it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select min(file_id) from intake.files"
            " where agency_code = %s and source = %s and sha256_received = %s and file_name = %s and file_id > %s",
            (landed.agency, landed.source, landed.sha256, landed.name, landed.ledger_mark or 0),
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _as_document(landed: Landed) -> dict[str, Any]:
    return {
        "file_id": None,
        "agency_code": landed.agency,
        "source": landed.source,
        "sha256": landed.sha256,
        "status": "landed",
        "duplicate_of": None,
        "reason": None,
        "deliveries": [],
        "members": [],
    }


def _free_name(folder: Path, name: str) -> str:
    """Return a name that the landing zone looks at and that no waiting file has."""
    name = name.lstrip(".") or "file"
    name = name + ".file" if name.endswith(UNFINISHED) else name
    stem, suffix = os.path.splitext(name)
    # Room for a number; most file systems end a name at 255 bytes.
    stem = os.fsdecode(os.fsencode(stem)[: 240 - len(os.fsencode(suffix))])
    candidates = (f"{stem}{f' ({number})' if number > 1 else ''}{suffix}" for number in range(1, 100_000))
    return next(candidate for candidate in candidates if not (folder / candidate).exists())


@contextmanager
def _only_deliverer(landing: Path) -> Iterator[None]:
    """Between looking for a free name and taking it, no other ``deliver`` takes it."""
    with (landing / ".deliver.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Counted:
    """A file that is hashed as it is written."""

    def __init__(self, file: Any, digest: Any) -> None:
        self.file, self.digest = file, digest

    def write(self, chunk: bytes) -> int:
        self.digest.update(chunk)
        return int(self.file.write(chunk))
