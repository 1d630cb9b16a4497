"""Decisions whose fault it was, in the life of deliveries: written down, and told of where a rule is withdrawn."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from frontdoor import alerts
from frontdoor.quality import attributions

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House


def charge(
    connection: Connection,
    house: House,
    *,
    rule_id: str | None,
    agency: str | None,
    feed: str | None,
    delivery_id: int | None,
    to: str,
    reason: str,
    decided_by_role: str,
    days: tuple[date, date | None],
) -> tuple[attributions.Attribution, int]:
    """Write a decision, and in the same commit a letter to each agency concerned where it withdraws a rule.

    Return it and how many letters. What may be decided is asked before.
    """
    with connection, connection.cursor() as cursor:
        decided = attributions.charge(
            cursor,
            rule_id=rule_id,
            agency=agency,
            feed=feed,
            delivery_id=delivery_id,
            to=to,
            reason=reason,
            decided_by_role=decided_by_role,
            days=days,
        )
        letters = alerts.tell_of_withdrawn(connection, house, decided.attribution_id) if decided.is_withdrawal else 0
    return decided, letters
