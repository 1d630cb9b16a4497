"""The journal in the archive: beside the bytes of each file a sealed note of who sent it, when, and what we call it.

The ledger is in the database, and the archive must be enough when that is lost. A note is written before the ledger's
commit, under the token of the file: a second attempt after a crash writes over the first, and a note that the ledger
does not know is of a file whose commit was lost. A file whose bytes were in the archive already has a note of its own.

    note         write one
    read         read one; None where there is none
    tokens       name everything of which there is a note
    follow       say in notes that the same bytes are now kept under another name
    note_repeat  say in one that its file brought nothing new, as was found out later
    complete     write what is missing: of files that came before there were notes
    forget       let go of one

The numbers of file and deliveries are in it, so that what letters and receipts call delivery 17 is 17 again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from frontdoor.intake import archive_keys, papers, sealing
from frontdoor.settings import Settings


@dataclass(frozen=True)
class Note:
    """What the ledger says of a file when it is taken. agency, source: its folders; name: as sent, may name a child.

    parts: what is in it, as columns of intake.members; of what is left after an erasure nothing else tells that.
    """

    token: str
    stored_name: str
    agency: str
    source: str
    name: str = field(repr=False)
    received_at: datetime
    sha256: str
    file_id: int | None
    delivery_ids: tuple[int, ...] = ()
    parts: tuple[dict[str, Any], ...] = ()

    @property
    def is_repeat(self) -> bool:
        """Whether it brought nothing new: parts of it would be read, and none is a delivery.

        Nobody could tell that again once somebody was erased from its bytes.
        """
        return not self.delivery_ids and any(each.get("feed") for each in self.parts)


def is_note(name: str) -> bool:
    """Tell a note from a file, by what the archive calls it."""
    return papers.is_one(name, papers.TAKEN)


def name_of(token: str) -> str:
    """Return what the archive calls the note of a file."""
    return token + papers.TAKEN


def note(settings: Settings, said: Note) -> None:
    """Write a note, over what was there; wholly or not at all."""
    written = {**asdict(said), "received_at": said.received_at.isoformat()}
    papers.write(settings, papers.TAKEN, said.token, written)


def read(settings: Settings, token: str) -> Note | None:
    """Read a note. Raises `Damaged` or `KeyMissing`."""
    opened = _open(settings, token)
    return opened[0] if opened else None


def tokens(settings: Settings) -> Iterator[str]:
    """Yield the token of every note, in no order."""
    return papers.names(settings, papers.TAKEN)


def follow(settings: Settings, renamed: Collection[str], stored_name: str, *, name: str | None = None) -> None:
    """Say in the notes of these tokens that their bytes are kept under another name now, with the key of today.

    `name`: stands from now on where the name as sent stood.
    """
    for token in renamed:
        if (said := read(settings, token)) is not None:
            note(settings, replace(said, stored_name=stored_name, name=said.name if name is None else name))


def note_repeat(settings: Settings, token: str) -> None:
    """Say in the note of a file that it brought nothing new, where that was found out only after it was taken."""
    if (said := read(settings, token)) is not None:
        note(settings, replace(said, delivery_ids=()))


def complete(connection: Connection, settings: Settings, *, anew: bool = False) -> int:
    """Write the notes that are missing; `anew`: also those that another key than today's sealed. Return how many."""
    there = set(tokens(settings))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select
                taken_token, stored_name, agency_code, source, file_name, received_at, sha256_received, file_id,
                array(
                    select delivery_id from intake.deliveries
                    where deliveries.file_id = files.file_id order by delivery_id
                ),
                array(
                    select jsonb_build_object(
                        'member_no', member_no, 'member_name', member_name, 'place', place, 'feed', feed
                    )
                    from intake.members
                    where members.file_id = files.file_id order by member_no
                )
            from intake.files
            where stored_name is not null
            """
        )
        known = [replace(Note(*row), delivery_ids=tuple(row[-2]), parts=tuple(row[-1])) for row in cursor]
    key = archive_keys.sealing(settings, lambda: False)
    written = 0
    for each in known:
        said: Note | None = each
        if each.token in there:
            if not anew:
                continue
            opened = _open_or_none(settings, each.token)
            if opened and opened[1] == key.key_id:
                continue
            said = opened[0] if opened else each
        note(settings, said or each)
        written += 1
    return written


def forget(settings: Settings, token: str) -> bool:
    """Let go of a note; False where there is none."""
    return papers.forget(settings, papers.TAKEN, token)


def _open(settings: Settings, token: str) -> tuple[Note, str] | None:
    paper = papers.read(settings, papers.TAKEN, token)
    if paper is None:
        return None
    said = dict(paper.said)
    said["received_at"] = datetime.fromisoformat(said["received_at"])
    said["delivery_ids"], said["parts"] = tuple(said["delivery_ids"]), tuple(said["parts"])
    return Note(**said), paper.key_id


def _open_or_none(settings: Settings, token: str) -> tuple[Note, str] | None:
    try:
        return _open(settings, token)
    except (sealing.Damaged, sealing.KeyMissing):
        return None
