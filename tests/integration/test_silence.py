"""Silence: what was due and did not come is found without a file, told of once, and settled by what comes.

Mend: frontdoor/quality/expected.py, laying.py, arrivals.py and silence.py, frontdoor/delivery/listening.py,
frontdoor/alerts/silence.py.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from frontdoor import alerts, clock, delivery, receipts
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.delivery import listening
from frontdoor.prepare import prepare
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_nil, sample_records
from tests.conftest import Database

pytestmark = pytest.mark.on_both_servers

LONDON = ZoneInfo("Europe/London")
POLICE, COUNCIL = ("wearside_police", "police"), ("wearside_council", "visit")
HOUSE = load_house()


class Here:
    """The platform of these tests, and its clock: London's, as "2027-03-01 10:00"."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database, self.settings = database, database.settings
        self.now = "2027-03-01 10:00"
        monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(self.now).replace(tzinfo=LONDON))
        for name, value in as_environment(database.settings).items():
            monkeypatch.setenv(name, value)

    def all(self, sql: str, *parameters: Any) -> list[Any]:
        connection = self.database.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def sweep(self, now: str) -> None:
        self.now = now
        delivery.drain(self.settings)

    def land(self, now: str, content: bytes, sender: tuple[str, str] = POLICE) -> int:
        self.now = now
        folder = self.settings.landing / sender[0] / sender[1]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".incoming").write_bytes(content)
        time.sleep(0.02)
        os.rename(folder / ".incoming", folder / f"{time.time_ns()}.csv")
        delivery.drain(self.settings)
        return int(self.all("select max(delivery_id) from intake.deliveries")[0][0])

    def came_of(self, delivery_id: int) -> tuple[Any, ...]:
        """Return verdict, who signed, and the rules that have a finding."""
        (row,) = self.all(
            "select verdict, nil_signed_by, array(select rule_id from quality.findings where delivery_id = %s order by 1)"
            " from intake.deliveries where delivery_id = %s",
            delivery_id,
            delivery_id,
        )
        return tuple(row)

    def sentence(self, delivery_id: int) -> str:
        connection = self.database.connect()
        try:
            ((said,),) = [[each["sentence"] for each in receipts.documents(connection, HOUSE, [delivery_id])]]
        finally:
            connection.close()
        return str(said)

    def days(self, sender: tuple[str, str] = POLICE) -> list[tuple[str, str]]:
        """Return the days that are due by now, and how they stand."""
        return self.all(
            "select to_char(expected_on, 'Dy DD'), state from quality.expected_deliveries"
            " where agency_code = %s and feed = %s and (due_at <= %s or state <> 'expected') order by expected_on",
            *sender,
            clock.now(),
        )

    def letters(self, sender: tuple[str, str] = POLICE) -> list[tuple[str, str, str]]:
        return self.all(
            "select recipient_role, subject, regexp_replace(body, '\\s+', ' ', 'g') from alerts.messages"
            " where subject like %s order by created_at, recipient_role",
            f"Front door: {HOUSE.feeds[sender[1]].title} of {HOUSE.agencies[sender[0]].name}%%",
        )


@pytest.fixture(scope="module")
def prepared(database: Database) -> Database:
    prepare(database.settings)
    return database


