"""Waivers: what a sender need not be told of for a while. They touch the telling and nothing else.

    grant      write one, and silence what it covers already
    apply      mark what was just judged: a finding under a living waiver is `waived`
    lapse      what expired or was ended: its findings come back as `persisting`
    end, list  as they say

A waiver is of one record, of one rule, or of a whole feed of an agency. What is critical is waived record by record
only: somebody has looked at that one. Triage, indicators, verdict and check results never ask whether a finding is
waived. Every function works in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from frontdoor import clock
from frontdoor.quality.reading.run import zone_of
from frontdoor.quality.rules import critical_by_agreement

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from frontdoor.contract import House

_COLUMNS = (
    "waiver_id, agency_code, feed, rule_id, delivery_id, record_no, record_key, reason, approved_by_role,"
    " granted_at, expires_at, ended_at, lapsed_at"
)

# The narrowest living waiver of each open finding; {which}: which findings and waivers are asked about.
_COVERED = """
    select distinct on (findings.delivery_id, findings.record_no, findings.rule_id)
        findings.delivery_id, findings.record_no, findings.rule_id, waivers.waiver_id
    from quality.waivers as waivers
    inner join intake.deliveries as deliveries
        on waivers.agency_code = deliveries.agency_code and waivers.feed = deliveries.feed
    inner join quality.findings as findings on deliveries.delivery_id = findings.delivery_id
    left join quality.checks as checks
        on findings.rule_id = checks.rule_id and findings.contract_version = checks.contract_version
    where
        {which}
        and findings.resolved_at is null
        and waivers.lapsed_at is null and waivers.ended_at is null
        and waivers.granted_at <= %(now)s and waivers.expires_at > %(now)s
        and (waivers.rule_id is null or waivers.rule_id = findings.rule_id)
        and (
            (waivers.delivery_id = findings.delivery_id and waivers.record_no = findings.record_no)
            or waivers.record_key = findings.record_key
            or (
                waivers.delivery_id is null
                and checks.severity is distinct from 'critical'
                and not (findings.delivery_id, findings.rule_id) in (
                    select * from unnest(%(graver_in)s::bigint[], %(graver)s::text[])
                )
            )
        )
    order by
        findings.delivery_id, findings.record_no, findings.rule_id,
        waivers.delivery_id is null, waivers.rule_id is null, waivers.expires_at desc, waivers.waiver_id
"""

_WAIVE = f"""
    update quality.findings as findings
    set state = 'waived', waiver_id = covered.waiver_id
    from ({_COVERED}) as covered
    where
        findings.delivery_id = covered.delivery_id and findings.record_no = covered.record_no
        and findings.rule_id = covered.rule_id
