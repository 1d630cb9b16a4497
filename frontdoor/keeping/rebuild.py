"""Take in again, from the archive alone, every file of which the ledger knows nothing.

In an empty database that is everything: raw, core and the marts come out as they were, from the archive, its key and
`expectations/`. After a restore it is what came since the copy was made. Each file is written down, judged and
published at the time at which it came (the clock is turned back for it), under its old numbers; files that came within
seconds are judged together, as they were. What judges is today's contract, under each agency's agreement of that day.
Letters that are written about it are held, for they went out before.

Who was erased stays so, or is erased anew (`erasing`); what was counted of records that are gone, erased or past their
time, is counted still (`counted`, `past`). Of a list that is taken whole (visits) and is past its time, it is not known
any more who was on it: what older lists say that stay is told as if it had not come.

What people said is not in the archive: waivers, disputes, attributions of fault, follow-ups of dead letters, and
whether a letter was sent. That comes back by `restore` only. Nor is what was found and is past its time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2.extensions import connection as Connection

from frontdoor import clock, database, warehouse
from frontdoor.contract import House
from frontdoor.delivery import counted, erasing, lanes, listening, past, publication
from frontdoor.intake import archive, entering, journal
from frontdoor.intake.journal import Note
from frontdoor.keeping import held
from frontdoor.prepare import prepare_if_changed
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# What came within so long was judged in one go.
TOGETHER = timedelta(seconds=5)
TABLES = (("intake.files", "file_id"), ("intake.deliveries", "delivery_id"))


@dataclass(frozen=True)
class Rebuilt:
    """What was taken in again; files whose bytes the archive let go of; files, notes, requests that do not open.

    held: letters that were written meanwhile, and are held.
    """

    files: int = 0
    published: int = 0
    let_go: int = 0
    closed: int = 0
    held: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


def rebuild(settings: Settings, *, with_marts: bool = True) -> Rebuilt:
    """Take in what the ledger does not know, in the order in which it came; build the marts. Safe to repeat.

    What a kill leaves undone is done by the next call, or by the platform's own drains.
    """
    with closing(database.connect(settings, application_name="frontdoor rebuild")) as connection:
        house = prepare_if_changed(connection, settings)
        found = _unknown(connection, settings)
        with ExitStack() as locked, connection.cursor() as cursor:
            were_held = _count_held(connection)
            mark = held.hold_what_is_written(cursor)
            connection.commit()
            # Another process would publish, and mail, what is written down here.
            for agency, feed in sorted({(agreed.agency, agreed.feed) for agreed in house.agency_feeds}):
                locked.enter_context(database.advisory_lock(connection, "lane", agency, feed, wait=True))
            _go_on_counting(connection, found.files)
            done = Rebuilt(let_go=found.let_go, closed=found.closed)
            for some in _together(found.files):
                done = _take_in(connection, settings, house, some, done)
            if found.files:
                listening.listen(connection, house)  # what has been due since, too
            # What others took in meanwhile was judged in our lanes, and nobody has had a letter about it.
            held.let_go_of_what_came(connection, mark)
        held_count = _count_held(connection) - were_held
        counted.bring_back(connection, settings)
    if with_marts and found.files:
        warehouse.build(settings, even_if_nothing=True)
    erasing.apply_tombstones(settings)
    closed = done.closed + len(erasing.standing(settings).closed)
    return Rebuilt(done.files, done.published, done.let_go, closed, held_count, done.first_at, done.last_at)


def _count_held(connection: Connection) -> int:
    return sum(count for _, _, count in held.listed(connection))


@dataclass(frozen=True)
class _Found:
    files: list[Note | past.File]
    let_go: int
    closed: int


def _unknown(connection: Connection, settings: Settings) -> _Found:
    """Read the notes that the ledger has no row for, and the labels of files that came before there were notes.

    And what it said of files that are past their time.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("select taken_token, stored_name from intake.files")
        rows = cursor.fetchall()
    known = {token for token, _ in rows}
    there = set(archive.each(settings))
    notes, let_go, closed = [], 0, 0
    noted = set(journal.tokens(settings))
    for token in sorted(noted - known):
        try:
            note = journal.read(settings, token)
        except (archive.Damaged, archive.KeyMissing):
            closed += 1
            continue
        if note is None or note.stored_name not in there:
            let_go += 1
        else:
            notes.append(note)
    named = known | noted | {name for _, name in rows} | {note.stored_name for note in notes}
    for name in sorted(there - named):
        try:
            labelled = _labelled(settings, name)
        except (archive.Damaged, archive.KeyMissing):
            closed += 1
            continue
        if labelled is None:
            closed += 1
        else:
            notes.append(labelled)
    files: list[Note | past.File] = [*notes, *past.told(settings, known)]
    return _Found(sorted(files, key=lambda each: (each.received_at, each.file_id or 0)), let_go, closed)


