"""Write the receipts that are due: one edition for each time a delivery was published, or given up.

    HOME/receipts/<agency>/delivery-17.json    for a machine
                           delivery-17.html    for a reader
                           delivery-17.xlsx    for whoever mends it in a spreadsheet; where there is something to mend

A replay's receipt is another edition, `delivery-17.2.html`, beside the first. The files come first, each in one rename;
then the row that says that they are there, so that a kill between costs the writing of the same files again. What fails
here holds nothing: the delivery is published, and the sweep tries again.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor import clock, database
from frontdoor.receipts.document import documents
from frontdoor.receipts.page import page
from frontdoor.receipts.workbook import workbook

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House
    from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# How far back a receipt that was never written is looked for.
LOOK_BACK = timedelta(days=7)
AT_ONCE = 50

_DUE = """
    with editions as (
        select
            deliveries.delivery_id,
            (
                select count(*) from intake.delivery_events as events
                where
                    events.delivery_id = deliveries.delivery_id
                    and events.status_to in ('published', 'dead_letter')
            ) as edition
        from intake.deliveries as deliveries
        where
            deliveries.status in ('published', 'dead_letter')
            and coalesce(deliveries.last_published_at, deliveries.received_at) > %s
    )
    select editions.delivery_id
    from editions
    where not exists (
        select from quality.receipts as receipts
        where receipts.delivery_id = editions.delivery_id and receipts.edition >= editions.edition
    )
    order by editions.delivery_id
    limit %s
"""


def issue(connection: Connection, settings: Settings, house: House) -> int:
    """Write every receipt that is due; return how many. Raises only when the database is away."""
    issued = 0
    with database.advisory_lock(connection, "receipts", wait=True):
        while True:
            with connection, connection.cursor() as cursor:
                cursor.execute(_DUE, (clock.now() - LOOK_BACK, AT_ONCE))
                due = [delivery_id for (delivery_id,) in cursor]
            done = sum(_attempt(connection, settings, house, delivery_id) for delivery_id in due)
            issued += done
            if len(due) < AT_ONCE or not done:
                return issued


def _attempt(connection: Connection, settings: Settings, house: House, delivery_id: int) -> bool:
    try:
        with connection:
            for document in documents(connection, house, [delivery_id]):
                put(settings.receipts, document)
                _note(connection, document)
        return True
    except Exception as error:
        if database.is_away(error):
            raise
        connection.rollback()
        said = type(error).__name__ if isinstance(error, OSError) else database.safe_error(error)
        log.error("the receipt of delivery %s waits for the next run: %s", delivery_id, said)
        return False


def put(folder: Path, document: Mapping[str, Any]) -> list[Path]:
    """Write the files of a receipt below the folder of its agency; return where they are."""
    receipt = document["receipt"]
    edition = "" if receipt["edition"] == 1 else f".{receipt['edition']}"
    name = f"delivery-{receipt['delivery_id']}{edition}"
    contents = {"json": as_json(document), "html": page(document).encode()}
    if any(rule["failed"] for rule in document["rules"]):
        contents["xlsx"] = workbook(document)
    of_agency = folder / receipt["agency_code"]
    of_agency.mkdir(mode=0o750, parents=True, exist_ok=True)
    return [_write(of_agency / f"{name}.{ending}", content) for ending, content in contents.items()]


def as_json(document: Mapping[str, Any]) -> bytes:
    """The document as UTF-8 JSON, times as ISO 8601 in UTC."""
    return json.dumps(document, default=_plain, ensure_ascii=False, indent=1).encode() + b"\n"


def _note(connection: Connection, document: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into quality.receipts (delivery_id, edition, issued_at) values (%s, %s, %s) on conflict do nothing",
            (document["receipt"]["delivery_id"], document["receipt"]["edition"], clock.now()),
        )


def _write(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as file:
            file.write(content)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"not a JSON value: {type(value).__name__}")
