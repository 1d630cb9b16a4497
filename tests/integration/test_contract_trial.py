"""A proposal tried on what was sent: what it says is what the pipeline would find, and nothing is left behind.

Mend: frontdoor/delivery/trial.py, frontdoor/quality/attempt.py.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg2.extras
import pytest

from frontdoor import cli, clock, prepare, quality
from frontdoor.contract import expectations_folder, load_house
from frontdoor.contract.proposal import house_with
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_records
from tests.integration.quality_support import rows

SENDER = ("wearside_police", "police")
DELIVERIES, RECORDS = 180, 17
WHOM = ("--agency", SENDER[0], "--feed", SENDER[1])
FILE = expectations_folder() / "police" / "agencies" / "wearside_police.yaml"
CONTRACT = expectations_folder() / "police" / "contract.odcs.yaml"
# Everything that a trial could have changed.
STATE = """
    select
        (select md5(string_agg(read::text, '|' order by _delivery_id, _record_no)) from raw.police_read as read),
        (select md5(string_agg(sent::text, '|' order by _delivery_id, _record_no)) from raw.police as sent),
        (select md5(string_agg(found::text, '|' order by delivery_id, record_no, rule_id)) from quality.findings as found),
        (select md5(string_agg(each::text, '|' order by delivery_id)) from intake.deliveries as each),
        (select count(*) from alerts.messages)
