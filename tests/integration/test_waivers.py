"""Waivers: silent while alive, back afterwards, and never a change of what the front door sees.

Mend: frontdoor/quality/waivers.py, frontdoor/delivery/waiving.py, frontdoor/alerts/lapsing.py, frontdoor/cli/waivers.py.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from frontdoor import clock, delivery, receipts
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database

SCHOOLS, FEED = "wearside_schools", "referral"
HOUSE = load_house()


class Here:
    """The platform of these tests, and a clock that can be put forward."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.database, self.settings, self.capsys = database, database.settings, capsys
        self.ahead = timedelta()
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + self.ahead)
        for name, value in as_environment(database.settings).items():
            monkeypatch.setenv(name, value)

    def all(self, sql: str, *parameters: Any) -> list[Any]:
        connection = self.database.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall()
        finally:
            connection.close()

    def land(self, content: bytes) -> int:
        folder = self.settings.landing / SCHOOLS / FEED
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".incoming").write_bytes(content)
        time.sleep(0.02)
        os.rename(folder / ".incoming", folder / f"{time.time_ns()}.csv")
        delivery.drain(self.settings)
        return int(self.all("select max(delivery_id) from intake.deliveries")[0][0])

    def command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        self.capsys.readouterr()
        code = main([*arguments, "--json"])
        return code, json.loads(self.capsys.readouterr().out)

    def grant(self, *more: str, until: int = 30) -> dict[str, Any]:
        last = (clock.now() + timedelta(days=until)).date().isoformat()
        code, document = self.command(
            "waiver", "grant", "--agency", SCHOOLS, "--feed", FEED, "--reason", "Their system is being replaced.",
            "--approved-by", "head_of_service", "--until", last, *more,
        )  # fmt: skip
        assert code == 0, document
        return document

    def states(self, delivery_id: int) -> list[tuple[int, str, str]]:
        return self.all(
            "select record_no, rule_id, state from quality.findings where delivery_id = %s order by 1, 2", delivery_id
        )

    def letters(self) -> list[tuple[str, str, str]]:
        # Days go by in these tests, and senders who agreed to send on them fall silent.
        return self.all(
            "select recipient_role, subject, body from alerts.messages where subject not like '%% due %%'"
            " order by created_at, message_id"
        )


@pytest.fixture(scope="module")
def prepared(database: Database) -> Database:
    prepare(database.settings)
    return database


@pytest.fixture
def here(prepared: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Here]:
    made = Here(prepared, monkeypatch, capsys)
    yield made
    made.ahead = timedelta()
    for (waiver_id,) in made.all("select waiver_id from quality.waivers where lapsed_at is null"):
        main(["waiver", "end", str(waiver_id)])


def poor(seed: int, rule_id: str = "REF-003", records: int = 4) -> bytes:
    return sample_records(HOUSE, SCHOOLS, FEED, records, seed=seed, break_rule=rule_id)


def test_rule_is_silent_while_waived_and_comes_back_once_without_a_file(here: Here) -> None:
    here.grant("--rule", "REF-003", until=3)
    before, file = here.letters(), poor(901)  # a sample is dated by the clock
    waived = here.land(file)
    assert [state for _, _, state in here.states(waived)] == ["waived"]
    again = here.land(file + b"\n")
    assert [state for _, _, state in here.states(again)] == ["waived"]
    assert here.letters() == before, "no letter while it is alive"

    here.ahead = timedelta(days=5)
    delivery.drain(here.settings)
    assert {state for each in (waived, again) for _, _, state in here.states(each)} == {"persisting"}
    (letter,) = here.letters()[len(before) :]
    role, subject, body = letter
    assert role == HOUSE.agencies[SCHOOLS].liaison_role and subject.endswith("is over: 2 findings to answer")
    row = here.states(waived)[0][0] + 1
    said = " ".join(body.split())
    assert f"Delivery {waived}, rows of your file: {row}." in said and "REF-003, warning, in 2 findings" in said
    assert "Their system" not in body, "a reason stays in the house"
    delivery.drain(here.settings)
    assert here.letters()[len(before) :] == [letter], "told once"
    third = here.land(file + b"\n\n")
    assert here.states(third) == here.states(waived)
    assert here.letters()[len(before) :] == [letter], "no daily repeat of what persists"


def test_waiver_changes_neither_triage_nor_indicators_nor_verdict(here: Here) -> None:
    def picture(delivery_id: int) -> dict[str, Any]:
        return {
            "triage": here.all(
                "select to_jsonb(triage) from worklists.triage as triage order by delivery_id, record_no"
            ),
            "indicators": here.all(
                "select to_jsonb(found) - 'as_of' from indicators.indicator_values as found order by 1"
            ),
            "verdict": here.all("select verdict from intake.deliveries where delivery_id = %s", delivery_id),
            "results": here.all(
                "select rule_id, status, checked_count, failed_count from quality.check_results"
                " where delivery_id = %s order by 1",
                delivery_id,
            ),
            "first": here.all("select * from quality.first_publications where delivery_id = %s", delivery_id),
        }

    poorly = here.land(poor(902, "REF-003"))
    delivery.ingest(here.settings)
    without = picture(poorly)
    assert any(defect["rule_id"] == "REF-003" for (row,) in without["triage"] for defect in row["defects"])
    assert without["verdict"] == [("accepted_with_findings",)] and without["indicators"]

    assert here.grant()["findings"] >= 1, "all rules of the feed that are not critical"
    delivery.replay(here.settings, [poorly])
    delivery.ingest(here.settings)
    assert [state for _, _, state in here.states(poorly)] == ["waived"]
    assert picture(poorly) == without


