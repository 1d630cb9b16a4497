"""What a delivery is told: a result per rule, the verdict, and the state `checked`. In the caller's transaction."""

from collections.abc import Mapping, Sequence

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from frontdoor import clock
from frontdoor.contract import Feed, House
from frontdoor.quality.rules import Delivery, applies_to

# (rule, delivery) -> (checked, failed); None: the rule was not run.
Results = Mapping[tuple[str, int], tuple[int, int] | None]
# Rule of the file whose finding means that a record was not read as it was sent.
REPLACED_BYTES = "FIL-009"


def write(cursor: Cursor, house: House, feed: Feed, deliveries: Sequence[Delivery], results: Results) -> None:
    """One row per delivery and rule. A rule that met no record is not applicable: nothing passed."""
    of_files = _file_findings(cursor, house, deliveries)
    rows = []
    for delivery in deliveries:
        for rule in feed.rules:
            if not applies_to(house, rule, delivery):
                rows.append((delivery.delivery_id, rule.rule_id, "not_applicable", 0, 0))
                continue
            counts = results.get((rule.rule_id, delivery.delivery_id))
            rows.append((delivery.delivery_id, rule.rule_id, _status(counts), *(counts or (0, 0))))
        for rule in house.file_rules:
            failed, is_of_records = of_files.get((delivery.delivery_id, rule.rule_id), (0, False))
            checked = delivery.records_loaded + delivery.records_dead if is_of_records else 1
            rows.append(
                (delivery.delivery_id, rule.rule_id, "fail" if failed else "pass", max(checked, failed), failed)
            )
    execute_values(
        cursor,
        "insert into quality.check_results (delivery_id, rule_id, status, checked_count, failed_count) values %s",
        rows,
        page_size=1000,
    )
    _count_the_erased(cursor, deliveries)


def _count_the_erased(cursor: Cursor, deliveries: Sequence[Delivery]) -> None:
    """Count what was found in records that were erased since: a delivery judged again is no better without them."""
    cursor.execute(
        """
        update quality.check_results as results
        set
            status = case when results.status = 'not_run' then results.status else 'fail' end,
            checked_count = results.checked_count + erased.failed,
            failed_count = results.failed_count + erased.failed
        from (
            select findings.delivery_id, findings.rule_id, count(*) as failed
            from quality.findings
            inner join intake.tombstones
                on findings.delivery_id = tombstones.delivery_id and findings.record_no = tombstones.record_no
            where findings.delivery_id = any(%s) and findings.rule_id not like 'FIL-%%'
            group by findings.delivery_id, findings.rule_id
        ) as erased
        where
            results.delivery_id = erased.delivery_id and results.rule_id = erased.rule_id
            and results.status <> 'not_run'
        """,
        ([each.delivery_id for each in deliveries],),
    )


def conclude(cursor: Cursor, delivery_ids: Sequence[int], left_out: Sequence[str] = ()) -> None:
    """Verdict, state and event. What was not checked cannot be called accepted without findings.

    ``left_out``: rules that could not be asked in full here, and so say nothing by not having run.
    """
    cursor.execute(
        """
        with before as (
            select delivery_id, status from intake.deliveries where delivery_id = any(%(ids)s) for update
        ), concluded as (
            update intake.deliveries
            set
                status = 'checked',
                checked_at = %(at)s,
                verdict = case
                    when coalesce(records_dead, 0) > 0 and coalesce(records_loaded, 0) = 0 then 'unreadable'
                    when coalesce(records_dead, 0) > 0 or exists (
                        select from quality.findings
                        where findings.delivery_id = deliveries.delivery_id and findings.rule_id = %(replaced)s
                    ) then 'partly_read'
                    when exists (
                        select from quality.findings where findings.delivery_id = deliveries.delivery_id
                    ) or exists (
                        select from quality.check_results
                        where
                            check_results.delivery_id = deliveries.delivery_id and check_results.status = 'not_run'
                            and check_results.rule_id <> all(%(left_out)s::text[])
                    ) then 'accepted_with_findings'
                    else 'accepted'
                end
            from before
            where deliveries.delivery_id = before.delivery_id
            returning deliveries.delivery_id, before.status as status_from
        )
        insert into intake.delivery_events (delivery_id, status_from, status_to, at)
        select delivery_id, status_from, 'checked', %(at)s from concluded
        """,
        {"ids": list(delivery_ids), "at": clock.now(), "replaced": REPLACED_BYTES, "left_out": list(left_out)},
    )


def _status(counts: tuple[int, int] | None) -> str:
    if counts is None:
        return "not_run"
    checked, failed = counts
    return "fail" if failed else "pass" if checked else "not_applicable"


def _file_findings(
    cursor: Cursor, house: House, deliveries: Sequence[Delivery]
) -> dict[tuple[int, str], tuple[int, bool]]:
    cursor.execute(
        "select delivery_id, rule_id, count(*), bool_or(record_no > 0) from quality.findings"
        " where delivery_id = any(%s) and rule_id = any(%s) group by delivery_id, rule_id",
        ([each.delivery_id for each in deliveries], [rule.rule_id for rule in house.file_rules]),
    )
    return {(delivery_id, rule_id): (failed, of_records) for delivery_id, rule_id, failed, of_records in cursor}
