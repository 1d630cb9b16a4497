"""Which rule is put to which deliveries, and as what SQL on the day received.

Constants are dated rows, so deliveries of different days may meet different numbers: `plan` parts a batch into groups
within which every rule reads the same. Nearly always there is one group.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from frontdoor import reference
from frontdoor.contract import Feed, House, Rule

RECORD_RULE = "expect_records_to_keep_rule"
ROWS_RULE = "unexpected_rows_expectation"


@dataclass(frozen=True)
class Delivery:
    """What judging needs to know of a delivery."""

    delivery_id: int
    agency: str
    source: str
    on: date
    received_at: datetime
    records_loaded: int
    records_dead: int


@dataclass(frozen=True)
class Check:
    """One rule, written out as SQL, and the deliveries that it is put to.

    A record rule has `applies` and `fails`; a rule over several records has `rows`, a query with `{batch}` that yields
    _delivery_id and _record_no.
    """

    rule: Rule
    delivery_ids: tuple[int, ...]
    applies: str = "true"
    fails: str = ""
    rows: str = ""


@dataclass(frozen=True)
class Group:
    """Deliveries judged together. `unwritten`: rules that cannot be written out, for a constant that is not there."""

    deliveries: tuple[Delivery, ...]
    checks: tuple[Check, ...]
    unwritten: tuple[str, ...]

    @property
    def delivery_ids(self) -> tuple[int, ...]:
        """The ids, in order."""
        return tuple(each.delivery_id for each in self.deliveries)


def plan(house: House, feed: Feed, deliveries: Sequence[Delivery]) -> Iterator[Group]:
    """Part a batch into groups of equal constants, and say which rules each delivery meets."""
    days: dict[tuple[str, ...], list[date]] = {}
    for on in sorted({each.on for each in deliveries}):
        days.setdefault(tuple(_written_out(rule, on) or "" for rule in feed.rules), []).append(on)
    for alike in days.values():
        yield _group(house, feed, [each for each in deliveries if each.on in alike], alike[0])


def applies_to(house: House, rule: Rule, delivery: Delivery) -> bool:
    """Whether a rule is put to a delivery: its sender, source and mode, and not waived for them on that day."""
    agreed = house.agency_feed(delivery.agency, delivery.source, rule.feed, delivery.on)
    if agreed is not None and rule.rule_id in agreed.waived_rules:
        return False
    agency = house.agencies.get(delivery.agency)
    mode = agreed.delivery_mode if agreed is not None else house.feeds[rule.feed].delivery_mode
    return agency is None or rule.applies(agency, delivery.source, mode)


def critical_by_agreement(
    house: House, feed: Feed, deliveries: Sequence[tuple[int, str, str, date]]
) -> list[tuple[int, str]]:
    """(delivery, rule) of the rules that a sender agreed to have as critical; given (delivery, agency, source, day)."""
    return [
        (delivery_id, rule_id)
        for delivery_id, agency, source, on in deliveries
        if (agreed := house.agency_feed(agency, source, feed.code, on)) is not None
        for rule_id, severity in agreed.tightened.items()
        if severity == "critical"
    ]


def _group(house: House, feed: Feed, deliveries: list[Delivery], on: date) -> Group:
    everybody = tuple(each.delivery_id for each in deliveries)
    checks, unwritten = [], []
    for rule in feed.rules:
        put_to = tuple(each.delivery_id for each in deliveries if applies_to(house, rule, each))
        if not put_to:
            continue
        if _written_out(rule, on) is None:
            unwritten.append(rule.rule_id)
            continue
        only = "" if put_to == everybody else f"_delivery_id in ({', '.join(map(str, put_to))})"
        checks.append(_check(rule, put_to, only, on))
    return Group(tuple(deliveries), tuple(checks), tuple(unwritten))


def _check(rule: Rule, put_to: tuple[int, ...], only: str, on: date) -> Check:
    sql = {name: reference.expand(text, on) for name, text in rule.expectation.items() if isinstance(text, str)}
    if rule.expectation_type == ROWS_RULE:
        rows = sql["unexpected_rows_query"]
        return Check(rule, put_to, applies=only or "true", rows=rows)
    applies = sql.get("applies_when", "true")
    return Check(rule, put_to, applies=f"{only} and ({applies})" if only else applies, fails=sql["fails_when"])


def _written_out(rule: Rule, on: date) -> str | None:
    """The rule's SQL on a day, to be compared; None for a constant that is not there or a check that we lack."""
    texts = [text for text in rule.expectation.values() if isinstance(text, str)]
    wanted = {RECORD_RULE: "fails_when", ROWS_RULE: "unexpected_rows_query"}.get(rule.expectation_type)
    if wanted is None or wanted not in rule.expectation:
        return None
    try:
        return "\x1f".join(reference.expand(text, on) for text in texts)
    except reference.UnknownConstant:
        return None
