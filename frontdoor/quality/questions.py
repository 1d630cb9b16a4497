"""Questions still to ask: what a contract says to ask for each element, and the number to ring about each record.

`worklists.questions` (dbt) puts at most three to each record. A feed without questions asks none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2.extras import execute_values

from frontdoor.quality.reading.labels import identifier, literal

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from frontdoor.contract import Feed, House


def publish_questions(connection: Connection, house: House) -> None:
    """Write the questions beside their elements, for the contracts in force, and the view of numbers. Commits."""
    rows = [
        (feed.code, feed.version, element.name, element.question, element.ask_rank, element.is_asked_again)
        for feed in house.feeds.values()
        for element in feed.elements
    ]
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('quality.sufficiency', 0))")
        if rows:
            execute_values(
                cursor,
                """
                update quality.sufficiency_elements as elements
                set question = said.question, ask_rank = said.ask_rank, is_asked_again = said.is_asked_again
                from (values %s) as said (feed, contract_version, element, question, ask_rank, is_asked_again)
                where
                    elements.feed = said.feed and elements.contract_version = said.contract_version
                    and elements.element = said.element
                    and (elements.question, elements.ask_rank, elements.is_asked_again)
                    is distinct from (said.question, said.ask_rank::integer, said.is_asked_again)
                """,
                rows,
            )
        _make_view(cursor, list(house.feeds.values()))


def _make_view(cursor: Cursor, feeds: list[Feed]) -> None:
    """One row per record that gives a number. Made anew only when what it reads changed, so that no reader waits."""
    cursor.execute("select tablename from pg_tables where schemaname = 'raw'")
    there = {name for (name,) in cursor}
    reachable = [feed for feed in feeds if feed.reach_property and f"{feed.code}_read" in there]
    wanted = "One row per record that gives a number to ring: " + ", ".join(
        f"{feed.code} {feed.reach_property}" for feed in reachable
    )
    cursor.execute("select obj_description(to_regclass('quality.reach'))")
    if not reachable or cursor.fetchone() == (wanted,):
        return
    parts = " union all ".join(
        "select _delivery_id as delivery_id, _record_no as record_no, _received_at as received_at,"
        f" {identifier(feed.reach_property or '')} as number from raw.{identifier(feed.code + '_read')}"
        f" where {identifier(f'{feed.reach_property}_state')} = 'ok'"
        for feed in reachable
    )
    cursor.execute(f"create or replace view quality.reach (delivery_id, record_no, received_at, number) as {parts}")
    cursor.execute(f"comment on view quality.reach is {literal(wanted)}")