"""


@dataclass(frozen=True)
class Waiver:
    """One waiver. ``rule_id`` None: every rule that is not critical; ``delivery_id`` None: every record."""

    waiver_id: int
    agency_code: str
    feed: str
    rule_id: str | None
    delivery_id: int | None
    record_no: int | None
    record_key: str | None
    reason: str
    approved_by_role: str
    granted_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    lapsed_at: datetime | None

    def state(self, at: datetime) -> str:
        """`living`, `ended` or `expired` at an instant."""
        if self.ended_at is not None:
            return "ended"
        return "living" if at < self.expires_at else "expired"


def grant(
    cursor: Cursor,
    *,
    agency: str,
    feed: str,
    rule_id: str | None,
    record: tuple[int, int] | None,
    record_key: str | None,
    reason: str,
    approved_by_role: str,
    expires_at: datetime,
    graver: Collection[tuple[int, str]] = (),
) -> tuple[int, int]:
    """Write a waiver and silence what it covers; return its id and how many open findings it silences.

    ``record``: (delivery, record number). ``graver``: see `apply`.
    """
    now = clock.now()
    cursor.execute(
        """
        insert into quality.waivers (
            agency_code, feed, rule_id, delivery_id, record_no, record_key, reason, approved_by_role,
            granted_at, expires_at
        ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning waiver_id
        """,
        (agency, feed, rule_id, *(record or (None, None)), record_key, reason, approved_by_role, now, expires_at),
    )
    ((waiver_id,),) = cursor.fetchall()
    which = "waivers.waiver_id = %(waiver_id)s and findings.state in ('new', 'persisting')"
    cursor.execute(_WAIVE.replace("{which}", which), {"waiver_id": waiver_id, "now": now, **_pairs(graver)})
    return waiver_id, cursor.rowcount


def apply(cursor: Cursor, delivery_ids: Collection[int], graver: Collection[tuple[int, str]] = ()) -> int:
    """Mark what was found in these deliveries and is under a living waiver; return how many findings.

    ``graver``: (delivery, rule) that is critical by what was agreed with the sender, whatever the contract says.
    Costs one look into a small table where nobody of these senders has a waiver.
    """
    now = clock.now()
    cursor.execute(
        """
        select exists (
            select from quality.waivers as waivers
            inner join intake.deliveries as deliveries
                on waivers.agency_code = deliveries.agency_code and waivers.feed = deliveries.feed
            where deliveries.delivery_id = any(%s) and waivers.lapsed_at is null and waivers.expires_at > %s
        )
        """,
        (list(delivery_ids), now),
    )
    if cursor.fetchone() != (True,):
        return 0
    which = "deliveries.delivery_id = any(%(ids)s) and findings.state in ('new', 'persisting')"
    cursor.execute(_WAIVE.replace("{which}", which), {"ids": list(delivery_ids), "now": now, **_pairs(graver)})
    return cursor.rowcount


def due(cursor: Cursor) -> list[Waiver]:
    """The waivers that expired or were ended, and whose findings have not come back yet."""
    return _select(
        cursor, "where lapsed_at is null and (expires_at <= %(now)s or ended_at is not null)", {"now": clock.now()}
    )


def lapse(cursor: Cursor, waiver_id: int, graver: Collection[tuple[int, str]] = ()) -> bool:
    """Bring back what a waiver silenced, but for what another living one covers; False: somebody else did it."""
    now = clock.now()
    cursor.execute(
        "update quality.waivers set lapsed_at = %s where waiver_id = %s and lapsed_at is null", (now, waiver_id)
    )
    if not cursor.rowcount:
        return False
    which = "findings.waiver_id = %(waiver_id)s and findings.state = 'waived'"
    cursor.execute(_WAIVE.replace("{which}", which), {"waiver_id": waiver_id, "now": now, **_pairs(graver)})
    cursor.execute(
        "update quality.findings set state = 'persisting' where waiver_id = %s and state = 'waived'", (waiver_id,)
    )
    return True


def end(cursor: Cursor, waiver_id: int) -> bool:
    """End a living waiver now; False where it had expired or ended already."""
    now = clock.now()
    cursor.execute(
        "update quality.waivers set ended_at = %(now)s"
        " where waiver_id = %(id)s and ended_at is null and lapsed_at is null and expires_at > %(now)s",
        {"now": now, "id": waiver_id},
    )
    return bool(cursor.rowcount)


def known(cursor: Cursor, *, agency: str | None = None, waiver_id: int | None = None) -> list[Waiver]:
    """All waivers that were ever granted, of one agency or of all, in the order of granting; or the one of that id."""
    return _select(
        cursor,
        "where agency_code = coalesce(%(agency)s, agency_code) and waiver_id = coalesce(%(id)s, waiver_id)",
        {"agency": agency, "id": waiver_id},
    )


def open_findings(cursor: Cursor, waivers: Iterable[Waiver]) -> dict[int, int]:
    """Waiver -> how many open findings it silences now."""
    cursor.execute(
        "select waiver_id, count(*) from quality.findings where waiver_id = any(%s) and state = 'waived' group by 1",
        ([each.waiver_id for each in waivers],),
    )
    return dict(cursor.fetchall())


def graver_rules(cursor: Cursor, house: House, agency: str, feed: str) -> list[tuple[int, str]]:
    """(delivery, rule) of everything this agency ever sent by this feed, as `apply` wants it; mostly nothing."""
    if feed not in house.feeds or not any(
        "critical" in agreed.tightened.values()
        for agreed in house.agency_feeds
        if (agreed.agency, agreed.feed) == (agency, feed)
    ):
        return []
    cursor.execute(
        "select delivery_id, source, received_at from intake.deliveries where agency_code = %s and feed = %s",
        (agency, feed),
    )
    contract = house.feeds[feed]
    sent = [
        (delivery_id, agency, source, at.astimezone(ZoneInfo(zone_of(house, contract, agency, source))).date())
        for delivery_id, source, at in cursor.fetchall()
    ]
    return critical_by_agreement(house, contract, sent)


def _select(cursor: Cursor, where: str, parameters: dict[str, object]) -> list[Waiver]:
    cursor.execute(f"select {_COLUMNS} from quality.waivers {where} order by waiver_id", parameters)
    return [Waiver(*row) for row in cursor]


def _pairs(graver: Collection[tuple[int, str]]) -> dict[str, list[object]]:
    return {"graver_in": [each for each, _ in graver], "graver": [rule_id for _, rule_id in graver]}
