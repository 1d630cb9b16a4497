"""The one message when a waiver is over: what it silenced is back, and is to be mended after all.

The reason that a waiver was granted for stays in the house and in the receipt; a mail says ids, counts and rows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from frontdoor.alerts import digest, outbox, telling, wording
from frontdoor.alerts.deadline import repair_by
from frontdoor.alerts.facts import ROWS_SHOWN
from frontdoor.alerts.routing import LIAISON
from frontdoor.contract.rows import Rows, rows_of

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House

_URGENCY = ["critical", "warning", "info"]


@dataclass(frozen=True)
class _Back:
    """One rule whose findings are back: how many, of which deliveries, and the first few places."""

    rule_id: str
    severity: str
    dimension: str
    recipient_role: str
    what_to_do: str
    findings: int
    places: tuple[tuple[int, str, Any, int], ...]


_BACK = """
    with back as (
        select
            findings.delivery_id, findings.record_no, findings.rule_id, deliveries.source,
            coalesce(members.reading, '{}') as reading,
            coalesce(checks.severity, 'warning') as severity, coalesce(checks.score_dimension, '') as dimension,
            coalesce(checks.recipient_role, 'liaison') as recipient_role,
            coalesce(checks.what_to_do, '') as what_to_do,
            row_number() over (
                partition by findings.rule_id order by findings.delivery_id, findings.record_no
            ) as place
        from quality.findings as findings
        inner join intake.deliveries as deliveries using (delivery_id)
        left join intake.members as members using (file_id, member_no)
        left join quality.checks as checks
            on findings.rule_id = checks.rule_id and findings.contract_version = checks.contract_version
        where findings.waiver_id = %s and findings.state = 'persisting' and findings.resolved_at is null
    )
    select
        rule_id, min(severity), min(dimension), min(recipient_role), min(what_to_do), count(*),
        array_agg(delivery_id order by place) filter (where place <= %s),
        array_agg(source order by place) filter (where place <= %s),
        jsonb_agg(reading order by place) filter (where place <= %s),
        array_agg(record_no order by place) filter (where place <= %s)
    from back
    group by rule_id
    order by rule_id
"""


def tell_of_lapsed(connection: Connection, house: House, waiver_id: int) -> int:
    """Write into the outbox that a waiver is over; return how many messages. None where nothing of it is open.

    In the caller's transaction, after its findings came back.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select agency_code, feed, coalesce(ended_at, expires_at), ended_at is not null from quality.waivers"
            " where waiver_id = %s",
            (waiver_id,),
        )
        ((agency, feed, over_at, was_ended),) = cursor.fetchall()
        cursor.execute(_BACK, (waiver_id, *([ROWS_SHOWN] * 4)))
        by_role: defaultdict[str, list[_Back]] = defaultdict(list)
        for rule_id, severity, dimension, role, to_do, count, *places in cursor.fetchall():
            first = tuple(zip(*places, strict=True))
            by_role[role].append(_Back(rule_id, severity, dimension, role, to_do, count, first))
    return sum(
        outbox.put(
            connection,
            message_id=outbox.id_of("waiver", waiver_id, role),
            delivery_id=None,
            file_id=None,
            to=outbox.recipient(house, agency, role),
            text=_text(connection, house, (waiver_id, agency, feed, over_at, was_ended), role, backs),
        )
        for role, backs in sorted(by_role.items())
    )


def _text(
    connection: Connection, house: House, waiver: tuple[int, str, str, datetime, bool], role: str, backs: list[_Back]
) -> digest.Digest:
    waiver_id, agency, feed, over_at, was_ended = waiver
    zone, name = telling.zone_and_name(house, agency)
    count = digest.count_of(sum(each.findings for each in backs), "finding")
    first = sorted(backs, key=lambda each: (_URGENCY.index(each.severity), -each.findings, each.rule_id))
    is_for_sender = role == LIAISON
    who = f"liaison of {name}" if is_for_sender else role.replace("_", " ")
    patterns = [
        digest.Pattern(
            heading=f"{each.rule_id}, {each.severity}",
            title=wording.title(getattr(telling.rule_of(house, feed, each.rule_id), "title", None), each.dimension),
            to_do=wording.to_do(each.what_to_do, each.severity, for_council=not is_for_sender),
            count=digest.count_of(each.findings, "finding"),
            places=_places(house, each, is_for_sender=is_for_sender),
            due_at=repair_by(connection, house, feed, each.severity, zone),
        )
        for each in first[: digest.PATTERNS_SHOWN]
    ]
    return digest.Digest(
        subject=f"Front door: waiver {waiver_id} is over: {count} to answer",
        greeting=f"To the {who}: waiver {waiver_id} ({telling.title_of(house, feed)} of {name})"
        f" {'was ended' if was_ended else 'expired'} on {digest.local(over_at, zone)}.",
        arrived=f"{count} that it kept quiet {'is' if count.startswith('1 ') else 'are'} still open, and you are told"
        " of them now, once. No defect held a record back, waived or not.",
        patterns=patterns,
        more=len(first) - len(patterns),
        quote=f"waiver {waiver_id}",
        zone=zone,
    )


def _places(house: House, back: _Back, *, is_for_sender: bool) -> str:
    """Return "Delivery 12, rows of your file: 3, 4. Delivery 14, rows of your file: 9." and how many more."""
    by_delivery: defaultdict[int, list[int]] = defaultdict(list)
    labels: dict[int, str] = {}
    for delivery_id, source, reading, record_no in back.places:
        rows = rows_of(house, source, reading) if is_for_sender else Rows("records on the list", 0)
        labels[delivery_id] = rows.label
        if record_no:
            by_delivery[delivery_id].append(record_no + rows.ahead)
        else:
            by_delivery[delivery_id]  # the file as a whole
    said = [
        f"Delivery {delivery_id}, {labels[delivery_id][:1].lower()}{labels[delivery_id][1:]}:"
        f" {', '.join(map(str, numbers))}."
        if numbers
        else f"Delivery {delivery_id}, the file."
        for delivery_id, numbers in by_delivery.items()
    ]
    more = back.findings - len(back.places)
    return " ".join([*said, *([f"And {more:,} more."] if more else [])])
