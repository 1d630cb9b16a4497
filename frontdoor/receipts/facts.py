"""What the tables say about a delivery, as far as its sender may know it: numbers, states and rule ids.

No column of ``raw`` is read but, behind the login and where it is asked for, the sender's own reference.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

# A file that is wrong from end to end is told of by rule; what is listed row by row ends here, and the receipt says so.
FINDINGS_LISTED = 25_000
LINES_LISTED = 1_000
# What may be a reference and hardly a name: short, without blanks, with a digit.
REFERENCE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9/._:-]{1,39}")


# What a receipt has only where the sender says it.
ONLY_WHERE_SAID = ("nil_signed_by", "sender_row_count", "extract_as_of", "sender_contract_version")


@dataclass(frozen=True)
class Delivery:
    """One delivery that was published or given up; ``edition``: how often. Counts are of records."""

    delivery_id: int
    edition: int
    agency_code: str
    source: str
    feed: str
    contract_version: str
    agency_version: str
    status: str
    verdict: str | None
    records_in: int
    records_loaded: int
    records_dead: int
    received_at: datetime
    checked_at: datetime | None
    published_at: datetime | None
    part: str
    reading: Mapping[str, Any]
    # The role that signed a nil return; None: it is none.
    nil_signed_by: str | None
    # What the sender says of the delivery beside its records.
    sender_row_count: int | None
    extract_as_of: datetime | None
    sender_contract_version: str | None


@dataclass(frozen=True)
class Check:
    """What one rule came to in one delivery. ``states``: findings by state."""

    rule_id: str
    status: str
    severity: str
    score_dimension: str
    scope: str
    recipient_role: str
    sentence: str
    what_to_do: str
    checked_count: int
    failed_count: int
    states: Mapping[str, int]


@dataclass(frozen=True)
class Finding:
    """One record (0: the file) that breaks one rule."""

    record_no: int
    rule_id: str
    state: str


@dataclass(frozen=True)
class Waived:
    """The findings of one rule in one delivery that a waiver silences now: how many, why and until when."""

    rule_id: str
    waiver_id: int
    findings: int
    reason: str
    expires_at: datetime


@dataclass(frozen=True)
class Answered:
    """What the sender answered to a finding of this delivery or an earlier one, and what came of it. Never its words.

    ``state``: open, upheld, rejected, or noted (no action needed). ``settlement``: our words to a settled one.
    """

    delivery_id: int
    rule_id: str
    record_no: int | None
    answer: str
    state: str
    answered_at: datetime
    due_at: datetime | None
    settled_at: datetime | None
    settlement: str | None
    next_step: str | None


@dataclass(frozen=True)
class Mended:
    """One earlier finding that this delivery closed: where it stood."""

    delivery_id: int
    record_no: int
    rule_id: str


@dataclass(frozen=True)
class Unread:
    """One line of the file that could not be read, or (line 0) the file or part of it."""

    line_no: int
    reason: str
    due_at: datetime


_DELIVERIES = """
    select
        deliveries.delivery_id,
        greatest((
            select count(*) from intake.delivery_events as events
            where events.delivery_id = deliveries.delivery_id and events.status_to in ('published', 'dead_letter')
        ), 1) as edition,
        deliveries.agency_code, deliveries.source, deliveries.feed,
        deliveries.contract_version, deliveries.agency_version, deliveries.status, deliveries.verdict,
        coalesce(records_in, 0), coalesce(records_loaded, 0), coalesce(records_dead, 0),
        received_at, checked_at, coalesce(last_published_at, published_at),
        coalesce(members.member_name, ''), coalesce(members.reading, '{}'), deliveries.nil_signed_by,
        sender_row_count, extract_as_of, sender_contract_version
    from intake.deliveries as deliveries
    left join intake.members as members using (file_id, member_no)
    where delivery_id = any(%s)
    order by delivery_id
"""

_CHECKS = """
    select
        results.delivery_id, results.rule_id, results.status,
        coalesce(checks.severity, 'warning'), coalesce(checks.score_dimension, ''), coalesce(checks.scope, ''),
        coalesce(checks.recipient_role, 'liaison'), coalesce(checks.sentence, ''), coalesce(checks.what_to_do, ''),
        results.checked_count, results.failed_count,
        coalesce(
            (
                select jsonb_object_agg(counted.state, counted.findings)
                from (
                    select findings.state, count(*) as findings
                    from quality.findings as findings
                    where
                        results.failed_count > 0
                        and findings.delivery_id = results.delivery_id and findings.rule_id = results.rule_id
                    group by findings.state
                ) as counted
            ),
            '{}'
        )
    from quality.check_results as results
    inner join intake.deliveries as deliveries on results.delivery_id = deliveries.delivery_id
    left join quality.checks as checks
        on checks.rule_id = results.rule_id and checks.contract_version = deliveries.contract_version
    where results.delivery_id = any(%s)
    order by results.delivery_id, results.rule_id
"""

# In the order of the primary key, so that a delivery of a million findings is not sorted.
_FINDINGS = """
    select asked.delivery_id, listed.record_no, listed.rule_id, listed.state
    from unnest(%s) as asked (delivery_id)
    cross join lateral (
        select record_no, rule_id, state
        from quality.findings
        where findings.delivery_id = asked.delivery_id
        order by delivery_id, record_no, rule_id
        limit %s
    ) as listed
    order by asked.delivery_id, listed.record_no, listed.rule_id
"""

_TO_ANSWER = """
    select count(distinct record_no), count(distinct record_no) filter (where state = 'new')
    from quality.findings
    where delivery_id = %s and record_no > 0 and rule_id = any(%s) and state in ('new', 'persisting')
