"""What is left of an archived file when somebody was erased from it: what was read of everybody else, and nothing more.

The file as it was sent cannot keep the others and surely lose one: a name also stands in a title above the headers, in
a sheet that nobody reads, in a line that could not be read, in the leavings of a workbook's own format. So the archive
keeps, in the file's place, the records of the others as they were read (raw.<feed>, to the letter), under the numbers
that they had, with the faults that the reader noted and the lines that it could not read, by number. Loading it gives
the very rows that loading the file gave, without the one.

    {"remainder": 1}                                    JSON lines
    {"member": 1, "columns": ["notification_ref", ..]}  each part of the file that is a delivery
    {"no": 1, "cells": ["PN1", null, ..], "extra": "{}"}
    {"end": 1, "removed": 1, "faults": [[0, "FIL-004"]], "letters": [[7, "unbalanced_quote"]], "reading": {..}, ..}

That a sealed file is one says its label, which nobody who sends a file can write.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from frontdoor.intake import archive, journal, ledger
from frontdoor.intake.content import File
from frontdoor.intake.readers.rows import Lineage, Row, Tally, line_of
from frontdoor.intake.reasons import Unreadable
from frontdoor.settings import Settings

LABEL = "remainder"
# Stands where a name as sent stood, which may name a child.
NO_NAME = "(erased)"
NOT_READ = "given_up"
PORTION = 5_000


def is_one(kept: File) -> bool:
    """Tell whether an archived file is what is left of one."""
    return isinstance(kept, archive.Archived) and LABEL in kept.label


def keep(
    connection: Connection, settings: Settings, file_id: int, gone: Mapping[int, Collection[int]]
) -> archive.Stored:
    """Put what is left of a file in its place in the archive, and say so in the ledger. Commits; may be repeated.

    `gone`: by part of the file, the numbers of the records that are not to be in it. They need not be in raw any more.
    Every row of the ledger whose bytes those are must have lost the same records.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select stored_name, taken_token, agency_code, source, received_at from intake.files where file_id = %s",
            (file_id,),
        )
        ((name, token, agency, source, received_at),) = cursor.fetchall()
        # A file in plain is named by its bytes, which are others now.
        kept_as = token if len(name) == archive.PLAIN_NAME_LENGTH else name
        label = {
            "agency": agency,
            "source": source,
            "name": NO_NAME,
            "received_at": received_at.isoformat(),
            LABEL: "1",
        }
        stored = archive.keep(settings, kept_as, _blocks(connection, file_id, gone), label)
        cursor.execute(
            "update intake.files set sha256_stored = %s, file_name = %s where stored_name = %s",
            (stored.sha256, NO_NAME, name),
        )
        tokens = ledger.rename_stored(cursor, [name], stored.name, stored.key_id)
        journal.follow(settings, tokens, stored.name, name=NO_NAME)
    if stored.name != name:
        archive.delete(settings, name)
    return stored


