"""Sufficiency: what a decision-maker must know, per record and element, as one letter each in `_sufficiency`.

    P present    U unknown, with a reason    M missing    N not applicable

The letters stand in the order of the contract's elements; `quality.sufficiency_elements` says which is which for each
version of a contract, and the view `quality.sufficiency` says it in words. A public sender, and a layout that has no
place for an element, are never asked for it: N.
"""

import logging
import re
from collections.abc import Collection
from datetime import date

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from frontdoor import reference
from frontdoor.contract import Element, Feed, House
from frontdoor.quality.reading.labels import identifier, literal

log = logging.getLogger(__name__)

WORDS = {"P": "present", "U": "unknown_with_reason", "M": "missing", "N": "not_applicable"}


def letters(feed: Feed, carried: Collection[str] | None, *, is_public: bool, on: date) -> str:
    """SQL of the letters, over the columns that were read. carried: properties the layout has (None: all).

    Where it cannot be said whether an element applies, it applies: a gap never excuses another.
    """
    if not feed.elements:
        return "null"
    asked = [not is_public and can_carry(element, feed, carried) for element in feed.elements]
    said = [_letter(element, on) if ask else literal("N") for element, ask in zip(feed.elements, asked, strict=True)]
    return f"concat({', '.join(said)})"


def _letter(element: Element, on: date) -> str:
    try:
        applies, present, unknown = (
            reference.expand(text, on) for text in (element.applies_when, element.present_when, element.unknown_when)
        )
    except reference.UnknownConstant as error:
        log.error("element %s is read as missing: %s", element.name, error)
        return literal("M")
    return f"case when ({applies}) is false then 'N' when ({present}) then 'P' when ({unknown}) then 'U' else 'M' end"


def can_carry(element: Element, feed: Feed, carried: Collection[str] | None) -> bool:
    """Whether a layout has any of the properties that could make the element present."""
    if carried is None:
        return True
    words = set(re.findall(r"[a-z][a-z0-9_]*", element.present_when))
    wanted = {each.name for each in feed.properties if {each.name, f"{each.name}_state"} & words}
    return not wanted or bool(wanted & set(carried))


def publish_sufficiency_elements(connection: Connection, house: House) -> None:
    """Write which letter tells of which element, for the contracts in force, and the view over all feeds. Commits."""
    rows = [
        (feed.code, feed.version, position, element.name)
        for feed in house.feeds.values()
        for position, element in enumerate(feed.elements, start=1)
    ]
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('quality.sufficiency', 0))")
        if rows:
            execute_values(
                cursor,
                "insert into quality.sufficiency_elements (feed, contract_version, position, element) values %s"
                " on conflict (feed, contract_version, position) do update set element = excluded.element"
                " where sufficiency_elements.element <> excluded.element",
                rows,
            )
        _make_view(cursor, sorted(house.feeds))


def _make_view(cursor: Cursor, feeds: list[str]) -> None:
    """One row per record and element. Made anew only when a feed came or went, so that readers are not waited for."""
    cursor.execute("select obj_description(to_regclass('quality.sufficiency'))")
    made_for = (cursor.fetchone() or (None,))[0]
    cursor.execute(
        "select tablename from pg_tables where schemaname = 'raw' and tablename = any(%s)",
        ([f"{feed}_read" for feed in feeds],),
    )
    there = {name for (name,) in cursor}
    feeds = [feed for feed in feeds if f"{feed}_read" in there]
    wanted = f"One row per record and sufficiency element of: {', '.join(feeds)}."
    if not feeds or made_for == wanted:
        return
    states = " ".join(f"when {literal(letter)} then {literal(word)}" for letter, word in WORDS.items())
    parts = " union all ".join(
        f"""
        select records._delivery_id as delivery_id, records._record_no as record_no, elements.element,
            case substr(records._sufficiency, elements.position, 1) {states} end as state
        from raw.{identifier(feed + "_read")} as records
        inner join intake.deliveries as deliveries on records._delivery_id = deliveries.delivery_id
        inner join quality.sufficiency_elements as elements
            on deliveries.contract_version = elements.contract_version and elements.feed = {literal(feed)}
        where substr(records._sufficiency, elements.position, 1) <> ''
        """
        for feed in feeds
    )
    cursor.execute(f"create or replace view quality.sufficiency (delivery_id, record_no, element, state) as {parts}")
    cursor.execute(f"comment on view quality.sufficiency is {literal(wanted)}")
