"""Disputes: what a sender answers to its findings, and what we say to that.

    record          write answers down: a dispute with its clock and owner, or "no action needed"
    known           as they stand
    settle          a dispute is upheld, with the step that follows, or rejected; with a reason for the sender

None of this touches a finding, a verdict, a list or an indicator. Every function works in the caller's transaction, and
no text of an answer is ever logged: it may name a child.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from frontdoor import clock, reference

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

CLOCK = "dispute_settled"
OWNER_ROLE = "team_manager"
DISPUTE, NO_ACTION = "dispute", "no_action"
NEXT_STEPS = ("waiver", "rule_withdrawal", "label_mapping")
REASON_MAX_CHARACTERS, SETTLEMENT_MAX_CHARACTERS = 500, 300
_ZONE = ZoneInfo("Europe/London")
_COLUMNS = (
    "disputes.dispute_id, disputes.delivery_id, deliveries.agency_code, deliveries.feed, disputes.rule_id,"
    " disputes.record_no, disputes.answer, disputes.reason, disputes.by_role, disputes.answered_at, disputes.due_at,"
    " disputes.owner_role, disputes.outcome, disputes.next_step, disputes.settlement, disputes.settled_at"
)


@dataclass(frozen=True)
class Answer:
    """One answer as a sender gives it. ``record_no`` None: all that the rule found; 0: the file as a whole."""

    rule_id: str
    record_no: int | None
    answer: str
    reason: str


@dataclass(frozen=True)
class Dispute:
    """One answer as it was written down."""

    dispute_id: int
    delivery_id: int
    agency_code: str
    feed: str
    rule_id: str
    record_no: int | None
    answer: str
    reason: str
    by_role: str
    answered_at: datetime
    due_at: datetime | None
    owner_role: str | None
    outcome: str | None
    next_step: str | None
    settlement: str | None
    settled_at: datetime | None

    @property
    def state(self) -> str:
        """`open`, `upheld` or `rejected`; `noted` where nobody needs to do anything."""
        return self.outcome or ("open" if self.answer == DISPUTE else "noted")


def record(cursor: Cursor, delivery_id: int, answers: Iterable[Answer], by_role: str) -> tuple[int, int]:
    """Write answers to a delivery down; return how many are new or changed, and how many were known.

    The same answer again is known, also when it was settled since. Another answer to the same question takes the place
    of one that is not settled; a dispute's clock goes on from where it began.
    """
    now = clock.now()
    due_at, written, same = _due(now), 0, 0
    for each in answers:
        given = {
            "delivery": delivery_id, "rule": each.rule_id, "record": each.record_no, "answer": each.answer,
            "reason": each.reason, "by": by_role, "now": now,
            "due": due_at if each.answer == DISPUTE else None, "owner": OWNER_ROLE if each.answer == DISPUTE else None,
        }  # fmt: skip
        cursor.execute(
            """
            select exists (
                select from quality.disputes
                where
                    delivery_id = %(delivery)s and rule_id = %(rule)s and record_no is not distinct from %(record)s
                    and answer = %(answer)s and reason = %(reason)s
            )
            """,
            given,
        )
        if cursor.fetchone() == (True,):
            same += 1
            continue
        cursor.execute(
            """
            insert into quality.disputes (
                delivery_id, rule_id, record_no, answer, reason, by_role, answered_at, due_at, owner_role
            )
            values (
                %(delivery)s, %(rule)s, %(record)s, %(answer)s, %(reason)s, %(by)s, %(now)s, %(due)s, %(owner)s
            )
            on conflict (delivery_id, rule_id, coalesce(record_no, -1)) where outcome is null do update
            set
                answer = excluded.answer, reason = excluded.reason, by_role = excluded.by_role,
                answered_at = excluded.answered_at, owner_role = excluded.owner_role,
                due_at = case when excluded.due_at is not null then coalesce(disputes.due_at, excluded.due_at) end
            """,
            given,
        )
        written += 1
    return written, same


def known(
    cursor: Cursor, *, agency: str | None = None, dispute_id: int | None = None, only_open: bool = False
) -> list[Dispute]:
    """Answers of one agency or of all, those that wait longest first; or the one of that id."""
    cursor.execute(
        f"""
        select {_COLUMNS}
        from quality.disputes as disputes
        inner join intake.deliveries as deliveries on disputes.delivery_id = deliveries.delivery_id
        where
            deliveries.agency_code = coalesce(%(agency)s, deliveries.agency_code)
            and disputes.dispute_id = coalesce(%(id)s, disputes.dispute_id)
            and (not %(only_open)s or (disputes.answer = 'dispute' and disputes.outcome is null))
        order by disputes.due_at, disputes.dispute_id
        """,
        {"agency": agency, "id": dispute_id, "only_open": only_open},
    )
    return [Dispute(*row) for row in cursor]


def settle(
    cursor: Cursor, dispute_id: int, *, outcome: str, next_step: str | None, settlement: str, by_role: str
) -> bool:
    """Settle an open dispute; False where there is none of that id that is open."""
    cursor.execute(
        """
        update quality.disputes
        set
            outcome = %(outcome)s, next_step = %(next)s, settlement = %(said)s, settled_by_role = %(by)s,
            settled_at = %(now)s
        where dispute_id = %(id)s and answer = 'dispute' and outcome is null
        """,
        {
            "id": dispute_id,
            "outcome": outcome,
            "next": next_step,
            "said": settlement,
            "by": by_role,
            "now": clock.now(),
        },
    )
    return bool(cursor.rowcount)


def _due(now: datetime) -> datetime:
    """The same time of day after as many working days as the clock of disputes gives us."""
    there = now.astimezone(_ZONE)
    left = int(reference.clock(CLOCK, there.date()))
    while left:
        there += timedelta(days=1)
        left -= reference.is_working_day(there.date())
    return there