def _blocks(connection: Connection, file_id: int, gone: Mapping[int, Collection[int]]) -> Iterator[bytes]:
    yield _line({LABEL: 1})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select
                deliveries.member_no, deliveries.delivery_id, deliveries.feed, deliveries.received_at,
                jsonb_build_object(
                    'refusal', case when deliveries.status = 'dead_letter' then %s end,
                    'row_count', deliveries.sender_row_count, 'extract_as_of', deliveries.extract_as_of,
                    'contract_version', deliveries.sender_contract_version, 'nil_signed_by', deliveries.nil_signed_by,
                    'reading', coalesce(members.reading, '{}')
                )
            from intake.deliveries
            left join intake.members
                on deliveries.file_id = members.file_id and deliveries.member_no = members.member_no
            where deliveries.file_id = %s
            order by deliveries.member_no, deliveries.delivery_id
            """,
            (NOT_READ, file_id),
        )
        parts = cursor.fetchall()
    for member_no, delivery_id, feed, received_at, said in parts:
        columns = _columns(connection, feed)
        left_out = frozenset(gone.get(member_no, ()))
        yield _line({"member": member_no, "columns": columns})
        yield from _records(connection, feed, columns, delivery_id, received_at, left_out)
        with connection.cursor() as cursor:
            # What the reader noted of records that stay, and of the file; those of the house's own rules come anew.
            cursor.execute(
                "select record_no, rule_id from quality.findings"
                " where delivery_id = %s and rule_id like 'FIL-%%' and record_no <> all(%s) order by 1, 2",
                (delivery_id, list(left_out)),
            )
            faults = cursor.fetchall()
            cursor.execute(
                "select line_no, reason_code from quality.dead_letters"
                " where delivery_id = %s and line_no is not null order by dead_letter_id",
                (delivery_id,),
            )
            letters = cursor.fetchall()
        yield _line({"end": member_no, "removed": len(left_out), "faults": faults, "letters": letters, **said})


def _records(
    connection: Connection,
    feed: str,
    columns: Sequence[str],
    delivery_id: int,
    received_at: datetime,
    left_out: Collection[int],
) -> Iterator[bytes]:
    query = sql.SQL(
        "select _record_no, array[{cells}]::text[], extra::text from {raw}"
        " where _delivery_id = %s and _received_at = %s order by _record_no"
    ).format(cells=sql.SQL(", ").join(map(sql.Identifier, columns)), raw=sql.Identifier("raw", feed))
    # A cursor of the server's: a delivery may have a million records.
    with connection.cursor(name="remainder") as cursor:
        cursor.itersize = PORTION
        cursor.execute(query, (delivery_id, received_at))
        for record_no, cells, extra in cursor:
            if record_no not in left_out:
                yield _line({"no": record_no, "cells": cells, "extra": extra})


def _columns(connection: Connection, feed: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select attname::text from pg_attribute
            where
                attrelid = to_regclass(format('raw.%%I', %s::text)) and attnum > 0 and not attisdropped
                and attname not like '\\_%%' and attname <> 'extra'
            order by attnum
            """,
            (feed,),
        )
        return [name for (name,) in cursor]


def _line(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


class RemainderReader:
    """One part of what is left of a file, being read as the file was."""

    delimiter = ","
    quote = '"'

    def __init__(self, kept: File, member_no: int, lineage: Lineage) -> None:
        """Read that part."""
        self.tally = Tally(is_remembered=True)
        self._kept, self._member_no = kept, member_no
        self._before, self._after = lineage.around(self.delimiter)
        self._columns: list[str] = []
        self._reading: dict[str, Any] = {}
        self._lines = self._of_the_part()
        self._columns = next(self._lines)["columns"]

    @property
    def columns(self) -> Sequence[str]:
        """The properties that it has."""
        return self._columns

    @property
    def reading(self) -> Mapping[str, Any]:
        """How the file was read when it was whole."""
        return self._reading

    def rows(self) -> Iterator[Row]:
        """Yield the records under the numbers that they had. Raises `Unreadable` where the part was not read before."""
        for said in self._lines:
            if "end" in said:
                self._remember(said)
                return
            self.tally.loaded += 1
            line = line_of([*said["cells"], said["extra"]], self.delimiter, self.quote)
            yield Row(said["no"], said["no"], f"{self._before}{said['no']}{self._after}{line}\n".encode())

    def _of_the_part(self) -> Iterator[dict[str, Any]]:
        with self._kept.open("rb", 0) as file:
            is_ours = False
            for line in _lines_of(file):
                said = json.loads(line)
                is_ours = said["member"] == self._member_no if "member" in said else is_ours
                if is_ours:
                    yield said
        if not self._columns:
            raise Unreadable(NOT_READ)

    def _remember(self, said: Mapping[str, Any]) -> None:
        if said["refusal"]:
            raise Unreadable(said["refusal"])
        for record_no, rule_id in said["faults"]:
            self.tally.fault(record_no, rule_id)
        for line_no, reason_code in said["letters"]:
            self.tally.letter(line_no, reason_code)
        self.tally.removed = said["removed"]
        self.tally.nil_signed_by = said["nil_signed_by"] or ""
        told = self.tally.told
        told.row_count, told.contract_version = said["row_count"], said["contract_version"]
        told.extract_as_of = datetime.fromisoformat(said["extract_as_of"]) if said["extract_as_of"] else None
        self._reading = said["reading"]


def _lines_of(file: Any) -> Iterator[bytes]:
    rest = b""
    while block := file.read(archive.BLOCK_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