"""


def spoiled(record: dict[str, str], chance: Random) -> dict[str, str]:
    record["child_risk_grade"] = chance.choice(["High", "red", "Medium", "Severe", "G", ""])
    if chance.random() < 0.1:
        record["narrative"] = ""
    if chance.random() < 0.1:
        record["harm_type"] = "DA;Shouting"
    if chance.random() < 0.2:
        record["school_told_at"] = record["school_not_told_reason"] = ""
    return record


def deliver(cursor: Any, number: int, records: list[dict[str, str]]) -> int:
    at = clock.now() - timedelta(days=DELIVERIES - number, hours=1)
    cursor.execute(
        "insert into intake.files (agency_code, source, file_name, taken_token, sha256_received, sha256_stored,"
        " size_bytes, received_at, status) values (%s, %s, 'a', gen_random_uuid()::text, '', '', 0, %s, 'received')"
        " returning file_id",
        (*SENDER, at),
    )
    (file_id,) = cursor.fetchone()
    cursor.execute(
        "insert into intake.deliveries (file_id, member_no, agency_code, source, feed, contract_version,"
        " agency_version, status, size_bytes, records_in, records_loaded, records_dead, received_at)"
        " values (%s, 1, %s, %s, 'police', '1.0.0', '1', 'loaded', 0, %s, %s, 0, %s) returning delivery_id",
        (file_id, *SENDER, len(records), len(records), at),
    )
    (delivery_id,) = cursor.fetchone()
    cursor.execute("select raw.ensure_partition('police', %s)", (at,))
    names = sorted({name for record in records for name in record})
    psycopg2.extras.execute_values(
        cursor,
        f"insert into raw.police (_agency_code, _delivery_id, _record_no, _received_at, extra, {', '.join(names)}) values %s",
        [
            (SENDER[0], delivery_id, n, at, json.dumps({"Car": "red"}), *(record.get(name, "") for name in names))
            for n, record in enumerate(records, start=1)
        ],
    )
    return int(delivery_id)


@pytest.fixture(scope="module")
def place(database: Any) -> Iterator[Any]:
    """Six months of one agency, read, judged and published."""
    house, chance = load_house(), Random(3)
    prepare.prepare(database.settings)
    connection = database.connect()
    ids = []
    with connection, connection.cursor() as cursor:
        for number in range(DELIVERIES):
            on = clock.now().date() - timedelta(days=DELIVERIES - number)
            content = sample_records(house, *SENDER, RECORDS, seed=number, on=on).decode()
            ids.append(
                deliver(cursor, number, [spoiled(each, chance) for each in csv.DictReader(io.StringIO(content))])
            )
    judge(database, house, ids)
    with connection, connection.cursor() as cursor:
        cursor.execute("update intake.deliveries set status = 'published', published_at = received_at")
    connection.close()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in as_environment(database.settings).items():
            patch.setenv(name, value)
        yield database


def judge(database: Any, house: Any, ids: list[int]) -> None:
    connection = database.connect()
    quality.read(connection, house, ids)
    connection.commit()
    quality.judge(connection, database.settings, house, "police", ids)
    connection.close()


def proposed(tmp_path: Path, of: Path, *changes: tuple[str, str]) -> Path:
    text = of.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text, f"{of.name} no longer says {before!r}: write the test anew"
        text = text.replace(before, after, 1)
    path = tmp_path / "proposed.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def tried(capsys: Any, path: Path, *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main(["contract", "trial", *WHOM, "--proposed", str(path), "--json", *more]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def failed(document: dict[str, Any], when: str) -> dict[str, int]:
    return {each["rule_id"]: each[when]["failed"] for each in document["rules"] if each[when] and each[when]["failed"]}


def found(place: Any) -> dict[str, int]:
    return dict(
        rows(
            place.connect(), "select rule_id, count(*)::int from quality.findings where rule_id like 'POL-%' group by 1"
        )
    )


def test_a_trial_says_what_the_pipeline_would_find_and_leaves_nothing(
    place: Any, tmp_path: Path, capsys: Any, record_property: Any
) -> None:
    path = proposed(
        tmp_path,
        FILE,
        ("High: red, ", "Severe: red, "),
        ("    format: csv", "    waived_rules: [POL-016]\n    tightened: {POL-026: critical}\n    format: csv"),
    )
    before = rows(place.connect(), STATE)
    started = time.monotonic()
    document = tried(capsys, path)
    taken = time.monotonic() - started
    record_property("seconds", round(taken, 1))
    assert rows(place.connect(), STATE) == before
    assert document["records"] == DELIVERIES * RECORDS
    assert taken < 30, f"{document['records']} notices took {taken:.1f} s"
    assert document["not_run"] == {"now": [], "proposed": []}
    now = found(place)
    assert failed(document, "now") == now

    by_rule = {each["rule_id"]: each for each in document["rules"]}
    grade = by_rule["POL-020"]
    assert grade["newly_failing"] > 300
    assert grade["cleared"] > 300
    assert grade["proposed"]["failed"] == grade["now"]["failed"] + grade["newly_failing"] - grade["cleared"]
    assert grade["score_change"] == pytest.approx(grade["proposed"]["kept_share"] - grade["now"]["kept_share"])
    high = rows(place.connect(), "select _delivery_id, _record_no + 1 from raw.police where child_risk_grade = 'High'")
    told = [(each["delivery_id"], row) for each in grade["newly_failing_in"] for row in each["rows"]]
    assert sorted(told) == sorted(high), "rows are the sender's: its line of headers is the first"
    assert by_rule["POL-016"]["proposed"] is None
    assert by_rule["POL-026"]["severity"] == {"now": "warning", "proposed": "critical"}

    house, _ = house_with(load_house(), path, "police")
    ids = rows(place.connect(), "select delivery_id from intake.deliveries")
    judge(place, house, ids)
    assert failed(document, "proposed") == found(place)
    judge(place, load_house(), ids)
    assert found(place) == now


def test_what_is_agreed_changes_nothing_when_it_is_proposed(place: Any, capsys: Any) -> None:
    document = tried(capsys, FILE)
    assert not [each for each in document["rules"] if each["newly_failing"] or each["cleared"]]
    assert cli.main(["contract", "trial", *WHOM, "--proposed", str(FILE)]) == 0
    assert "nothing would have been found otherwise" in capsys.readouterr().out


def test_a_header_that_only_the_proposal_knows_is_read_from_what_was_kept_beside(
    place: Any, tmp_path: Path, capsys: Any
) -> None:
    path = proposed(tmp_path, FILE, ("    format: csv", "    headers: {CAR: narrative}\n    format: csv"))
    document = tried(capsys, path)
    cleared = [each["rule_id"] for each in document["rules"] if each["cleared"]]
    assert rows(place.connect(), "select count(*) from raw.police where narrative = ''")[0] > 100
    assert cleared == [], "three letters are too short for an account, so nothing is cleared by them"
    path = proposed(tmp_path, FILE, ("    format: csv", "    headers: {CAR: child_risk_grade}\n    format: csv"))
    blank = rows(place.connect(), "select count(*)::int from raw.police where child_risk_grade = ''")[0]
    (grade,) = (each for each in tried(capsys, path)["rules"] if each["rule_id"] == "POL-020")
    assert grade["cleared"] == blank


def test_a_proposed_contract_with_a_new_field_and_rule(place: Any, tmp_path: Path, capsys: Any) -> None:
    added = """      - name: vehicle
        logicalType: string
        classification: internal
        description: The car that was seen.
        customProperties: [{property: kind, value: string}, {property: need, value: expected}]
    quality:
      - id: POL-090
        name: Car
        type: custom
        engine: greatExpectations
        dimension: completeness
        severity: warning
        description: No car is named.
        implementation:
          type: expect_records_to_keep_rule
          kwargs: {applies_when: "true", fails_when: "vehicle_state <> 'ok'"}
        customProperties: [{property: whatToDo, value: Name it.}, {property: scope, value: record}, {property: recipientRole, value: liaison}]
      - id: POL-091
        name: Raising
        type: custom
        engine: greatExpectations
        dimension: completeness
        severity: warning
        description: It cannot be run.
        implementation:
          type: expect_records_to_keep_rule
          kwargs: {applies_when: "true", fails_when: "1 / (_record_no - _record_no) = 1"}
        customProperties: [{property: whatToDo, value: Nothing.}, {property: scope, value: record}, {property: recipientRole, value: liaison}]
"""
    path = proposed(tmp_path, CONTRACT, ("    quality:\n", added))
    before = rows(place.connect(), STATE)
    document = tried(capsys, path, "--months", "1")
    assert rows(place.connect(), STATE) == before
    by_rule = {each["rule_id"]: each for each in document["rules"]}
    assert 400 < document["records"] < 600
    assert by_rule["POL-090"]["newly_failing"] == document["records"]
    assert by_rule["POL-090"]["now"] is None
    assert document["not_run"] == {"now": [], "proposed": ["POL-091"]}
    assert not [each for each in by_rule.values() if each["cleared"]]


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (["--proposed", "none.yaml"], "--proposed cannot be read"),
        (["--proposed", str(FILE), "--months", "0"], "--months wants"),
        (["--proposed", str(expectations_folder() / "visit" / "contract.odcs.yaml")], "is the contract of visit"),
    ],
)
def test_wrong_usage_says_what_it_could_mean(place: Any, capsys: Any, arguments: list[str], because: str) -> None:
    assert cli.main(["contract", "trial", *WHOM, *arguments]) == 2
    assert because in capsys.readouterr().err
