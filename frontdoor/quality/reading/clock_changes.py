"""FIL-011: stamps without offset in the hour that the clocks repeat or leave out. We choose; the sender is told.

Only the few days on which a zone changes its clocks are looked at, so that this costs next to nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from psycopg2.extensions import cursor as Cursor

from frontdoor import clock
from frontdoor.contract import Feed, House
from frontdoor.quality.reading import statement
from frontdoor.quality.reading.labels import identifier, literal

RULE = "FIL-011"
FIRST_YEAR = 1995
YEARS_AHEAD = 3


def note(
    cursor: Cursor,
    house: House,
    feed: Feed,
    delivery_ids: Sequence[int],
    received: tuple[datetime, datetime],
    zone: str,
) -> None:
    """Insert a finding for each record with such a stamp, in the caller's transaction; replaces earlier ones."""
    if not any(rule.rule_id == RULE for rule in house.file_rules):
        return
    cursor.execute(
        """
        delete from quality.findings
        where
            rule_id = %s and delivery_id = any(%s)
            -- Of a record that was erased since nothing can be noted anew.
            and not exists (
                select from intake.tombstones
                where tombstones.delivery_id = findings.delivery_id and tombstones.record_no = findings.record_no
            )
        """,
        (RULE, list(delivery_ids)),
    )
    stamps = [each.name for each in feed.properties if each.kind == "timestamp" and not each.is_list]
    days = change_days(zone, received[1].year + YEARS_AHEAD)
    if not stamps or not days:
        return
    listed = f"array[{', '.join(literal(day.isoformat()) for day in days)}]::date[]"
    may = " or ".join(f"(read.{identifier(name)} at time zone 'UTC')::date = any({listed})" for name in stamps)
    does = " or ".join(
        f"reading.is_clock_change(reading.trimmed(sent.{identifier(name)}), {literal(zone)})" for name in stamps
    )
    named = ", ".join(f"sent.{identifier(name)}" for name in stamps)
    cursor.execute(
        # Fenced, so that the few suspects are found before the slow question is asked of them.
        f"""
        insert into quality.findings (delivery_id, record_no, record_key, rule_id, contract_version, state, found_at)
        select _delivery_id, _record_no, record_key, {literal(RULE)}, {literal(feed.version)}, 'new',
            {literal(clock.now().isoformat())}
        from (
            select read._delivery_id, read._record_no, read.record_key, {named}
            from (
                select _delivery_id, _record_no, _received_at, record_key
                from raw.{identifier(feed.code + "_read")} as read
                where {statement.where(delivery_ids, received)} and ({may})
                offset 0
            ) as read
            inner join raw.{identifier(feed.code)} as sent
                on read._delivery_id = sent._delivery_id and read._record_no = sent._record_no
                and read._received_at = sent._received_at
            offset 0
        ) as sent
        where {does}
        """
    )


@cache
def change_days(zone: str, last_year: int) -> tuple[date, ...]:
    """The UTC days on which the clocks of a zone change."""
    return tuple(_changes(ZoneInfo(zone), last_year))


def _changes(zone: ZoneInfo, last_year: int) -> Iterator[date]:
    day, before = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), None
    while day.year <= last_year:
        offset = day.astimezone(zone).utcoffset()
        if before is not None and offset != before:
            yield (day - timedelta(days=1)).date()
        day, before = day + timedelta(days=1), offset