def test_agency_wide_waiver_leaves_what_is_critical_and_a_record_is_waived_alone(here: Here) -> None:
    critical = here.land(poor(903, "REF-016"))
    ((record_no, rule_id, state),) = [each for each in here.states(critical) if each[1] == "REF-016"]
    assert (rule_id, state) == ("REF-016", "new")
    here.grant()
    assert (record_no, rule_id, "new") in here.states(critical)
    assert here.grant("--rule", "REF-016", "--delivery", str(critical), "--record", str(record_no))["findings"] == 1
    other = here.land(poor(904, "REF-016"))
    assert "new" in {state for _, rule, state in here.states(other) if rule == "REF-016"}, "another record is told of"
    again = here.land(poor(903, "REF-016") + b"\n")
    assert {state for _, rule, state in here.states(again) if rule == "REF-016"} == {"waived"}, "the same one is not"


def test_receipt_names_what_is_waived_with_reason_and_end(here: Here) -> None:
    granted = here.grant("--rule", "REF-003")
    waived = here.land(poor(905))
    path = here.settings.receipts / SCHOOLS / f"delivery-{waived}.json"
    document = json.loads(path.read_bytes())
    assert document["sentence"].endswith("none needs an answer.")
    assert document["verdict"] == "accepted_with_findings"
    (rule,) = (each for each in document["rules"] if each["failed"])
    assert (rule["new"], rule["waived"]) == (0, 1)
    assert rule["waivers"] == [
        {
            "waiver_id": granted["waiver_id"],
            "findings": 1,
            "until": granted["expires_at"].replace(".000000Z", "Z"),
            "reason": "Their system is being replaced.",
        }
    ]
    assert [each["state"] for each in document["findings"]] == ["waived"]
    assert "Their system is being replaced." in path.with_suffix(".html").read_text()
    connection = here.database.connect()
    try:
        (made,) = receipts.documents(connection, HOUSE, [waived])
    finally:
        connection.close()
    assert receipts.workbook(made), "a workbook, for there is something in it"


def test_ended_and_expired_waivers_stay_on_record(here: Here) -> None:
    granted = here.grant("--rule", "REF-003")
    waived = here.land(poor(906))
    code, ended = here.command("waiver", "end", str(granted["waiver_id"]))
    assert (code, ended["state"]) == (0, "ended")
    assert [state for _, _, state in here.states(waived)] == ["persisting"]
    expiring = here.grant("--rule", "REF-003", until=3)
    living = [each["waiver_id"] for each in here.command("waiver", "list")[1]["waivers"]]
    assert expiring["waiver_id"] in living and granted["waiver_id"] not in living
    here.ahead = timedelta(days=5)
    everything = {each["waiver_id"]: each for each in here.command("waiver", "list", "--all")[1]["waivers"]}
    assert everything[granted["waiver_id"]]["reason"] == "Their system is being replaced."
    assert everything[granted["waiver_id"]]["state"] == "ended"
    assert everything[expiring["waiver_id"]]["state"] == "expired"
    assert here.command("waiver", "end", str(granted["waiver_id"]))[0] == 2
    assert here.command("waiver", "end", "999999")[0] == 2


def test_of_two_waivers_the_second_still_holds_when_the_first_is_over(here: Here) -> None:
    narrow, _ = here.grant("--rule", "REF-003", until=2), here.grant(until=20)
    waived = here.land(poor(907))
    before = here.letters()
    here.ahead = timedelta(days=4)
    delivery.drain(here.settings)
    assert [state for _, _, state in here.states(waived)] == ["waived"]
    assert here.letters() == before
    assert here.all("select lapsed_at is not null from quality.waivers where waiver_id = %s", narrow["waiver_id"]) == [
        (True,)
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"--agency": "nobody"}, "no agency of that name"),
        ({"--feed": "police"}, "does not send that feed"),
        ({"--rule": "REF-999"}, "no rule of that id"),
        ({"--rule": "REF-016"}, "is critical"),
        ({"--until": "2020-01-01"}, "in the past"),
        ({"--until": "2999-01-01"}, "more than 365 days ahead"),
        ({"--until": "tomorrow"}, "a date as"),
        ({"--approved-by": "Ann Other"}, "never a name"),
        ({"--approved-by": "liaison"}, "never a name"),
        ({"--reason": " "}, "one sentence"),
        ({"--record": "1"}, "--delivery ID with --record N"),
        ({"--delivery": "1", "--record": "99999"}, "has no record"),
    ],
    ids=lambda each: next(iter(each.items())) if isinstance(each, dict) else "",
)
def test_what_cannot_be_waived_is_refused_in_words(here: Here, changed: dict[str, str], says: str) -> None:
    given = {
        "--agency": SCHOOLS, "--feed": FEED, "--rule": "REF-003", "--reason": "For a while.",
        "--approved-by": "team_manager", "--until": (clock.now() + timedelta(days=9)).date().isoformat(),
    } | changed  # fmt: skip
    count = here.all("select count(*) from quality.waivers")
    code, document = here.command("waiver", "grant", *(part for pair in given.items() for part in pair))
    assert code == 2 and says in document["error"]
    assert here.all("select count(*) from quality.waivers") == count
