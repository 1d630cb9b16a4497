"""The one letter when a rule of ours was wrong: what it found is no fault of the sender's, and scores are restated.

It goes once to the liaison of each agency in whose files the rule found something on those days. Why it was wrong stays
in the house; the letter says ids, counts and days.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from frontdoor.alerts import digest, outbox, telling
from frontdoor.alerts.routing import LIAISON

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

_CONCERNED = """
    select deliveries.agency_code, min(deliveries.feed), count(*), count(distinct deliveries.delivery_id)
    from quality.attributions as attributions
    inner join quality.findings as findings on attributions.rule_id = findings.rule_id
    inner join intake.deliveries as deliveries on findings.delivery_id = deliveries.delivery_id
    left join reference.feeds as feeds on deliveries.feed = feeds.feed
    cross join lateral (
        select (deliveries.received_at at time zone coalesce(feeds.timezone, 'UTC'))::date as received_on
    ) as days
    where
        attributions.attribution_id = %s
        and days.received_on >= attributions.first_day
        and (attributions.last_day is null or days.received_on <= attributions.last_day)
    group by deliveries.agency_code
    order by deliveries.agency_code
"""


def tell_of_withdrawn(connection: Connection, house: House, attribution_id: int) -> int:
    """Write into the outbox that a rule is withdrawn; return how many messages. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select rule_id, first_day, last_day from quality.attributions where attribution_id = %s",
            (attribution_id,),
        )
        ((rule_id, first_day, last_day),) = cursor.fetchall()
        cursor.execute(_CONCERNED, (attribution_id,))
        concerned = cursor.fetchall()
    return sum(
        outbox.put(
            connection,
            message_id=outbox.id_of("withdrawn", attribution_id, LIAISON, agency),
            delivery_id=None,
            file_id=None,
            to=outbox.recipient(house, agency, LIAISON),
            text=_text(house, rule_id, (first_day, last_day), agency, feed, counts),
        )
        for agency, feed, *counts in concerned
        if agency in house.agencies
    )


def _text(
    house: House, rule_id: str, days: tuple[date, date | None], agency: str, feed: str, counts: list[int]
) -> digest.Digest:
    zone, name = telling.zone_and_name(house, agency)
    findings, deliveries = counts
    first, last = days
    since = f"on {_day(first)}" if first == last else f"from {_day(first)}{f' to {_day(last)}' if last else ' on'}"
    of = f"{deliveries:,} {'delivery' if deliveries == 1 else 'deliveries'}"
    return digest.Digest(
        subject=f"Front door: rule {rule_id} was wrong: {digest.count_of(findings, 'finding')} not charged to you",
        greeting=f"To the liaison of {name}: rule {rule_id} ({telling.title_of(house, feed)}) was ours, and it was"
        f" wrong {since}.",
        arrived=f"It gave {digest.count_of(findings, 'finding')} in {of} of yours. You need not answer"
        f" {'it' if findings == 1 else 'them'}. Your scores of those days are restated without the rule; what they said"
        " then stays on record. No list and no decision changes by this, and you are told once.",
        patterns=[],
        more=0,
        quote=f"rule {rule_id}",
        zone=zone,
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