@pytest.fixture
def here(prepared: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    made = Here(prepared, monkeypatch)
    made.all("truncate quality.expected_deliveries, quality.expecting")
    made.all("delete from alerts.messages")
    yield made


def police(seed: int, records: int = 2) -> bytes:
    return sample_records(HOUSE, *POLICE, records, seed=seed)


def visits(seed: int) -> bytes:
    return sample_records(HOUSE, *COUNCIL, 3, seed=seed)


def test_silence_is_raised_without_a_file_told_once_and_settled_by_what_comes(here: Here) -> None:
    here.sweep("2027-03-01 10:00")
    assert here.days() == [], "what was due before the platform knew of it is not asked for"
    here.land("2027-03-02 06:00", police(1))
    assert here.days() == [("Tue 02", "received")] and here.letters() == []
    here.sweep("2027-03-03 08:59")
    assert here.letters() == []
    here.sweep("2027-03-03 09:01")
    assert here.days()[1:] == [("Wed 03", "missing")]
    ((role, subject, body),) = here.letters()
    assert role == HOUSE.agencies[POLICE[0]].liaison_role
    assert subject == "Front door: Police notification of Wearside Police: 1 delivery that was due has not come"
    assert "was due by Wednesday 3 March 2027, 09:00" in body and "last came on Tuesday 2 March 2027, 06:00" in body
    assert "nil_signed_by:" in body and "999" in body
    for now in ("2027-03-03 09:02", "2027-03-04 12:00", "2027-03-05 12:00"):
        here.sweep(now)
    assert len(here.letters()) == 1, "not repeated daily"
    here.sweep("2027-03-08 09:30")
    again = here.letters()[1:]
    assert {role for role, _, _ in again} == {HOUSE.agencies[POLICE[0]].liaison_role, "team_manager"}
    assert all("6 deliveries that were due have still not come" in subject for _, subject, _ in again)
    assert any("ring the liaison of Wearside Police" in body for _, _, body in again)
    here.sweep("2027-03-10 09:30")
    assert len(here.letters()) == 3, "and then no more"

    here.land("2027-03-10 11:00", police(2))
    assert here.days()[-1] == ("Wed 10", "late") and here.days()[1] == ("Wed 03", "missing"), "an increment fills a day"
    here.land("2027-03-10 12:00", police(3))
    assert here.days()[1] == ("Wed 03", "late")
    rows = here.all(
        "select raised_at is not null, settled_at, delivery_id from quality.expected_deliveries"
        " where expected_on = '2027-03-03' and agency_code = %s",
        POLICE[0],
    )
    assert rows[0][:2] == (True, clock.now()) and rows[0][2] is not None
    here.land("2027-03-11 06:00", police(4))
    here.sweep("2027-03-12 09:01")
    assert len(here.letters()) == 4, "who falls silent again is told again"


def test_command_lists_what_is_missing_and_what_was_due_on_a_day(here: Here, capsys: Any) -> None:
    here.sweep("2028-05-01 10:00")
    here.land("2028-05-02 06:00", police(81))
    here.sweep("2028-05-03 10:00")

    def told(*arguments: str) -> list[tuple[str, str]]:
        capsys.readouterr()
        assert main(["silence", *arguments, "--json"]) == 0
        return [(day["expected_on"], day["state"]) for day in json.loads(capsys.readouterr().out)["days"]]

    assert told() == [("2028-05-03", "missing")] and told("--agency", COUNCIL[0]) == []
    assert told("--on", "2028-05-02", "--feed", "police") == [("2028-05-02", "received")]
    capsys.readouterr()
    assert main(["silence", "--on", "2028-05-02"]) == 0 and main(["silence"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(
        "2028-05-02 09:00  wearside_police/police  received, received 2028-05-02 06:00 as delivery"
    )
    assert said[1] == "2028-05-03 09:00  wearside_police/police  missing"
    assert main(["status"]) == 0 and "silent   1 sender: see frontdoor silence" in capsys.readouterr().out
    assert main(["silence", "--agency", "nobody"]) == 2 and main(["silence", "--on", "soon"]) == 2


def test_file_late_by_minutes_that_came_before_the_sweep_is_late_and_no_letter(here: Here) -> None:
    here.sweep("2027-04-05 10:00")
    here.land("2027-04-06 09:07", police(11))
    assert here.days() == [("Tue 06", "late")] and here.letters() == []
    (raised,) = here.all("select raised_at from quality.expected_deliveries where expected_on = '2027-04-06'")
    assert raised == (None,)


def test_whole_list_settles_every_week_before_it_also_when_it_is_unchanged(here: Here) -> None:
    here.sweep("2027-04-20 10:00")
    list_of_visits = visits(21)
    here.land("2027-04-26 05:30", list_of_visits, COUNCIL)
    here.sweep("2027-05-11 10:00")
    # The Monday of the bank holiday is due as any other.
    assert here.days(COUNCIL) == [("Mon 26", "received"), ("Mon 03", "missing"), ("Mon 10", "missing")]
    here.land("2027-05-11 11:00", list_of_visits, COUNCIL)
    assert here.all("select status from intake.files order by file_id desc limit 1") == [("duplicate",)]
    assert [state for _, state in here.days(COUNCIL)] == ["received", "late", "late"]


def test_what_cannot_be_used_is_a_state_of_its_own_and_no_silence(here: Here) -> None:
    here.sweep("2027-06-01 10:00")
    header = police(31).split(b"\n")[0] + b"\n"
    dead = here.land("2027-06-02 06:00", b"")
    assert here.days() == [("Wed 02", "unusable")]
    here.land("2027-06-03 06:00", header)
    here.sweep("2027-06-03 09:30")
    assert here.days()[-1] == ("Thu 03", "unusable") and here.letters() == [], "its own letter tells of it"
    here.land("2027-06-03 10:00", police(32))
    assert here.days() == [("Wed 02", "unusable"), ("Thu 03", "late")]
    assert here.all("select status from intake.deliveries where delivery_id = %s", dead) == [("dead_letter",)]


def test_same_increment_again_is_not_the_next_one(here: Here) -> None:
    here.sweep("2027-07-01 10:00")
    same = police(41)
    here.land("2027-07-02 06:00", same)
    here.land("2027-07-03 06:00", same)
    assert here.days() == [("Fri 02", "received"), ("Sat 03", "unusable")]


def test_kill_between_finding_and_commit_loses_nothing_and_tells_nobody_twice(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.sweep("2027-08-02 10:00")
    tell = alerts.tell_of_silence

    def killed(*given: Any, **named: Any) -> int:
        tell(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(listening.alerts, "tell_of_silence", killed)
    with pytest.raises(KeyboardInterrupt):
        here.sweep("2027-08-03 09:01")
    assert here.letters() == [] and here.days() == [("Tue 03", "expected")]
    monkeypatch.setattr(listening.alerts, "tell_of_silence", tell)
    for minute in (2, 3):
        here.sweep(f"2027-08-03 09:0{minute}")
    assert len(here.letters()) == 1 and here.days() == [("Tue 03", "missing")]


def test_file_that_is_still_being_read_is_not_silence(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here.sweep("2027-09-01 10:00")
    advance = delivery.lanes.advance
    monkeypatch.setattr(delivery.lanes, "advance", lambda *_: 0)
    here.land("2027-09-02 08:58", police(51))
    here.sweep("2027-09-02 09:01")
    assert here.days() == [("Thu 02", "expected")] and here.letters() == []
    monkeypatch.setattr(delivery.lanes, "advance", advance)
    here.sweep("2027-09-02 09:02")
    assert here.days() == [("Thu 02", "received")] and here.letters() == []


def test_signed_nil_return_settles_its_day_and_every_one_before(here: Here) -> None:
    here.sweep("2027-12-01 10:00")
    here.sweep("2027-12-03 10:00")
    signed = sample_nil(HOUSE, *POLICE, "duty sergeant")
    first = here.land("2027-12-03 11:00", signed)
    assert here.came_of(first) == ("accepted", "duty sergeant", [])
    assert here.sentence(first) == "0 received: a nil return, signed by duty sergeant. Nothing needs an answer."
    second = here.land("2027-12-04 06:00", signed)
    assert second != first and here.came_of(second) == ("accepted", "duty sergeant", []), "two nil returns, no repeat"
    assert here.days() == [("Thu 02", "signed_nil"), ("Fri 03", "signed_nil"), ("Sat 04", "signed_nil")]
    assert len(here.letters()) == 1 and here.all("select count(*) from alerts.messages") == [(1,)]
    receipt = receipts.documents(here.database.connect(), HOUSE, [second])[0]["receipt"]
    assert receipt["nil_signed_by"] == "duty sergeant"


def test_unsigned_file_without_records_is_told_how_to_sign(here: Here) -> None:
    here.sweep("2028-01-03 10:00")
    unsigned = here.land("2028-01-04 06:00", b"nil_signed_by: n/k\n" + police(71).split(b"\n")[0] + b"\n")
    assert here.came_of(unsigned) == ("accepted_with_findings", None, ["FIL-001"])
    ((what_to_do,),) = here.all("select distinct what_to_do from quality.checks where rule_id = 'FIL-001'")
    assert "nil_signed_by:" in what_to_do
    ((body,),) = here.all(
        "select regexp_replace(body, '\\s+', ' ', 'g') from alerts.messages where delivery_id = %s", unsigned
    )
    assert "nil_signed_by: and the role that signs" in body
    assert here.days() == [("Tue 04", "unusable")]


def test_records_win_over_the_signature(here: Here) -> None:
    here.sweep("2028-02-01 10:00")
    both = here.land("2028-02-02 06:00", b"nil_signed_by: duty sergeant\n" + police(72))
    assert here.came_of(both) == ("accepted_with_findings", None, ["FIL-042"])
    assert here.all("select records_in, records_loaded from intake.deliveries where delivery_id = %s", both) == [(2, 2)]
    assert here.days() == [("Wed 02", "received")]


@pytest.mark.parametrize(
    ("agency", "feed"),
    [
        ("wearside_partnership", "police"),
        ("wearside_health", "referral"),
        ("wearside_housing", "referral"),
        ("wearside_schools", "referral"),
        ("wearside_council", "visit"),
    ],
)
def test_nil_return_is_read_in_each_format_and_as_one_line(here: Here, agency: str, feed: str) -> None:
    here.now = "2028-03-01 10:00"
    for content in (sample_nil(HOUSE, agency, feed, "Duty lead, 2nd floor"), b"nil_signed_by: Duty lead, 2nd floor\n"):
        delivered = here.land(here.now, content, (agency, feed))
        assert here.came_of(delivered) == ("accepted", "Duty lead, 2nd floor", []), content[:40]


def test_sweep_without_news_writes_nothing(here: Here) -> None:
    here.sweep("2027-10-01 10:00")
    here.land("2027-10-02 06:00", police(61))

    def written() -> list[Any]:
        return here.all("select xmin, * from quality.expecting") + here.all(
            "select xmin, * from quality.expected_deliveries"
        )

    before = written()
    here.sweep("2027-10-02 06:01")
    here.sweep("2027-10-02 06:02")
    assert written() == before


def test_agreement_that_says_another_hour_moves_only_what_is_to_come(here: Here) -> None:
    from dataclasses import replace
    from datetime import time as clock_time

    here.sweep("2027-11-01 10:00")
    here.sweep("2027-11-02 09:01")
    assert here.days() == [("Tue 02", "missing")]
    later = tuple(
        replace(each, expected=replace(each.expected, by=clock_time(12)))
        if each.agency == POLICE[0] and each.expected
        else each
        for each in HOUSE.agency_feeds
    )
    connection = here.database.connect()
    try:
        listening.listen(connection, replace(HOUSE, agency_feeds=later))
        gone = tuple(each for each in HOUSE.agency_feeds if each.agency != POLICE[0])
        due = "select to_char(due_at at time zone 'Europe/London', 'DD HH24') from quality.expected_deliveries where agency_code = %s order by 1"
        assert here.all(due, POLICE[0])[:2] == [("02 09",), ("03 12",)]
        listening.listen(connection, replace(HOUSE, agency_feeds=gone))
        assert here.all(due, POLICE[0]) == [("02 09",)]
    finally:
        connection.close()
