"""First-time-right: what was right when it was first told. Written once per delivery; nothing later changes it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from frontdoor.quality.reading.labels import identifier

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from frontdoor.contract import House

# From this size on every earlier key is read once, rather than looked up record by record.
LARGE_RECORDS = 20_000


def fix_first_publications(cursor: Cursor, house: House, delivery_ids: Collection[int]) -> None:
    """Count for these deliveries, first published now, the records first told in them, and how many were not right.

    In the caller's transaction. A record is first told if no earlier delivery of its sender had its key; an unread one
    always is, and never right. Where a rule above info was not run, a record without a finding is unknown.
    """
    cursor.execute(
        """
        select
            deliveries.feed, deliveries.delivery_id, deliveries.received_at, coalesce(deliveries.records_loaded, 0),
            exists (
                select from intake.deliveries as earlier
                where
                    earlier.agency_code = deliveries.agency_code and earlier.feed = deliveries.feed
                    and earlier.delivery_id < deliveries.delivery_id and earlier.records_loaded > 0
            )
        from intake.deliveries as deliveries
        where deliveries.delivery_id = any(%s) order by deliveries.feed, deliveries.delivery_id
        """,
        (list(delivery_ids),),
    )
    for feed, deliveries in groupby(cursor.fetchall(), key=lambda row: row[0]):
        if feed in house.feeds:
            for _, delivery_id, received_at, records, has_earlier in deliveries:
                _fix(cursor, feed, delivery_id, received_at, records if has_earlier else None)


def _fix(cursor: Cursor, feed: str, delivery_id: int, received_at: datetime, records: int | None) -> None:
    """``records``: how many came; None where nothing came before, so that all of it is first told."""
    read = f"raw.{identifier(feed + '_read')}"
    first = "true"
    if records is not None:
        earlier = f"select from {read} as earlier where earlier.record_key = told.record_key"
        earlier += " and earlier._delivery_id < %(id)s"
        first = f"not exists ({earlier}{'' if records >= LARGE_RECORDS else ' offset 0'})"
    cursor.execute(
        f"""
        with wrong as (
            select distinct findings.record_no
            from quality.findings as findings
            left join quality.checks as checks
                on findings.rule_id = checks.rule_id and findings.contract_version = checks.contract_version
            where
                findings.delivery_id = %(id)s and findings.record_no > 0
                and checks.severity is distinct from 'info'
        ), counted as (
            select count(*) as records_count, count(wrong.record_no) as wrong_count
            from {read} as told
            left join wrong on told._record_no = wrong.record_no
            where told._delivery_id = %(id)s and told._received_at = %(received_at)s and {first}
        )
        insert into quality.first_publications
            (delivery_id, agency_code, feed, published_at, records_count, wrong_count, unknown_count)
        select
            deliveries.delivery_id, deliveries.agency_code, deliveries.feed, deliveries.published_at,
            counted.records_count + coalesce(deliveries.records_dead, 0),
            counted.wrong_count + coalesce(deliveries.records_dead, 0),
            case when deliveries.verdict is null or exists (
                select from quality.check_results as results
                left join quality.checks as checks
                    on results.rule_id = checks.rule_id and deliveries.contract_version = checks.contract_version
                where
                    results.delivery_id = %(id)s and results.status = 'not_run'
                    and checks.severity is distinct from 'info'
            ) then counted.records_count - counted.wrong_count else 0 end
        from intake.deliveries as deliveries
        cross join counted
        where deliveries.delivery_id = %(id)s
        on conflict (delivery_id) do nothing
        """,
        {"id": delivery_id, "received_at": received_at},
    )
