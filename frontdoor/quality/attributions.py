"""Whose fault it was: what a relay, a vendor, our mapping or our own wrong rule caused is not charged to the agency.

    charge        write down a decision, for some days
    end, known    as they say
    mark_waiting  what can be told without a decision: findings that stand while a label waits for our mapping

Scores alone ask for it (quality.rule_scores). Lists, indicators, triage, verdicts and findings are what they would be
without. A rule that is ours and wrong for everybody is withdrawn: on those days it counts for nothing. Every function
works in the caller's transaction.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from frontdoor import clock, reference
from frontdoor.quality.reading.labels import identifier, literal

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from frontdoor.contract import Feed, House

# The rule under which scores count what could not be read.
COVERAGE = "coverage"
_COLUMNS = (
    "attribution_id, rule_id, agency_code, feed, delivery_id, charged_to, reason, decided_by_role, first_day,"
    " last_day, decided_at, changed_at"
)


@dataclass(frozen=True)
class Attribution:
    """One decision. None: any rule, agency, feed or delivery; `last_day` None: until it is ended."""

    attribution_id: int
    rule_id: str | None
    agency_code: str | None
    feed: str | None
    delivery_id: int | None
    charged_to: str
    reason: str
    decided_by_role: str
    first_day: date
    last_day: date | None
    decided_at: datetime
    changed_at: datetime

    @property
    def is_withdrawal(self) -> bool:
        """Whether the rule is withdrawn, for everybody."""
        return self.charged_to == "our_rule" and (self.agency_code, self.feed, self.delivery_id) == (None, None, None)

    def state(self, on: date) -> str:
        """`standing`, `over` or `taken_back` on a day."""
        if self.last_day is not None and self.last_day < self.first_day:
            return "taken_back"
        return "standing" if self.last_day is None or on <= self.last_day else "over"


def charge(
    cursor: Cursor,
    *,
    rule_id: str | None,
    agency: str | None,
    feed: str | None,
    delivery_id: int | None,
    to: str,
    reason: str,
    decided_by_role: str,
    days: tuple[date, date | None],
) -> Attribution:
    """Write a decision for these days, both included."""
    now = clock.now()
    cursor.execute(
        f"""
        insert into quality.attributions (
            rule_id, agency_code, feed, delivery_id, charged_to, reason, decided_by_role, first_day, last_day,
            decided_at, changed_at
        ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning {_COLUMNS}
        """,
        (rule_id, agency, feed, delivery_id, to, reason, decided_by_role, *days, now, now),
    )
    (row,) = cursor.fetchall()
    return Attribution(*row)


def end(cursor: Cursor, attribution_id: int, last_day: date) -> bool:
    """Let a decision hold until that day; before its first it is taken back. False where it was over by then."""
    cursor.execute(
        "update quality.attributions set last_day = %(day)s, changed_at = %(now)s"
        " where attribution_id = %(id)s and (last_day is null or last_day > %(day)s)",
        {"day": last_day, "now": clock.now(), "id": attribution_id},
    )
    return bool(cursor.rowcount)


def known(cursor: Cursor, *, agency: str | None = None, attribution_id: int | None = None) -> list[Attribution]:
    """All decisions, in their order; those that touch one agency; or the one of that id."""
    cursor.execute(
        f"select {_COLUMNS} from quality.attributions"
        " where (%(agency)s is null or agency_code is null or agency_code = %(agency)s)"
        " and attribution_id = coalesce(%(id)s, attribution_id) order by attribution_id",
        {"agency": agency, "id": attribution_id},
    )
    return [Attribution(*row) for row in cursor]


def mark_waiting(cursor: Cursor, house: House, delivery_ids: Collection[int]) -> None:
    """Mark the findings of these deliveries that ask for a property whose label waits for our mapping.

    A label that somebody called ambiguous waits for nobody: that is for the sender to put right.
    """
    cursor.execute(
        "update quality.findings set waits_for_mapping = false where delivery_id = any(%s) and waits_for_mapping",
        (list(delivery_ids),),
    )
    cursor.execute(
        """
        select deliveries.feed, deliveries.delivery_id, deliveries.received_at, array_agg(distinct labels.property)
        from raw.unmapped_labels as labels
        inner join intake.deliveries as deliveries on labels.delivery_id = deliveries.delivery_id
        where
            labels.delivery_id = any(%s)
            and not exists (
                select from reference.ambiguous_labels as ambiguous
                where
                    ambiguous.agency_code = deliveries.agency_code and ambiguous.source = deliveries.source
                    and ambiguous.feed = deliveries.feed and ambiguous.code_list = labels.code_list
                    and (ambiguous.label = labels.label or reading.label(ambiguous.label) = reading.label(labels.label))
            )
        group by deliveries.feed, deliveries.delivery_id
        order by deliveries.delivery_id
        """,
        (list(delivery_ids),),
    )
    for feed, delivery_id, received_at, properties in cursor.fetchall():
        if feed in house.feeds:
            _mark(cursor, house.feeds[feed], delivery_id, received_at, properties)


def _mark(cursor: Cursor, feed: Feed, delivery_id: int, received_at: datetime, properties: Iterable[str]) -> None:
    on = received_at.astimezone(ZoneInfo(feed.timezone)).date()
    asking: defaultdict[str, list[str]] = defaultdict(list)
    for rule in feed.rules:
        text = " ".join(_written_out(each, on) for each in rule.expectation.values() if isinstance(each, str))
        for name in properties:
            if re.search(rf"\b{re.escape(name)}(?:_state)?\b", text):
                asking[name].append(rule.rule_id)
    if not asking:
        return
    waits = " or ".join(
        f"(told.{identifier(f'{name}_state')} = 'unmapped' and findings.rule_id in ({', '.join(map(literal, rules))}))"
        for name, rules in asking.items()
    )
    cursor.execute(
        f"""
        update quality.findings as findings set waits_for_mapping = true
        from raw.{identifier(f"{feed.code}_read")} as told
        where
            findings.delivery_id = {int(delivery_id)} and told._delivery_id = {int(delivery_id)}
            and told._received_at = {literal(received_at.isoformat())}::timestamptz
            and told._record_no = findings.record_no
            and ({waits})
        """
    )


def _written_out(text: str, on: date) -> str:
    try:
        return reference.expand(text, on)
    except reference.UnknownConstant:
        return text
