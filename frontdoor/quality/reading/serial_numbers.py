"""FIL-033: dates sent as a spreadsheet keeps them, as a number of days (45321 is 30 January 2024): read, and told.

Only a number of five digits that stands for a likely day (`reading.serial`) is read so, where no format of the agency
fits: none writes a date in five digits. What has neither the length nor the point of such a number is not looked at
twice.
"""

from collections.abc import Sequence
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from frontdoor import clock
from frontdoor.contract import Feed, House
from frontdoor.quality.reading import statement
from frontdoor.quality.reading.labels import identifier, literal

RULE = "FIL-033"
DIGITS = 5


def read_as_days(sent: str, otherwise: str, received_year: int, with_time: bool) -> str:
    """SQL of trimmed text in ISO order: as such a number, or else as `otherwise` says."""
    serial = f"reading.serial({sent}, {received_year}, {str(with_time).lower()})"
    return f"coalesce(case when {_may_be(sent)} then {serial} end, {otherwise})"


def note(
    cursor: Cursor,
    house: House,
    feed: Feed,
    delivery_ids: Sequence[int],
    received: tuple[datetime, datetime],
    received_year: int,
) -> None:
    """Insert a finding for each record with such a number, in the caller's transaction; replaces earlier ones."""
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
    dated = [f"sent.{identifier(each.name)}" for each in feed.properties if each.kind in ("date", "timestamp")]
    if not dated:
        return
    trimmed = [f"reading.trimmed({name})" for name in dated]
    does = " or ".join(f"reading.serial({name}, {received_year}, false) is not null" for name in trimmed)
    cursor.execute(
        f"""
        insert into quality.findings (delivery_id, record_no, record_key, rule_id, contract_version, state, found_at)
        select sent._delivery_id, sent._record_no, read.record_key, {literal(RULE)}, {literal(feed.version)}, 'new',
            {literal(clock.now().isoformat())}
        from (
            select * from raw.{identifier(feed.code)} as sent
            where {statement.where(delivery_ids, received)} and ({" or ".join(map(_may_be, trimmed))})
            offset 0
        ) as sent
        inner join raw.{identifier(feed.code + "_read")} as read
            on sent._delivery_id = read._delivery_id and sent._record_no = read._record_no
            and sent._received_at = read._received_at
        where {does}
        """
    )


def _may_be(sent: str) -> str:
    return f"(octet_length({sent}) = {DIGITS} or substr({sent}, {DIGITS + 1}, 1) = '.')"
