"""Make a database and a landing zone ready for the contracts as they stand today.

Called when a platform starts, and by every drain when the text of contracts or constants has changed since: an agency
added to ``expectations/`` is an agency known, without a restart. Safe to repeat, and to run twice at once.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from psycopg2.extensions import connection as Connection

from frontdoor import clock, database, quality, warehouse
from frontdoor.contract import ContractError, House, expectations_folder, load_house
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# In HOME: the declarations as they were when the database was last made ready for them.
LAST_WHOLE = "contracts"

_ROOT = Path(__file__).resolve().parent.parent
_PREPARED_FROM = (
    _ROOT / "expectations",
    _ROOT / "dbt_project" / "seeds",
    _ROOT / "frontdoor" / "warehouse" / "migrations",
)


def prepare(settings: Settings, *, with_marts: bool = True) -> None:
    """Bring tables, reference rows, check catalogue and landing folders up to what code and contracts say; commits.

    ``with_marts``: also empty marts, where there are none; they take dbt, and a check before sending reads none.
    """
    house, fingerprint = load_house(), _fingerprint()
    connection = database.connect(settings, application_name="frontdoor prepare")
    try:
        warehouse.migrate(connection)
        with database.advisory_lock(connection, "prepare", wait=True):
            warehouse.ensure_raw_tables(connection, house)
            warehouse.load_reference(connection, house)
            warehouse.publish_checks(connection, house)
            quality.publish_sufficiency_elements(connection, house)
            quality.publish_questions(connection, house)
            _remember(connection, fingerprint)
            connection.commit()
        if with_marts:
            # Of two at once the second waits, and finds them made.
            with database.advisory_lock(connection, "prepare", "marts", wait=True):
                if not _has_marts(connection):
                    # Empty marts rather than none: whoever asks before the first file is answered, and the first file
                    # is not slow.
                    warehouse.build(settings, even_if_nothing=True)
    finally:
        connection.close()
    _keep(settings)
    _make_landing_folders(settings, house)


def prepare_if_changed(connection: Connection, settings: Settings) -> House:
    """Return the house of today, after preparing for it where its text has changed since the last time.

    A declaration or constant that is wrong must not hold a child: then the last house that was whole is returned, and
    the error is said, again with every drain, until somebody mends it.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("select fingerprint from warehouse.prepared")
        row = cursor.fetchone()
    try:
        if row is None or row[0] != _fingerprint():
            log.info("contracts or constants have changed: preparing")
            prepare(settings)
        house = load_house()
        _make_landing_folders(settings, house)  # those that could not be made, until they can
        return house
    except Exception as error:
        return load_house(_last_whole(settings, error))


def prepare_to_run(settings: Settings) -> None:
    """Prepare before a platform starts or works; a wrong declaration leaves the last whole house in force here too."""
    try:
        prepare(settings)
    except Exception as error:
        _last_whole(settings, error)


def _last_whole(settings: Settings, error: Exception) -> Path:
    """Return where the last whole declarations are kept, having said what is wrong; raise the error where none are."""
    last_whole = settings.home / LAST_WHOLE
    if database.is_away(error) or not last_whole.is_dir():
        raise error
    # A declaration's text is ours and may be said; any other error may quote what stands in a table.
    said = str(error) if isinstance(error, ContractError) else database.safe_error(error)
    log.error("a declaration or constant is wrong, so the last whole ones are used: %s", said)
    return last_whole


def _make_landing_folders(settings: Settings, house: House) -> None:
    """Make a folder for everything that was agreed. One that cannot be made holds nothing that came into another."""
    refused: list[OSError] = []
    for each in house.agency_feeds:
        try:
            (settings.landing / each.agency / each.source).mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            refused.append(error)
    if refused:
        log.error(
            "the landing zone (FRONTDOOR_LANDING) may not be written by user %s: %s of %s folders for senders could not"
            " be made (%s): chown or chmod it",
            os.geteuid(),
            len(refused),
            len(house.agency_feeds),
            errno.errorcode.get(refused[0].errno or 0, type(refused[0]).__name__),
        )


def _keep(settings: Settings) -> None:
    """Keep a copy of the declarations that were just prepared for."""
    kept = settings.home / LAST_WHOLE
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not by our process id: containers that share a home all begin with process 1.
    with tempfile.TemporaryDirectory(prefix=f".{LAST_WHOLE}-", dir=settings.home) as folder:
        fresh, before = Path(folder) / "fresh", Path(folder) / "before"
        shutil.copytree(expectations_folder(), fresh)
        with suppress(FileNotFoundError):
            kept.rename(before)
        # Two that prepare at once keep the same thing; the second to rename finds it there.
        with suppress(OSError):
            fresh.rename(kept)


def _has_marts(connection: Connection) -> bool:
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('worklists.triage') is not null")
        return cursor.fetchone() == (True,)


def _remember(connection: Connection, fingerprint: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into warehouse.prepared (fingerprint, prepared_at) values (%s, %s)"
            " on conflict (is_only_row) do update"
            " set fingerprint = excluded.fingerprint, prepared_at = excluded.prepared_at",
            (fingerprint, clock.now()),
        )


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for folder in _PREPARED_FROM:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".csv", ".sql")):
            digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