"""

_MENDED = """
    select resolved_by_delivery_id, delivery_id, record_no, rule_id
    from quality.findings
    where resolved_by_delivery_id = any(%s) and resolved_by = 'sender'
    order by resolved_by_delivery_id, delivery_id, record_no, rule_id
    limit %s
"""

_WAIVED = """
    select findings.delivery_id, findings.rule_id, waivers.waiver_id, count(*), waivers.reason, waivers.expires_at
    from quality.findings as findings
    inner join quality.waivers as waivers on findings.waiver_id = waivers.waiver_id
    where findings.delivery_id = any(%s) and findings.waiver_id is not null and findings.state = 'waived'
    group by findings.delivery_id, findings.rule_id, waivers.waiver_id
    order by findings.delivery_id, findings.rule_id, waivers.waiver_id
"""

# Answers to the delivery itself, to earlier ones where they are open, or were settled since the delivery before it.
_ANSWERED = """
    select
        asked.delivery_id, disputes.delivery_id, disputes.rule_id, disputes.record_no, disputes.answer,
        coalesce(disputes.outcome, case disputes.answer when 'dispute' then 'open' else 'noted' end),
        disputes.answered_at, disputes.due_at, disputes.settled_at, disputes.settlement, disputes.next_step
    from intake.deliveries as asked
    inner join intake.deliveries as answered
        on
            asked.agency_code = answered.agency_code and asked.feed = answered.feed
            and asked.delivery_id >= answered.delivery_id
    inner join quality.disputes as disputes on answered.delivery_id = disputes.delivery_id
    where
        asked.delivery_id = any(%s)
        and (
            asked.delivery_id = disputes.delivery_id
            or (disputes.answer = 'dispute' and disputes.outcome is null)
            or disputes.settled_at > coalesce(
                (
                    select max(earlier.received_at) from intake.deliveries as earlier
                    where
                        earlier.agency_code = asked.agency_code and earlier.feed = asked.feed
                        and earlier.delivery_id < asked.delivery_id
                ),
                '-infinity'
            )
        )
    order by asked.delivery_id, disputes.delivery_id, disputes.dispute_id
    limit %s
"""

_UNREAD = """
    select delivery_id, coalesce(line_no, 0), reason, due_at
    from quality.dead_letters
    where delivery_id = any(%s) and resolved_at is null
    order by delivery_id, line_no, dead_letter_id
    limit %s
"""


def deliveries(connection: Connection, delivery_ids: Collection[int]) -> list[Delivery]:
    """These deliveries, in order, whatever became of them."""
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERIES, (list(delivery_ids),))
        return [Delivery(*row) for row in cursor]


def checks(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Check]]:
    """Delivery -> what its rules came to, by rule id."""
    found: defaultdict[int, list[Check]] = defaultdict(list)
    for delivery_id, *rest in _rows(connection, _CHECKS, (list(delivery_ids),)):
        found[delivery_id].append(Check(*rest))
    return found


def findings(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Finding]]:
    """Delivery -> its first findings, in the order of its rows."""
    found: defaultdict[int, list[Finding]] = defaultdict(list)
    for delivery_id, *rest in _rows(connection, _FINDINGS, (list(delivery_ids), FINDINGS_LISTED)):
        found[delivery_id].append(Finding(*rest))
    return found


def to_answer(connection: Connection, delivery_id: int, rule_ids: Sequence[str]) -> tuple[int, int]:
    """How many records of a delivery have a finding of these rules that is open, and how many a new one."""
    ((records, newly),) = _rows(connection, _TO_ANSWER, (delivery_id, list(rule_ids)))
    return records, newly


def waived(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Waived]]:
    """Delivery -> what is waived of it now, by rule and waiver."""
    found: defaultdict[int, list[Waived]] = defaultdict(list)
    for delivery_id, *rest in _rows(connection, _WAIVED, (list(delivery_ids),)):
        found[delivery_id].append(Waived(*rest))
    return found


def answered(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Answered]]:
    """Delivery -> what its sender answered: to it, and to earlier ones where that is still of interest."""
    found: defaultdict[int, list[Answered]] = defaultdict(list)
    for delivery_id, *rest in _rows(connection, _ANSWERED, (list(delivery_ids), LINES_LISTED * len(delivery_ids))):
        found[delivery_id].append(Answered(*rest))
    return found


def mended(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Mended]]:
    """Delivery -> the findings of earlier deliveries that it closed."""
    found: defaultdict[int, list[Mended]] = defaultdict(list)
    for delivery_id, *rest in _rows(connection, _MENDED, (list(delivery_ids), FINDINGS_LISTED)):
        found[delivery_id].append(Mended(*rest))
    return found


def unread(connection: Connection, delivery_ids: Collection[int]) -> Mapping[int, list[Unread]]:
    """Delivery -> the first lines that could not be read."""
    found: defaultdict[int, list[Unread]] = defaultdict(list)
    for delivery_id, *rest in _rows(connection, _UNREAD, (list(delivery_ids), LINES_LISTED * len(delivery_ids))):
        if len(found[delivery_id]) < LINES_LISTED:
            found[delivery_id].append(Unread(*rest))
    return found


def references(connection: Connection, delivery: Delivery, reference_property: str) -> Mapping[int, str]:
    """Record -> the sender's own reference, where it looks like one: what else stands there may name a child."""
    statement = sql.SQL(
        "select _record_no, {} from raw.{} where _delivery_id = %s and _received_at = %s order by 1"
    ).format(sql.Identifier(reference_property), sql.Identifier(delivery.feed))
    with connection.cursor() as cursor:
        cursor.execute(statement, (delivery.delivery_id, delivery.received_at))
        return {record_no: said for record_no, said in cursor if said and REFERENCE.fullmatch(said)}


def _rows(connection: Connection, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
    cursor: Cursor
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
