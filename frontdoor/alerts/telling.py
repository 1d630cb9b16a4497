"""From facts to what one role is told: which patterns, in which order, with which words and until when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from frontdoor.alerts import facts, wording
from frontdoor.alerts.deadline import repair_by
from frontdoor.alerts.digest import PATTERNS_SHOWN, Digest, Pattern, count_of, local, places
from frontdoor.alerts.routing import LIAISON
from frontdoor.contract.rows import Rows, rows_of

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House, Rule

_URGENCY = {"critical": 0, "warning": 1, "info": 2}
_HOUSE_ZONE = ZoneInfo("Europe/London")
_UNREAD_TO_DO = "put these lines right and send them again; if that takes time, ring the front door with what they say."
_DEAD_TO_DO = "send the file again as was agreed; if that takes time, ring the front door with what it says."
_STRANGER_TO_DO = (
    "read it, find out who sent it, and telephone the sender; then add the agency, or mend the folder it sends to."
)


def of_delivery(
    connection: Connection, house: House, delivery: facts.Delivery, role: str, its_rules: list[facts.Broken]
) -> Digest:
    """Return what a role is told of a delivery; the sender's liaison is told more than that records wait."""
    its_rules = [replace(broken, severity=_severity(house, delivery, broken)) for broken in its_rules]
    by_urgency = sorted(its_rules, key=lambda rule: (_URGENCY.get(rule.severity, 1), -rule.record_count, rule.rule_id))
    unread = delivery.unread if role == LIAISON else ()
    patterns = [_of_unread(found) for found in unread[:PATTERNS_SHOWN]]
    for broken in by_urgency[: PATTERNS_SHOWN - len(patterns)]:
        patterns.append(_of_rule(connection, house, delivery, broken, is_for_sender=role == LIAISON))
    more = len(unread) + len(by_urgency) - len(patterns)
    return (
        _for_sender(house, delivery, its_rules, patterns, more)
        if role == LIAISON
        else _for_us(house, delivery, role, patterns, more)
    )


def _for_sender(
    house: House, delivery: facts.Delivery, its_rules: list[facts.Broken], patterns: list[Pattern], more: int
) -> Digest:
    zone, name = zone_and_name(house, delivery.agency_code)
    quote = f"delivery {delivery.delivery_id}"
    entry = f", entry {delivery.entry_no} of your archive" if delivery.entry_no else ""
    received = count_of(delivery.records_in, "record").capitalize()
    waiting = delivery.to_answer.get(LIAISON, 0) + delivery.records_dead
    if waiting:
        need = f"{waiting:,} {_verb(waiting, 'needs', 'need')} an answer"
    else:
        is_file = any(not broken.record_nos and broken.severity != "info" for broken in its_rules)
        need = "the file needs an answer" if is_file else "none needs an answer"
    arrived = f"{received} received, {delivery.records_loaded:,} {_whereabouts(house, delivery.feed)}, {need}."
    if delivery.records_dead:
        arrived += f" {delivery.records_dead:,} could not be read and {_verb(delivery.records_dead, 'waits', 'wait')}"
        arrived += " for a person to read."
    return Digest(
        subject=f"Front door: {quote}: {received[:1].lower()}{received[1:]} received, {need}",
        greeting=f"To the liaison of {name}: this is what came of your {quote}"
        f" ({title_of(house, delivery.feed)}{entry}), received on {local(delivery.received_at, zone)}.",
        arrived=f"{arrived} No defect holds a record back.",
        patterns=patterns,
        more=more,
        quote=quote,
        zone=zone,
    )


def _for_us(house: House, delivery: facts.Delivery, role: str, patterns: list[Pattern], more: int) -> Digest:
    zone, name = zone_and_name(house, delivery.agency_code)
    quote = f"delivery {delivery.delivery_id}"
    waiting = delivery.to_answer.get(role, 0)
    records = count_of(waiting, "record")
    return Digest(
        subject=f"Front door: {quote}: {records} for your decision",
        greeting=f"To the {role.replace('_', ' ')}: {quote} ({title_of(house, delivery.feed)}) came from {name} on"
        f" {local(delivery.received_at, zone)}.",
        arrived=f"{records.capitalize()} of it {_verb(waiting, 'waits', 'wait')} for your decision."
        f" All that it holds is {_whereabouts(house, delivery.feed)}, marked.",
        patterns=patterns,
        more=more,
        quote=quote,
        zone=zone,
    )


