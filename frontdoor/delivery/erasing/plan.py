"""Which records are those of one child, what stands beside them, and why they may not be erased yet.

A child is known by the number that its sender gave it (`child_key`, made from agency and number), and by the records
that are named. Every version of those records belongs to it. Where what is found says two names, or two dates of birth,
nobody here can know whether it is one child: it is refused, and a person names the records one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor.contract import House

# What tells one child from another; as macros/staging.sql compares them.
WHO = ("forename", "surname", "dob")
SIGNS = "[[:space:]'\u2019`\u00b4.-]+"
SHORTEST_VALUE = 3


class Place(Protocol):
    """A record, by where it lies."""

    @property
    def feed(self) -> str:
        """The feed whose tables hold it."""

    @property
    def delivery_id(self) -> int:
        """Its delivery."""

    @property
    def record_no(self) -> int:
        """Its number there."""


class Refused(RuntimeError):
    """It may not be erased (yet); the message says why and what to do, by ids and counts alone."""


@dataclass(frozen=True)
class Selection:
    """Which child: by key, by an agency's own number, or by records (delivery, number), and then by those alone."""

    child_keys: tuple[str, ...] = ()
    agency: str | None = None
    child_reference: str | None = None
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Record:
    """One record as it lies in raw."""

    feed: str
    agency: str
    delivery_id: int
    record_no: int
    received_at: datetime
    record_key: str
    child_key: str | None
    has_own_key: bool
    who: tuple[str | None, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Plan:
    """What would go, by ids and counts; `values` are the child's own words and never leave the process."""

    records: tuple[Record, ...]
    files: tuple[int, ...]
    relations: dict[str, int]
    groups: tuple[tuple[tuple[int, int], ...], ...]
    waiting: tuple[tuple[int, int], ...]
    not_seen: int
    unbuilt: tuple[int, ...]
    unread: tuple[int, ...]
    holds: tuple[int, ...]
    mentions: tuple[tuple[int, int], ...]
    is_by_record: bool
    values: frozenset[str] = field(repr=False, default=frozenset())

    def obstacles(self, *, is_handed_on: bool) -> list[str]:
        """Why it may not be done, in sentences."""
        found = []
        if not self.records:
            found.append("No record is kept of that child.")
        if self.holds:
            found.append(f"A legal hold keeps it: {_listed(self.holds)} (frontdoor hold list).")
        if len(self.groups) > 1 and not self.is_by_record:
            groups = "; ".join(" ".join(f"{one}:{no}" for one, no in group) for group in self.groups)
            found.append(
                "Two children may stand under one key, for their names or dates of birth differ. Look, and name the"
                f" records of the one with --record: {groups}."
            )
        if self.unbuilt:
            found.append(f"Deliveries {_listed(self.unbuilt)} are not in the marts yet: frontdoor ingest first.")
        if self.unread:
            found.append(
                f"Lines of the same files could not be read and may be of any child: {_listed(self.unread)}. They go"
                " too, so say first how they were followed up (frontdoor unread close)."
            )
        if (self.waiting or self.not_seen) and not is_handed_on:
            what = " ".join(f"{one}:{no}" for one, no in self.waiting) or "the list of children not seen"
            found.append(
                f"Somebody still waits for a decision about this child ({what}). Close it, or hand the child on by"
                " telephone and say to whom and how that can be shown: --handed-to, --evidence."
            )
        return found

    def refuse(self, *, is_handed_on: bool, texts: Iterable[str] = ()) -> None:
        """Raise `Refused` where something stands in the way, or one of our own texts names the child."""
        if found := self.obstacles(is_handed_on=is_handed_on):
            raise Refused(" ".join(found))
        said = " ".join(texts).casefold()
        if any(value in said for value in self.values):
            raise Refused("A text that would be kept holds a value of the child's records: say it without.")


def plan_of(connection: Connection, house: House, selection: Selection) -> Plan:
    """Find the records, and what stands in the way. Reads only."""
    with connection, connection.cursor() as cursor:
        feeds = [feed for feed in house.feeds if _exists(cursor, f"raw.{feed}_read")]
        records = _selected(cursor, house, feeds, selection)
        places = [(each.delivery_id, each.record_no) for each in records]
        deliveries = sorted({each.delivery_id for each in records})
        files = _column(
            cursor, "select distinct file_id from intake.deliveries where delivery_id = any(%s)", (deliveries,)
        )
        keys = sorted({each.child_key for each in records if each.child_key})
        values = values_of(cursor, records)
        return Plan(
            records=tuple(records),
            files=tuple(files),
            relations=_counts(cursor, places),
            groups=_groups(records),
            waiting=tuple(_open(cursor, places)),
            not_seen=_not_seen(cursor, keys),
            unbuilt=tuple(
                _column(
                    cursor,
                    "select delivery_id from intake.deliveries where delivery_id = any(%s)"
                    " and (built_in is null or status <> 'published') order by 1",
                    (deliveries,),
                )
            ),
            unread=tuple(
                _column(
                    cursor,
                    "select dead_letter_id from quality.dead_letters where file_id = any(%s) and resolved_at is null"
                    " order by 1",
                    (files,),
                )
            ),
            holds=tuple(
                _column(
                    cursor,
                    "select hold_id from intake.holds where lifted_at is null"
                    " and (delivery_id = any(%s) or child_key = any(%s) or agency_code = any(%s)) order by 1",
                    (deliveries, keys, sorted({each.agency for each in records})),
                )
            ),
            mentions=tuple(_mentions(cursor, records, values)),
            is_by_record=bool(selection.places),
            values=values,
        )


def _selected(cursor: Cursor, house: House, feeds: Collection[str], selection: Selection) -> list[Record]:
    found: dict[tuple[int, int], Record] = {}
    if selection.places:
        named = list(selection.places)
        # The same bytes that came twice are one file of the archive: a record of theirs goes from both or from neither.
        cursor.execute(
            """
            select twins.delivery_id, named.record_no
            from unnest(%s, %s) as named (delivery_id, record_no)
            inner join intake.deliveries as deliveries on named.delivery_id = deliveries.delivery_id
            inner join intake.files as files on deliveries.file_id = files.file_id
            inner join intake.files as same on files.stored_name = same.stored_name
            inner join intake.deliveries as twins
                on same.file_id = twins.file_id and deliveries.member_no = twins.member_no
            """,
            ([one for one, _ in named], [no for _, no in named]),
        )
        named += cursor.fetchall()
        for feed in feeds:
            _add(cursor, house, feed, found, "(_delivery_id, _record_no) in %s", tuple(named))
        return _in_order(found)
    keys = set(selection.child_keys)
    if selection.agency and selection.child_reference:
        for feed in feeds:
            keys |= _keys_of(cursor, house, feed, selection.agency, selection.child_reference)
    if keys:
        for feed in feeds:
            _add(cursor, house, feed, found, "child_key in %s", tuple(keys))
    # A version that does not give the child's number is still one of the record's.
    own = {each.record_key for each in found.values() if each.has_own_key}
    if own:
        for feed in feeds:
            _add(cursor, house, feed, found, "record_key in %s", tuple(own))
    return _in_order(found)


def _in_order(found: dict[tuple[int, int], Record]) -> list[Record]:
    return [found[place] for place in sorted(found)]


def _keys_of(cursor: Cursor, house: House, feed: str, agency: str, reference: str) -> set[str]:
    keys: set[str] = set()
    for name in house.feeds[feed].child_properties:
        cursor.execute(
            sql.SQL(
                "select distinct child_key from {read} where _agency_code = %s and {name}::text = %s"
                " and child_key is not null"
            ).format(read=sql.Identifier("raw", f"{feed}_read"), name=sql.Identifier(name)),
            (agency, reference),
        )
        keys |= {key for (key,) in cursor}
    return keys


def _add(
    cursor: Cursor, house: House, feed: str, found: dict[tuple[int, int], Record], condition: str, value: Any
) -> None:
    names = {each.name for each in house.feeds[feed].properties}
    who = [
        sql.SQL(
            "case when {state} = 'ok' then nullif(regexp_replace(lower({name}::text), {signs}, '', 'g'), '') end"
        ).format(state=sql.Identifier(f"{name}_state"), name=sql.Identifier(name), signs=sql.Literal(SIGNS))
        if name in names
        else sql.SQL("null")
        for name in WHO
    ]
    cursor.execute(
        sql.SQL(
            "select _agency_code, _delivery_id, _record_no, _received_at, record_key, child_key, has_own_key, {who}"
            " from {read} where " + condition
        ).format(who=sql.SQL(", ").join(who), read=sql.Identifier("raw", f"{feed}_read")),
        (value,),
    )
    for agency, delivery_id, record_no, *rest in cursor.fetchall():
        received_at, record_key, child_key, has_own_key, *said = rest
        found[delivery_id, record_no] = Record(
            feed, agency, delivery_id, record_no, received_at, record_key, child_key, has_own_key, tuple(said)
        )


def _groups(records: Collection[Record]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The records, parted where any two say different names or dates; one that says nothing is with none."""
    said = [each.who for each in records]
    if all(len({who[at] for who in said} - {None}) <= 1 for at in range(len(WHO))):
        return (tuple((each.delivery_id, each.record_no) for each in records),) if records else ()
    groups: dict[tuple[str | None, ...], list[tuple[int, int]]] = {}
    for each in records:
        groups.setdefault(each.who, []).append((each.delivery_id, each.record_no))
    return tuple(tuple(group) for group in groups.values())


def _open(cursor: Cursor, places: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    if not places or not _exists(cursor, "worklists.triage"):
        return []
    cursor.execute(
        "select delivery_id, record_no from worklists.triage where (delivery_id, record_no) in %s"
        " and is_open is not false order by 1, 2",
        (tuple(places),),
    )
    return cursor.fetchall()


def _not_seen(cursor: Cursor, keys: Collection[str]) -> int:
    if not _exists(cursor, "worklists.not_seen"):
        return 0
    (count,) = _column(cursor, "select count(*) from worklists.not_seen where child_key = any(%s)", (list(keys),))
    return int(count)


def values_of(cursor: Cursor, records: Collection[Place]) -> frozenset[str]:
    """What the records say of who the child is, in small letters."""
    found: set[str] = set()
    for feed in {each.feed for each in records}:
        places = tuple((each.delivery_id, each.record_no) for each in records if each.feed == feed)
        names = _column(
            cursor,
            "select attname::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
            " and not attisdropped and attname = any(%s)",
            (
                f'raw."{feed}"',
                [*WHO, "child_ref", "child_id_council", "nhs_number", "upn", "address", "home_address", "postcode"],
            ),
        )
        if names:
            cursor.execute(
                sql.SQL("select {names} from {raw} where (_delivery_id, _record_no) in %s").format(
                    names=sql.SQL(", ").join(map(sql.Identifier, names)), raw=sql.Identifier("raw", feed)
                ),
                (places,),
            )
            found |= {cell.strip().casefold() for row in cursor for cell in row if cell}
    return frozenset(value for value in found if len(value) >= SHORTEST_VALUE)


def _mentions(cursor: Cursor, records: Collection[Record], values: Collection[str]) -> list[tuple[int, int]]:
    """Other records of the same deliveries in which such a value stands (a sibling's account): a person looks."""
    found: list[tuple[int, int]] = []
    for feed in sorted({each.feed for each in records}):
        own = [each for each in records if each.feed == feed]
        cursor.execute(
            sql.SQL(
                "select _delivery_id, _record_no from {raw} as sent where _delivery_id = any(%s)"
                " and (_delivery_id, _record_no) not in %s"
                " and exists (select from unnest(%s) as value where strpos(lower(sent::text), value) > 0) order by 1, 2"
            ).format(raw=sql.Identifier("raw", feed)),
            (
                sorted({each.delivery_id for each in own}),
                tuple((each.delivery_id, each.record_no) for each in own),
                sorted(values),
            ),
        )
        found += cursor.fetchall()
    return found


def _counts(cursor: Cursor, places: Collection[tuple[int, int]]) -> dict[str, int]:
    from frontdoor.delivery.erasing.rows import relations

    counts = {}
    for each in relations(cursor):
        if each.record and places:
            cursor.execute(
                sql.SQL("select count(*) from {} where ({}, {}) in %s").format(
                    each.name(), sql.Identifier(each.delivery), sql.Identifier(each.record)
                ),
                (tuple(places),),
            )
            ((count,),) = cursor.fetchall()
            if count:
                counts[f"{each.schema}.{each.table}"] = count
    return counts


def _exists(cursor: Cursor, name: str) -> bool:
    return _column(cursor, "select to_regclass(%s) is not null", (name,)) == [True]


def _column(cursor: Cursor, query: str, values: tuple[Any, ...]) -> list[Any]:
    cursor.execute(query, values)
    return [value for (value,) in cursor.fetchall()]


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))
