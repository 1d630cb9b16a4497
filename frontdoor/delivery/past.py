"""The ledger of files that are past their time, sealed in their place: who sent what when, and what was counted of it.

Retention lets go of a file's bytes and note, and the ledger in the database keeps its row and both hashes. Whoever has
the archive alone would not know that it ever came, and would count less. So `seal` writes a paper before the file goes,
and a rebuild makes the rows of it (`put`), where the archive does not hold the file any more (`told`). No value of a
record, and no name as sent. When the findings are past their time, too, `forget_findings` takes them out of the paper.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import clock
from frontdoor.delivery import counted
from frontdoor.intake import archive, papers
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# Stands where a name as sent stood, which may name a child.
NO_NAME = "(past its time)"
# Counted from zero in a ledger that is made anew, so the next build looks at it.
UNBUILT = {"built_in": None, "records_built": 0}


@dataclass(frozen=True)
class File:
    """A file that is past its time, as its paper tells of it."""

    received_at: datetime
    file_id: int
    delivery_ids: tuple[int, ...]
    said: Mapping[str, Any]


def seal(cursor: Cursor, settings: Settings, stored_name: str) -> None:
    """Write down what the ledger says of the files that are kept under that name. In the caller's transaction."""
    cursor.execute(
        "select taken_token, to_jsonb(files) from intake.files where stored_name = %s order by file_id", (stored_name,)
    )
    files = cursor.fetchall()
    for token, row in files:
        cursor.execute(
            "select coalesce(jsonb_agg(to_jsonb(members)), '[]') from intake.members where file_id = %s",
            (row["file_id"],),
        )
        ((members,),) = cursor.fetchall()
        cursor.execute(
            "select delivery_id, to_jsonb(deliveries) from intake.deliveries where file_id = %s order by 1",
            (row["file_id"],),
        )
        deliveries = [
            {"row": {**of_delivery, **UNBUILT}, "counted": counted.told_of(cursor, each, with_every_finding=True)}
            for each, of_delivery in cursor.fetchall()
        ]
        bare = {**row, "file_name": NO_NAME, "stored_name": None, "key_id": None}
        said = {"stored_name": stored_name, "row": bare, "members": members, "deliveries": deliveries}
        papers.write(settings, papers.PAST, token, said)


def forget_findings(connection: Connection, settings: Settings, ids: Collection[int]) -> None:
    """Take what was found in these deliveries out of the papers of their files."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select distinct taken_token from intake.files inner join intake.deliveries using (file_id)"
            " where delivery_id = any(%s)",
            (list(ids),),
        )
        tokens = [token for (token,) in cursor]
    for token in tokens:
        paper = _opened(settings, token)
        for each in paper["deliveries"] if paper else ():
            if each["row"]["delivery_id"] in ids:
                each["counted"]["rows"].update({"quality.findings": [], "quality.check_results": []})
                each["row"]["findings_removed_at"] = clock.now().isoformat()
        if paper:
            papers.write(settings, papers.PAST, token, paper)


def told(settings: Settings, known: Collection[str]) -> list[File]:
    """Return the files that papers tell of, but those known and those that the archive holds, in order of arrival.

    Raises an `OSError` where the archive is away.
    """
    tokens = [token for token in papers.names(settings, papers.PAST) if token not in known]
    there = set(archive.each(settings)) if tokens else set()
    # Where a kill came between, the file is still there: it is taken in, and let go of again.
    told_of = [paper for token in tokens if (paper := _opened(settings, token)) and paper["stored_name"] not in there]
    return sorted(
        (
            File(
                received_at=datetime.fromisoformat(each["row"]["received_at"]),
                file_id=each["row"]["file_id"],
                delivery_ids=tuple(one["row"]["delivery_id"] for one in each["deliveries"]),
                said=each,
            )
            for each in told_of
        ),
        key=lambda each: (each.received_at, each.file_id),
    )


def put(connection: Connection, file: File) -> None:
    """Make the rows of a file under its old numbers, unless others have them by now. Commits."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from intake.files where file_id = %s)"
            " or exists (select from intake.deliveries where delivery_id = any(%s))",
            (file.file_id, list(file.delivery_ids)),
        )
        if cursor.fetchone() == (True,):
            log.error("a file that is past its time is not written down again: its number %s is used", file.file_id)
            return
        row = dict(file.said["row"])
        cursor.execute("select exists (select from intake.files where file_id = %s)", (row["duplicate_of"],))
        if cursor.fetchone() != (True,):
            row["duplicate_of"] = None  # it does not open, or is lost
        counted.insert(cursor, "intake.files", [row])
        counted.insert(cursor, "intake.members", file.said["members"])
        for each in file.said["deliveries"]:
            counted.insert(cursor, "intake.deliveries", [each["row"]])
            counted.put(cursor, each["row"]["delivery_id"], each["counted"])


def _opened(settings: Settings, token: str) -> dict[str, Any] | None:
    try:
        paper = papers.read(settings, papers.PAST, token)
    except (archive.Damaged, archive.KeyMissing) as error:
        log.error("what the ledger said of a file that is past its time cannot be read (%s): %s", token, error)
        return None
    return paper.said if paper else None