def of_dead_file(house: House, file: facts.DeadFile) -> Digest:
    """Return what is told of a file that gave no records: to its liaison, or to ourselves if nobody else is known."""
    zone, name = zone_and_name(house, file.agency_code)
    quote = f"file {file.file_id}" if file.part_no is None else f"part {file.part_no} of file {file.file_id}"
    is_known = file.agency_code in house.agencies
    known_source = file.source in house.sources()
    pattern = Pattern(
        heading="Critical",
        title=file.reason,
        to_do=_DEAD_TO_DO if is_known else _STRANGER_TO_DO,
        count="the whole file" if file.part_no is None else "this part of the file",
        places="",
        due_at=file.due_at or file.received_at,
    )
    at = local(file.received_at, zone)
    what = f" ({file.source})" if is_known and known_source else ""
    return Digest(
        subject=f"Front door: {quote} could not be read: nothing of it is on the list",
        greeting=(
            f"To the liaison of {name}: this is what came of your {quote}{what}, received on {at}."
            if is_known
            else f"To the front door's data engineer: {quote} came on {at}."
        ),
        arrived=f"The {'file' if file.part_no is None else 'part'} is kept, but nothing of it is on the front door's"
        " list until a person has read it or it comes again.",
        patterns=[pattern],
        more=0,
        quote=quote,
        zone=zone,
    )


def _of_rule(
    connection: Connection, house: House, delivery: facts.Delivery, broken: facts.Broken, *, is_for_sender: bool
) -> Pattern:
    rule = rule_of(house, delivery.feed, broken.rule_id)
    about_file = not broken.record_nos
    rows = rows_of(house, delivery.source, delivery.reading) if is_for_sender else Rows("Records on the list", 0)
    return Pattern(
        heading=f"{broken.rule_id}, {broken.severity}",
        title=wording.title(rule.title if rule else None, broken.dimension),
        to_do=wording.to_do(broken.what_to_do, broken.severity, for_council=not is_for_sender),
        count="the file" if about_file else count_of(broken.record_count, "record"),
        places=places(rows.label, [record_no + rows.ahead for record_no in broken.record_nos], broken.record_count),
        due_at=repair_by(
            connection, house, delivery.feed, broken.severity, zone_and_name(house, delivery.agency_code)[0]
        ),
    )


def _of_unread(unread: facts.Unread) -> Pattern:
    return Pattern(
        heading="Critical",
        title=unread.reason,
        to_do=_UNREAD_TO_DO,
        count=count_of(unread.line_count, "record"),
        places=places("Lines of your file", unread.line_nos, unread.line_count),
        due_at=unread.due_at,
    )


def rule_of(house: House, feed: str, rule_id: str) -> Rule | None:
    """Return a rule of a feed or of the file."""
    of_feed = house.feeds[feed].rules if feed in house.feeds else ()
    return next((rule for rule in (*of_feed, *house.file_rules) if rule.rule_id == rule_id), None)


def _severity(house: House, delivery: facts.Delivery, broken: facts.Broken) -> str:
    """Return how grave the rule is for this sender: an agency file may tighten it."""
    on = delivery.received_at.astimezone(_HOUSE_ZONE).date()
    agreed = house.agency_feed(delivery.agency_code, delivery.source, delivery.feed, on)
    return agreed.tightened.get(broken.rule_id, broken.severity) if agreed else broken.severity


def title_of(house: House, feed: str) -> str:
    """Return what a feed is called."""
    return house.feeds[feed].title if feed in house.feeds else feed


def _whereabouts(house: House, feed: str) -> str:
    on_a_list = feed not in house.feeds or house.feeds[feed].worklist
    return "on the front door's list" if on_a_list else "in the front door's books"


def zone_and_name(house: House, agency_code: str) -> tuple[ZoneInfo, str]:
    """Return an agency's time zone and name."""
    agency = house.agencies.get(agency_code)
    return (ZoneInfo(agency.timezone), agency.name) if agency else (_HOUSE_ZONE, "an unknown sender")


def _verb(number: int, one: str, many: str) -> str:
    return one if number == 1 else many
