"""Write findings: one row per record and rule, from table to table, in one scan for all record rules of a batch.

Every function works in the caller's transaction and says how many rows it wrote per rule and delivery, so that the
number can be held against what Great Expectations counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from psycopg2.extensions import cursor as Cursor

from frontdoor import clock, reference
from frontdoor.contract import Feed
from frontdoor.quality.engine import batch_query
from frontdoor.quality.reading.labels import identifier, literal
from frontdoor.quality.rules import RECORD_RULE, Check

Written = dict[tuple[str, int], int]
COLUMNS = "(delivery_id, record_no, record_key, rule_id, contract_version, state, found_at)"
ANALYZED_FROM_FINDINGS = 2_000


def clear(cursor: Cursor, feed: Feed, delivery_ids: Sequence[int]) -> None:
    """Take away what an earlier judging of these deliveries found; what their files' readers found stays.

    So does what was found in records that were erased since: nobody can judge them again, and they were as wrong.
    """
    rules = [rule.rule_id for rule in feed.rules]
    cursor.execute(
        """
        delete from quality.findings
        where
            delivery_id = any(%s) and rule_id = any(%s)
            and not exists (
                select from intake.tombstones
                where tombstones.delivery_id = findings.delivery_id and tombstones.record_no = findings.record_no
            )
        """,
        (list(delivery_ids), rules),
    )
    cursor.execute("delete from quality.check_results where delivery_id = any(%s)", (list(delivery_ids),))


def write_records(cursor: Cursor, feed: Feed, records: str, checks: Sequence[Check]) -> Written:
    """Findings of record rules, in one scan. (rule, delivery) -> rows written."""
    return _insert(cursor, feed, records_query(records, checks)) if checks else {}


def write_rows(cursor: Cursor, feed: Feed, records: str, check: Check) -> Written:
    """Findings of one rule over several records. (rule, delivery) -> rows written.

    Record 0 is the delivery as a whole, for what no record of it can carry.
    """
    return _insert(cursor, feed, rows_query(records, check))


def records_query(records: str, checks: Sequence[Check]) -> str:
    """SQL of (_delivery_id, _record_no, record_key, rule_id): which of the records break which record rule."""
    broken = ", ".join(
        f"case when ({check.applies}) and ({check.fails}) then {literal(check.rule.rule_id)} end" for check in checks
    )
    return f"""
        select _delivery_id, _record_no, record_key, unnest(broken) as rule_id
        from (
            select _delivery_id, _record_no, record_key, array_remove(array[{broken}], null) as broken
            from ({records}) as records
            offset 0
        ) as judged
        where cardinality(broken) > 0
        """


def rows_query(records: str, check: Check) -> str:
    """The same of one rule over several records."""
    query = batch_query(check.rows, check.applies).replace("{batch}", f"({records})")
    return f"""
        select found._delivery_id, found._record_no, records.record_key, {literal(check.rule.rule_id)} as rule_id
        from ({query}) as found
        left join ({records}) as records
            on found._delivery_id = records._delivery_id and found._record_no = records._record_no
        where found._record_no = 0 or records._record_no is not null
        """


def let_the_planner_know(cursor: Cursor, written: int) -> None:
    """Analyze the findings when so many were just written that the planner's old picture of them misleads it.

    A planner that believed the table empty joined 140,000 findings to themselves row by row: not done in 14 minutes.
    """
    if written >= ANALYZED_FROM_FINDINGS:
        cursor.execute("analyze quality.findings (delivery_id, record_no, record_key, rule_id, state, resolved_at)")


def mark_persisting(cursor: Cursor, delivery_ids: Sequence[int]) -> None:
    """A finding that an earlier delivery of the same record has too, still open, is not new."""
    cursor.execute(
        """
        update quality.findings as findings set state = 'persisting'
        from quality.findings as earlier
        where
            findings.delivery_id = any(%(ids)s) and findings.state = 'new'
            and earlier.record_key = findings.record_key and earlier.rule_id = findings.rule_id
            and earlier.delivery_id < findings.delivery_id and earlier.resolved_at is null
        """,
        {"ids": list(delivery_ids)},
    )


def resolve(cursor: Cursor, feed: Feed, records: str, delivery_ids: Sequence[int]) -> None:
    """Close earlier findings of records that came again and keep the rule now.

    Only by a record that surely is the same: a key of its own, once in its delivery, and without a finding that says
    the key was used twice. Only by a rule that was run, and that asks something of the later record: a question that
    was taken away is no answer. A withdrawal answers nothing; where it is sure, it closes what is not critical as
    `derived`: nobody can mend it any more. `us`: the later delivery is judged again, so that nothing new was sent.
    """
    cursor.execute(
        """
        select exists (
            select from quality.findings as findings
            inner join intake.deliveries as deliveries on findings.delivery_id = deliveries.delivery_id
            where
                findings.resolved_at is null and findings.record_key is not null and deliveries.feed = %(feed)s
                and deliveries.agency_code in (
                    select agency_code from intake.deliveries where delivery_id = any(%(ids)s)
                )
                and findings.delivery_id < %(last)s
        )
        """,
        {"feed": feed.code, "ids": list(delivery_ids), "last": max(delivery_ids)},
    )
    if not (cursor.fetchone() or (False,))[0]:
        return
    # A hint (info) that two notices may be one does not say that a key was used twice.
    doubtful = [rule.rule_id for rule in feed.rules if rule.dimension == "uniqueness" and rule.severity != "info"]
    of_records = [rule.rule_id for rule in feed.rules if rule.expectation_type == RECORD_RULE]
    applying = _applying(cursor, feed, delivery_ids)
    cursor.execute(
        f"""
        with again as (
            select
                record_key, _delivery_id as delivery_id, bool_or({_withdrawing(feed)}) as is_withdrawal,
                bool_and({_surely_withdrawn(feed)}) as is_surely_withdrawn,
                array_agg(array[{", ".join([*applying, "null"])}]::text[]) as applying
            from ({records}) as records
            where has_own_key
            group by record_key, _delivery_id
            having count(*) = 1
        ), kept as (
            select distinct on (earlier.delivery_id, earlier.record_no, earlier.rule_id)
                earlier.delivery_id, earlier.record_no, earlier.rule_id, again.delivery_id as resolved_by_delivery_id,
                case
                    when again.is_surely_withdrawn then 'derived'
                    when exists (
                        select from intake.delivery_events as events
                        where events.delivery_id = again.delivery_id and events.status_from = 'published'
                    ) then 'us'
                    else 'sender'
                end as resolved_by
            from again
            inner join quality.findings as earlier
                on again.record_key = earlier.record_key and again.delivery_id > earlier.delivery_id
            left join quality.check_results as results
                on again.delivery_id = results.delivery_id and earlier.rule_id = results.rule_id
            left join quality.checks as checks
                on earlier.rule_id = checks.rule_id and earlier.contract_version = checks.contract_version
            where
                earlier.resolved_at is null
                and case
                    when again.is_surely_withdrawn then checks.severity in ('warning', 'info')
                    else
                        not again.is_withdrawal
                        and results.status in ('pass', 'fail')
                        and (earlier.rule_id not in ({_listed(of_records)}) or earlier.rule_id = any(again.applying))
                end
                and not exists (
                    select from quality.findings as now
                    where
                        now.delivery_id = again.delivery_id and now.record_key = again.record_key
                        and (
                            (now.rule_id = earlier.rule_id and not again.is_surely_withdrawn)
                            or now.rule_id in ({_listed(doubtful)})
                        )
                )
            order by earlier.delivery_id, earlier.record_no, earlier.rule_id, again.delivery_id
        )
        update quality.findings as findings
        set
            state = 'resolved',
            resolved_at = {literal(clock.now().isoformat())},
            resolved_by = kept.resolved_by,
            resolved_by_delivery_id = kept.resolved_by_delivery_id
        from kept
        where
            findings.delivery_id = kept.delivery_id and findings.record_no = kept.record_no
            and findings.rule_id = kept.rule_id
        """
    )


def _applying(cursor: Cursor, feed: Feed, delivery_ids: Sequence[int]) -> list[str]:
    """SQL of each record rule that was run: its id where it applies to the record. A rule that raised is left out."""
    cursor.execute(
        """
        select results.rule_id, deliveries.delivery_id, deliveries.received_at
        from quality.check_results as results
        inner join intake.deliveries as deliveries on results.delivery_id = deliveries.delivery_id
        where results.delivery_id = any(%s) and results.status in ('pass', 'fail')
        order by results.rule_id, deliveries.delivery_id
        """,
        (list(delivery_ids),),
    )
    rules = {rule.rule_id: rule for rule in feed.rules if rule.expectation_type == RECORD_RULE}
    zone = ZoneInfo(feed.timezone)
    run: dict[tuple[str, str], list[int]] = {}
    written: dict[tuple[str, date], str] = {}
    for rule_id, delivery_id, received_at in cursor.fetchall():
        if rule_id not in rules:
            continue
        on = received_at.astimezone(zone).date()
        if (rule_id, on) not in written:
            written[rule_id, on] = reference.expand(str(rules[rule_id].expectation.get("applies_when", "true")), on)
        run.setdefault((rule_id, written[rule_id, on]), []).append(delivery_id)
    return [
        f"case when _delivery_id in ({', '.join(map(str, ran))})"
        f" then case when ({applies}) then {literal(rule_id)} end end"
        for (rule_id, applies), ran in run.items()
    ]


def _withdrawing(feed: Feed) -> str:
    """SQL: whether a record withdraws what was told; what could not be read may."""
    names = {each.name for each in feed.properties}
    said = ["false"]
    if "record_action" in names:
        said.append("coalesce(record_action = 'withdraw', false) or record_action_state in ('unmapped', 'unparsed')")
    if "withdrawn_reason" in names:
        said.append("withdrawn_reason_state <> 'missing'")
    return " or ".join(said)


def _surely_withdrawn(feed: Feed) -> str:
    """SQL: whether a record says, readably and in no two ways, that what was told is withdrawn."""
    names = {each.name for each in feed.properties}
    said = ["false"]
    if "record_action" in names:
        said.append("(record_action_state = 'ok' and record_action = 'withdraw')")
    if "withdrawn_reason" in names:
        said.append("withdrawn_reason_state = 'ok'")
    return f"coalesce({' or '.join(said)}, false)"


def totals(written: Mapping[tuple[str, int], int], rule_id: str, delivery_ids: Iterable[int]) -> int:
    """Rows written of one rule over deliveries."""
    return sum(written.get((rule_id, delivery_id), 0) for delivery_id in delivery_ids)


def _insert(cursor: Cursor, feed: Feed, query: str) -> Written:
    cursor.execute(
        f"""
        with written as (
            insert into quality.findings {COLUMNS}
            select _delivery_id, _record_no, record_key, rule_id, {literal(feed.version)}, 'new',
                {literal(clock.now().isoformat())}::timestamptz
            from ({query}) as found
            returning rule_id, delivery_id
        )
        select rule_id, delivery_id, count(*) from written group by rule_id, delivery_id
        """
    )
    return {(rule_id, delivery_id): rows for rule_id, delivery_id, rows in cursor}


def _listed(rule_ids: Sequence[str]) -> str:
    return ", ".join(literal(each) for each in rule_ids) or "null"


def records_of(feed: Feed, condition: str) -> str:
    """The SELECT over raw.<feed>_read that a batch is."""
    return f"select * from raw.{identifier(feed.code + '_read')} where {condition}"
