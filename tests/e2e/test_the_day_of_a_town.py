"""The files of a town's last day land on the running platform: its lists and letters are those that the truth foretells.

Mend: frontdoor/simulator/town if the truth is wrong, else follow the delivery as in test_a_file_lands.py.
The last of this folder, by its name: it lands the council's whole list, which any other list of visits would then lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from frontdoor.contract import load_house
from frontdoor.simulator.defects import RECORD
from frontdoor.simulator.town import scenario
from frontdoor.simulator.town.post import COUNCIL
from frontdoor.simulator.town.sending import Sending
from frontdoor.simulator.town.sent import SentFile
from frontdoor.simulator.town.spoiling import GROUPS, Spoiling
from frontdoor.simulator.town.town import Town
from tests.live import Live

CHILDREN, SEED, DAYS = 40_000, 11, 15


@dataclass
class LastDay:
    """The last file of each sender, the town that it is of, and the sha256 under which each landed."""

    town: Town
    files: dict[str, SentFile]
    landed: dict[str, str]
    today: date


@pytest.fixture(scope="module")
def last_day(live: Live) -> Iterator[LastDay]:
    """Every sender's last file of a town whose last day was yesterday, landed and built."""
    today = datetime.now(ZoneInfo("Europe/London")).date()
    # Only the last files land, so no defect may hang on an earlier one.
    defects = {name: 0.04 for name in GROUPS["records"] if not RECORD[name].is_apart}
    days = today - timedelta(days=DAYS), today - timedelta(days=1)
    town = Town(scenario.load("steady"), *days, CHILDREN, SEED, Spoiling(load_house(), SEED, defects))
    sending = Sending(load_house(), town)
    files = {sent.agency: sent for day in town.days() for sent in sending.of_day(day)}
    landed = {each.agency: live.land(each.agency, each.feed, each.content, each.name) for each in files.values()}

    def built() -> bool:
        query = (
            "select count(*) from intake.deliveries join intake.files using (file_id) where sha256_received = any(%s)"
        )
        return live.rows(query + " and built_in is not null", ([*landed.values()],)) == [(len(landed),)]

    live.wait_until(built, 120, "every sender's file to be built")
    yield LastDay(town, files, landed, today)


def test_the_list_names_what_is_wrong_with_each_record_and_nothing_else(live: Live, last_day: LastDay) -> None:
    foretold = 0
    for agency, sent in last_day.files.items():
        listed = live.rows(
            "select record_no, sender_reference, defects from worklists.triage join intake.deliveries using (delivery_id)"
            " join intake.files using (file_id) where sha256_received = %s",
            (last_day.landed[agency],),
        )
        told = {(no, reference): {each["rule_id"] for each in defects} for no, reference, defects in listed}
        true = {(each.record_no, each.reference): {rule for _, rule in each.defects if rule} for each in sent.told}
        if agency != COUNCIL:
            assert told == true, agency
            foretold += sum(map(len, true.values()))
    assert foretold > 3, "a day on which nothing is wrong shows nothing"


def test_children_whom_nobody_saw_in_time_are_on_the_list(live: Live, last_day: LastDay) -> None:
    visiting, list_of = last_day.town.visiting, last_day.files[COUNCIL].landed_at.date()
    known_before = datetime.combine(list_of, datetime.min.time())
    true = set()
    for plan in visiting.plans:
        is_told = plan.told_from < list_of and any(visit.due_set_at < known_before for visit in plan.visits)
        if not is_told or (plan.ended_on is not None and plan.ended_on < list_of):
            continue
        seen = visiting.last_seen_on(plan, known_before)
        if last_day.today > visiting.due_on(plan, max(plan.started_on, seen or plan.started_on)):
            true.add(plan.child.council_id)
    of_town = [child.council_id for child in last_day.town.children()]
    told = live.rows(
        "select children.child_reference from worklists.not_seen as late"
        " inner join core.dim_child as children on late.child_key = children.child_key"
        " where children.child_reference = any(%s) and late.agency_code = %s",
        (of_town, COUNCIL),
    )
    assert {child for (child,) in told} == true
    assert true


def test_a_sender_is_written_to_when_its_file_needs_an_answer(live: Live, last_day: LastDay) -> None:
    house, written_to = load_house(), 0
    for agency, sent in last_day.files.items():
        if agency == COUNCIL:  # Its letter asks, rightly, after the visits that other tests landed and its list lacks.
            continue
        feed = house.feeds[sent.feed]
        ours = {each.rule_id for each in feed.rules if each.severity != "info" and each.recipient_role == "liaison"}
        to_answer = [each.record_no for each in sent.told if ours & {rule for _, rule in each.defects}]
        letters = live.rows(
            "select subject, body from alerts.messages join intake.deliveries using (delivery_id)"
            " join intake.files on files.file_id = deliveries.file_id where sha256_received = %s"
            " and alerts.messages.agency_code = %s and recipient_role = %s",
            (last_day.landed[agency], agency, f"{agency}_liaison"),
        )
        if not any(rule for each in sent.told for _, rule in each.defects):
            assert letters == [], agency
        if not to_answer:
            continue
        ((subject, body),) = letters
        received = f"{len(sent.told)} record{'s' if len(sent.told) > 1 else ''} received"
        assert subject.endswith(f"{received}, {len(to_answer)} need{'s' if len(to_answer) == 1 else ''} an answer")
        assert any(rule in body for rule in ours)
        assert not any(name in body for each in sent.told for name in _of_the_child(last_day, each.child_id))
        written_to += 1
    assert written_to


def _of_the_child(last_day: LastDay, child_id: str) -> tuple[str, ...]:
    return next(((each.surname, each.nhs_number) for each in last_day.town.children() if each.child_id == child_id), ())