def _labelled(settings: Settings, name: str) -> Note | None:
    with archive.opened(settings, name) as kept:
        label = kept.label
    if not label:
        return None  # in plain, from before files were sealed
    received_at = datetime.fromisoformat(label["received_at"])
    return Note(name, name, label["agency"], label["source"], label["name"], received_at, "", None)


def _together(files: Sequence[Note | past.File]) -> Iterator[list[Note | past.File]]:
    some: list[Note | past.File] = []
    for each in files:
        if some and each.received_at - some[0].received_at > TOGETHER:
            yield some
            some = []
        some.append(each)
    if some:
        yield some


def _take_in(
    connection: Connection, settings: Settings, house: House, some: Sequence[Note | past.File], done: Rebuilt
) -> Rebuilt:
    files, closed = 0, 0
    for each in some:
        if isinstance(each, past.File):
            past.put(connection, each)
            continue
        try:
            with clock.then(each.received_at):
                _enter(connection, settings, house, each)
            files += 1
        except (archive.Damaged, archive.KeyMissing) as error:
            connection.rollback()
            log.error("file %s is not taken in: %s", each.token, error)
            closed += 1
    with clock.then(some[-1].received_at):
        published = sum(lanes.advance(connection, settings, house, feed) for feed in house.feeds)
        publication.answer_the_unanswered(connection, house)
        listening.listen(connection, house)
    return Rebuilt(
        done.files + files,
        done.published + published,
        done.let_go,
        done.closed + closed,
        0,
        done.first_at or some[0].received_at,
        some[-1].received_at,
    )


def _enter(connection: Connection, settings: Settings, house: House, note: Note) -> None:
    """Write a file down as it was; its numbers are its own, unless another has them by now."""
    with archive.opened(settings, note.stored_name) as kept:
        key_id = kept.key_id
        sha256, size = archive.measured(kept)
    with connection, connection.cursor() as cursor:
        cursor.execute("select exists (select from intake.files where file_id = %s)", (note.file_id,))
        is_used = cursor.fetchone() == (True,)
        cursor.execute(
            "select exists (select from intake.deliveries where delivery_id = any(%s))", (list(note.delivery_ids),)
        )
        are_used = cursor.fetchone() == (True,)
    arrival = entering.Arrival(
        agency=note.agency,
        source=note.source,
        name=note.name,
        token=note.token,
        received_at=note.received_at,
        sha256_received=note.sha256 or sha256,
        file_id=None if is_used else note.file_id,
        delivery_ids=() if are_used else note.delivery_ids,
        parts=note.parts,
        is_repeat=note.is_repeat,
    )
    stored = archive.Stored(note.stored_name, sha256, size, key_id=key_id)
    entering.enter(connection, settings, house, arrival, stored)


def _go_on_counting(connection: Connection, files: Sequence[Note | past.File]) -> None:
    """Let the ledger count on behind the highest number that was ever given."""
    highest = (
        max((each.file_id or 0 for each in files), default=0),
        max((number for each in files for number in each.delivery_ids), default=0),
    )
    with connection, connection.cursor() as cursor:
        for (table, column), number in zip(TABLES, highest, strict=True):
            if number:
                cursor.execute(
                    "select setval(sequence, greatest(nextval(sequence) - 1, %s))"
                    " from (select pg_get_serial_sequence(%s, %s)::regclass as sequence) as counted",
                    (number, table, column),
                )
