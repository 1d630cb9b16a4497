"""Waivers in the life of deliveries: granted and ended under the lane's lock, and brought back when they lapse.

The lock keeps judging and lapsing apart: a finding is never left `waived` under a waiver that is over.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from frontdoor import alerts, database
from frontdoor.quality import waivers

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

log = logging.getLogger(__name__)


def grant(
    connection: Connection,
    house: House,
    *,
    agency: str,
    feed: str,
    rule_id: str | None,
    record: tuple[int, int] | None,
    record_key: str | None,
    reason: str,
    approved_by_role: str,
    expires_at: datetime,
) -> tuple[int, int]:
    """Grant a waiver; return its id and how many findings it silences at once. What may be granted is asked before."""
    with database.advisory_lock(connection, "lane", agency, feed, wait=True), connection, connection.cursor() as cursor:
        return waivers.grant(
            cursor,
            agency=agency,
            feed=feed,
            rule_id=rule_id,
            record=record,
            record_key=record_key,
            reason=reason,
            approved_by_role=approved_by_role,
            expires_at=expires_at,
            graver=waivers.graver_rules(cursor, house, agency, feed),
        )


def end(connection: Connection, house: House, waiver: waivers.Waiver) -> bool:
    """End a living waiver now and bring back what it silenced; False where it was over already."""
    with connection, connection.cursor() as cursor:
        ended = waivers.end(cursor, waiver.waiver_id)
    if ended:
        bring_back(connection, house, wait=True)
    return ended


def bring_back(connection: Connection, house: House, *, wait: bool = False) -> int:
    """Bring back what lapsed waivers silenced, each with its one message in the same commit; return how many waivers.

    A lane that is busy is left to the next sweep, unless told to wait.
    """
    with connection, connection.cursor() as cursor:
        due = waivers.due(cursor)
    return sum(_bring_back(connection, house, waiver, wait=wait) for waiver in due)


def _bring_back(connection: Connection, house: House, waiver: waivers.Waiver, *, wait: bool) -> bool:
    with database.advisory_lock(connection, "lane", waiver.agency_code, waiver.feed, wait=wait) as held:
        if not held:
            return False
        try:
            with connection, connection.cursor() as cursor:
                graver = waivers.graver_rules(cursor, house, waiver.agency_code, waiver.feed)
                if not waivers.lapse(cursor, waiver.waiver_id, graver):
                    return False
                alerts.tell_of_lapsed(connection, house, waiver.waiver_id)
            return True
        except Exception as error:
            if database.is_away(error):
                raise
            connection.rollback()
            log.error(
                "waiver %s is over and waits for the next sweep: %s", waiver.waiver_id, database.safe_error(error)
            )
            return False
