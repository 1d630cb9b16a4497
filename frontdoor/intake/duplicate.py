"""Whether a file brings nothing new: the same bytes as one whose records are all still the last word.

Deliberately narrow, because a child may be waiting behind a wrong yes. The original must have been read, with at least
one record; so an empty, header-only, nil or refused file is never a reason. None of its records may have been
superseded since: when A was corrected by B, then A sent again is a new statement. While a later delivery of the same
feed is not read yet, nobody knows, and the answer is no. Of a file with several members every one must have been read;
that a later member corrects an earlier one is part of its one statement. A file of which a record was erased, or which
is past its time, is no reason either: the same bytes again bring back somebody who is on no list. A repeat from before
that stays one: its note in the archive says so when it is written down again.

An original that is loaded but not yet published counts: whatever a check does, it will be published. One that is still
``received`` does not, because it may turn out to be unreadable; the question is then asked again when the second file
is about to be loaded, which is after the first, since one sender's deliveries advance in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

READ = ("loaded", "checked", "published")


@dataclass(frozen=True)
class _Delivery:
    delivery_id: int
    feed: str
    status: str
    received_at: datetime
    records_loaded: int
    records_removed: int


def original_of(
    cursor: Cursor,
    agency: str,
    source: str,
    sha256: str,
    *,
    before_file: int | None = None,
    is_known_to_be_one: bool = False,
) -> int | None:
    """Return the file that these bytes repeat, or None; among files taken before `before_file`, where one is given.

    `is_known_to_be_one`: it was found to be one when it came, and is written down a second time.
    """
    cursor.execute(
        """
        select file_id from intake.files
        where
            agency_code = %(agency)s and source = %(source)s and sha256_received = %(sha256)s and status = 'received'
            and (%(before)s is null or file_id < %(before)s)
        order by file_id desc limit 1
        """,
        {"agency": agency, "source": source, "sha256": sha256, "before": before_file},
    )
    row = cursor.fetchone()
    if row is None:
        return None
    file_id = int(row[0])
    if is_known_to_be_one:
        return file_id
    deliveries = _deliveries(cursor, file_id)
    if not sum(each.records_loaded for each in deliveries) or any(each.status not in READ for each in deliveries):
        return None
    if any(each.records_removed for each in deliveries):
        return None
    if any(_may_be_superseded(cursor, agency, file_id, each, before_file) for each in deliveries):
        return None
    return file_id


def _deliveries(cursor: Cursor, file_id: int) -> list[_Delivery]:
    cursor.execute(
        """
        select delivery_id, feed, status, received_at, coalesce(records_loaded, 0), records_removed
        from intake.deliveries where file_id = %s
        """,
        (file_id,),
    )
    return [_Delivery(*row) for row in cursor]


def _may_be_superseded(cursor: Cursor, agency: str, file_id: int, original: _Delivery, before_file: int | None) -> bool:
    cursor.execute(
        """
        select delivery_id, status, received_at from intake.deliveries
        where
            agency_code = %(agency)s and feed = %(feed)s and delivery_id > %(original)s and file_id <> %(file)s
            and status <> 'dead_letter' and (%(before)s is null or file_id < %(before)s)
        """,
        {
            "agency": agency,
            "feed": original.feed,
            "original": original.delivery_id,
            "file": file_id,
            "before": before_file,
        },
    )
    later = cursor.fetchall()
    if not later:
        return False
    if any(status not in READ for _, status, _ in later):
        return True
    cursor.execute("select to_regclass(%s) is not null", (f'raw."{original.feed}_read"',))
    row = cursor.fetchone()
    if row is None or not row[0]:
        return True
    # The times are there for the planner: they name the partitions.
    cursor.execute(
        sql.SQL(
            """
            select exists (
                select from {read} as sent
                inner join {read} as later on sent.record_key = later.record_key
                where
                    sent._delivery_id = %(original)s and sent._received_at = %(sent_at)s
                    and later._delivery_id = any(%(later)s)
                    and later._received_at between %(from)s and %(to)s
                    and later.content_hash <> sent.content_hash
            )
            """
        ).format(read=sql.Identifier("raw", f"{original.feed}_read")),
        {
            "original": original.delivery_id,
            "sent_at": original.received_at,
            "later": [delivery_id for delivery_id, _, _ in later],
            "from": min(at for _, _, at in later),
            "to": max(at for _, _, at in later),
        },
    )
    row = cursor.fetchone()
    return row is None or bool(row[0])
