"""No child falls through a broken model: what dbt did not list is listed from what was sent, by plain SQL.

After every run of dbt, whatever became of it, each claimed record of a work-list feed must be on worklists.triage:
itself, or (where the models know it as a repeat or as superseded) by a row of the same key. What is not is put there,
open, with its findings as defects. It is built from raw.<feed> alone, so it needs no model, no reading and no check
to have worked. The model of the list forgets such rows of its news, under whatever key, before it writes its own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from frontdoor import database

log = logging.getLogger(__name__)

# As worklists.triage of dbt_project/models declares it; dbt finds the table there and goes on with it.
TRIAGE = """
create table if not exists worklists.triage (
    record_key text not null,
    feed text not null,
    agency_code text not null,
    sender_reference text,
    child_key text,
    received_at timestamptz,
    is_open boolean,
    is_withdrawn boolean,
    defect_count integer,
    worst_severity text,
    defects jsonb,
    delivery_id bigint,
    record_no bigint
);
create unique index if not exists triage_by_record on worklists.triage (delivery_id, record_no);
create index if not exists triage_by_key on worklists.triage (record_key);
"""

# Looks for the few that are hidden first: their readings and findings are only then looked up.
RESCUE = """
with hidden as materialized (
    select sent.*
    from warehouse.build_slices as slices
    inner join intake.deliveries as deliveries on slices.delivery_id = deliveries.delivery_id
    cross join lateral (
        select records._agency_code, records._delivery_id, records._record_no, records._received_at
        from {raw} as records
        where
            records._delivery_id = slices.delivery_id
            and records._record_no between slices.record_from and slices.record_to
        offset 0
    ) as sent
    where
        slices.build_id = %(build_id)s
        and deliveries.feed = {feed_code}
        and not exists (
            select from worklists.triage as triage
            where triage.delivery_id = sent._delivery_id and triage.record_no = sent._record_no
        )
)

insert into worklists.triage (
    record_key, feed, agency_code, sender_reference, child_key, received_at, is_open, is_withdrawn,
    defect_count, worst_severity, defects, delivery_id, record_no
)
select
    coalesce(kept.record_key, format('%%s#%%s', hidden._delivery_id, hidden._record_no)),
    {feed_code},
    hidden._agency_code,
    kept.sender_reference,
    kept.child_key,
    hidden._received_at,
    true,
    false,
    defects.defect_count,
    defects.worst_severity,
    defects.defects,
    hidden._delivery_id,
    hidden._record_no
from hidden
left join lateral (
    select reading.record_key, reading.sender_reference, reading.child_key
    from {read} as reading
    where reading._delivery_id = hidden._delivery_id and reading._record_no = hidden._record_no
    limit 1
) as kept on true
cross join lateral (
    select
        count(*) as defect_count,
        (array['critical', 'warning', 'info'])[
            min(array_position(array['critical', 'warning', 'info'], checks.severity))
        ] as worst_severity,
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'rule_id', checks.rule_id, 'severity', checks.severity,
                    'sentence', checks.sentence, 'what_to_do', checks.what_to_do
                )
                order by checks.rule_id
            ),
            '[]'
        ) as defects
    from quality.findings as findings
    inner join quality.checks as checks
        on findings.rule_id = checks.rule_id and findings.contract_version = checks.contract_version
    where
        findings.delivery_id = hidden._delivery_id
        and findings.record_no = hidden._record_no
        and (findings.resolved_at is null or findings.resolved_by = 'derived')
) as defects
where {unlisted}
"""


@dataclass(frozen=True)
class Caught:
    """How many records the net listed, and the feeds for which it could not."""

    rescued_count: int = 0
    feeds_torn: frozenset[str] = frozenset()


def catch(cursor: Cursor, build_id: int, feeds: Collection[str], *, is_triage_built: bool) -> Caught:
    """List every claimed record of these feeds that the models did not list. The caller commits.

    `is_triage_built`: the model of the list succeeded, so a record whose key is listed may rightly be absent itself.
    """
    cursor.execute(TRIAGE)
    rescued, torn = 0, set()
    for feed in sorted(feeds):
        cursor.execute("savepoint one_feed")
        try:
            cursor.execute(_statement(cursor, feed, is_triage_built), {"build_id": build_id})
            rescued += cursor.rowcount
        except psycopg2.Error as error:
            # The records of other feeds must not go down with these; the build fails, and is tried again.
            cursor.execute("rollback to savepoint one_feed")
            torn.add(feed)
            log.error("the safety net could not list records of feed %s: %s", feed, database.safe_error(error))
        cursor.execute("release savepoint one_feed")
    return Caught(rescued, frozenset(torn))


def _statement(cursor: Cursor, feed: str, is_triage_built: bool) -> sql.Composed:
    versions = _version_tables(cursor) if is_triage_built else []
    unlisted: sql.Composable = sql.SQL("true")
    if versions:
        known = sql.SQL(" or ").join(
            sql.SQL(
                "exists (select from {table} as versions where versions.{delivery} = hidden._delivery_id"
                " and versions.{record} = hidden._record_no)"
            ).format(
                table=sql.Identifier("core", table), delivery=sql.Identifier(delivery), record=sql.Identifier(record)
            )
            for table, delivery, record in versions
        )
        unlisted = sql.SQL(
            "not (({known}) and exists (select from worklists.triage as same where same.record_key = kept.record_key))"
        ).format(known=known)
    return sql.SQL(RESCUE).format(
        feed_code=sql.Literal(feed),
        raw=sql.Identifier("raw", feed),
        read=sql.Identifier("raw", f"{feed}_read"),
        unlisted=unlisted,
    )


def _version_tables(cursor: Cursor) -> list[tuple[str, str, str]]:
    """Tables core.fct_*_version with the names of their two lineage columns."""
    cursor.execute(
        """
        select relations.relname, deliveries.attname, records.attname
        from pg_class as relations
        inner join pg_attribute as deliveries
            on relations.oid = deliveries.attrelid and deliveries.attname in ('_delivery_id', 'delivery_id')
        inner join pg_attribute as records
            on relations.oid = records.attrelid and records.attname in ('_record_no', 'record_no')
        where
            relations.relnamespace = 'core'::regnamespace
            and relations.relname like 'fct\\_%\\_version'
            and relations.relkind in ('r', 'p')
        """
    )
    return [tuple(row) for row in cursor.fetchall()]
