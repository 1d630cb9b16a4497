"""Judging: findings are the failing records, a rule that raises is alone, a delivery always goes on.

Open frontdoor/quality/judging.py, and engine.py for what Great Expectations is asked.
"""

from __future__ import annotations

import csv
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from frontdoor import quality, reference
from frontdoor.contract import House
from frontdoor.quality import engine, judging, warm
from tests.integration import quality_support as trial
from tests.integration.quality_support import FEED, record_rule, rows_rule

pytestmark = pytest.mark.on_both_servers

NAME = record_rule("TRI-001", "forename_state <> 'ok'")
SMALL = record_rule("TRI-002", "number > 5", applies_when="number_state = 'ok'")
TWICE = rows_rule(
    "TRI-003",
    "with shared as (select b._delivery_id, b.ref, b.child_ref from {batch} as b"
    " group by b._delivery_id, b.ref, b.child_ref having count(*) > 1)"
    " select b._delivery_id, b._record_no from {batch} as b inner join shared as s"
    " on b._delivery_id = s._delivery_id and b.ref = s.ref and b.child_ref = s.child_ref",
    dimension="uniqueness",
)
PLAIN = rows_rule(
    "TRI-004",
    "select _delivery_id, _record_no from {batch} where forename ~ '^(?:z|:b){{1}}$|^q{{2,3}}$'".replace(
        "{{", "{"
    ).replace("}}", "}"),
)
BROKEN = [
    record_rule("TRI-091", "no_such_column = 1"),
    record_rule("TRI-092", "forename::integer > 1"),
    record_rule("TRI-093", "number > {limit:no_such_limit}"),
    record_rule("TRI-094", "this is no sql at all '"),
    rows_rule("TRI-095", "select _delivery_id, _record_no from no_such_table, {batch}"),
    rows_rule("TRI-096", "select _delivery_id, _record_no from {batch} where 1 / (number - number) = 1"),
]
HOUSE = trial.house(NAME, SMALL, TWICE, PLAIN)
CANARY = "Zzcanary"


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    warm.warm()


@pytest.fixture
def connection(database: Any) -> Iterator[Any]:
    opened = database.connect()
    trial.prepare(opened, HOUSE)
    yield opened
    opened.close()


def judge(database: Any, connection: Any, *delivery_ids: int, of: House = HOUSE) -> None:
    trial.read(connection, of, *delivery_ids)
    quality.judge(connection, database.settings, of, FEED, delivery_ids)


def results(connection: Any, delivery_id: int) -> dict[str, tuple[str, int, int]]:
    found = trial.rows(
        connection,
        "select rule_id, status, checked_count, failed_count from quality.check_results where delivery_id = %s",
        (delivery_id,),
    )
    return {rule: tuple(rest) for rule, *rest in found}


def findings(connection: Any, rule_id: str) -> list[Any]:
    return trial.rows(
        connection,
        "select delivery_id, record_no from quality.findings where rule_id = %s order by delivery_id, record_no",
        (rule_id,),
    )


def delivered(connection: Any, delivery_id: int) -> Any:
    return trial.rows(
        connection, "select status, verdict from intake.deliveries where delivery_id = %s", (delivery_id,)
    )[0]


def record(nth: int, /, **changes: Any) -> dict[str, Any]:
    return {"ref": f"R{nth}", "child_ref": "1", "forename": "Ann", **changes}


@pytest.mark.parametrize("failing", [0, 1, 20, 21, 201, 5000])
def test_findings_are_the_failing_records(database: Any, connection: Any, failing: int) -> None:
    records = [record(n, forename=None, number="9") for n in range(failing)] + [
        record(n) for n in range(failing, failing + 7)
    ]
    delivery = trial.deliver(connection, records)
    judge(database, connection, delivery)
    expected = [(delivery, n) for n in range(1, failing + 1)]
    assert findings(connection, "TRI-001") == findings(connection, "TRI-002") == expected
    said = results(connection, delivery)
    assert said["TRI-001"] == ("fail" if failing else "pass", failing + 7, failing)
    assert said["TRI-002"] == (("fail", failing, failing) if failing else ("not_applicable", 0, 0))
    assert delivered(connection, delivery) == ("checked", "accepted_with_findings" if failing else "accepted")


@pytest.mark.parametrize("failing", [0, 2, 20, 21, 201, 5000])
def test_findings_of_compound_keys_are_every_member_of_every_group(
    database: Any, connection: Any, failing: int
) -> None:
    doubled = [record(n // 2) for n in range(failing - failing % 2)]
    tripled = [record(0)] if failing % 2 else []
    single = [record(n) for n in range(10_000, 10_005)] + [{"ref": "R0"}, {"ref": "R0"}]
    delivery = trial.deliver(connection, doubled + tripled + single)
    judge(database, connection, delivery)
    assert findings(connection, "TRI-003") == [(delivery, n) for n in range(1, failing + 1)]
    assert results(connection, delivery)["TRI-003"] == ("fail" if failing else "pass", failing + 7, failing)


def test_a_rule_may_be_written_with_braces_colons_and_percent_signs(database: Any, connection: Any) -> None:
    delivery = trial.deliver(
        connection, [record(1, forename="z"), record(2, forename=":b"), record(3, forename="qqq"), record(4)]
    )
    judge(database, connection, delivery)
    assert findings(connection, "TRI-004") == [(delivery, 1), (delivery, 2), (delivery, 3)]
    percent = trial.house(record_rule("TRI-010", "forename like 'A%' and forename not like '%:b%'"))
    judge(database, connection, delivery, of=percent)
    assert findings(connection, "TRI-010") == [(delivery, 4)]


def test_null_neither_applies_nor_fails(database: Any, connection: Any) -> None:
    null = trial.house(
        record_rule("TRI-011", "number > 1"),
        record_rule("TRI-012", "true", applies_when="number > 1"),
        record_rule("TRI-013", "number is null"),
    )
    delivery = trial.deliver(connection, [record(1), record(2, number="2")])
    judge(database, connection, delivery, of=null)
    said = results(connection, delivery)
    assert said["TRI-011"] == ("fail", 2, 1)
    assert said["TRI-012"] == ("fail", 1, 1)
    assert said["TRI-013"] == ("fail", 2, 1)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda rule: rule.rule_id)
def test_a_rule_that_raises_is_not_run_and_alone(
    database: Any, connection: Any, broken: Any, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    delivery = trial.deliver(
        connection, [record(1, forename=CANARY, story=CANARY), record(2, forename=None, number="7")]
    )
    with caplog.at_level(logging.DEBUG):
        judge(database, connection, delivery, of=trial.house(NAME, broken, SMALL, TWICE))
    said = results(connection, delivery)
    assert said[broken.rule_id] == ("not_run", 0, 0)
    assert said["TRI-001"] == ("fail", 2, 1) and said["TRI-002"] == ("fail", 1, 1) and said["TRI-003"] == ("pass", 2, 0)
    assert delivered(connection, delivery) == ("checked", "accepted_with_findings")
    assert broken.rule_id in caplog.text
    assert CANARY not in caplog.text + "".join(capfd.readouterr())


def test_a_delivery_with_a_rule_that_was_not_run_is_not_called_accepted(database: Any, connection: Any) -> None:
    delivery = trial.deliver(connection, [record(1)])
    judge(database, connection, delivery, of=trial.house(NAME, BROKEN[0]))
    assert delivered(connection, delivery) == ("checked", "accepted_with_findings")


def test_when_great_expectations_cannot_be_used_at_all_the_delivery_goes_on(
    database: Any, connection: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone() -> Any:
        raise ImportError(f"no module, {CANARY}")

    monkeypatch.setattr(engine, "expectations", gone)
    deliveries = [trial.deliver(connection, [record(1, forename=None)]), trial.deliver(connection, [])]
    judge(database, connection, *deliveries)
    for delivery in deliveries:
        assert delivered(connection, delivery)[0] == "checked"
    assert {
        rule: status for rule, (status, *_) in results(connection, deliveries[0]).items() if rule.startswith("TRI")
    } == dict.fromkeys(["TRI-001", "TRI-002", "TRI-003", "TRI-004"], "not_run")
    assert CANARY not in caplog.text


def test_a_batch_that_fails_is_judged_delivery_by_delivery(
    database: Any, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = [trial.deliver(connection, [record(n, forename=None)]) for n in range(3)]
    real = judging._judge

    def fails_with_the_second(connection: Any, settings: Any, house: Any, feed: Any, ids: Any, *left_out: Any) -> None:
        if deliveries[1] in ids:
            raise RuntimeError("the second one")
        real(connection, settings, house, feed, ids, *left_out)

    monkeypatch.setattr(judging, "_judge", fails_with_the_second)
    judge(database, connection, *deliveries)
    assert [results(connection, each)["TRI-001"][0] for each in deliveries] == ["fail", "not_run", "fail"]
    assert {delivered(connection, each)[0] for each in deliveries} == {"checked"}


def test_rule_left_out_is_not_run_and_no_verdict_is_worse_but_what_it_finds_stands(
    database: Any, connection: Any
) -> None:
    past = rows_rule("TRI-007", TWICE.expectation["unexpected_rows_query"], scope="history")
    of = trial.house(NAME, past)
    good, twice = (trial.deliver(connection, [record(n) for n in numbers]) for numbers in ((1, 2), (7, 7)))
    trial.read(connection, of, good, twice)
    quality.judge(connection, database.settings, of, FEED, [good, twice], without=("history",))
    assert results(connection, good)["TRI-007"] == ("not_run", 0, 0)
    assert results(connection, twice)["TRI-007"] == ("fail", 2, 2)
    assert [delivered(connection, each)[1] for each in (good, twice)] == ["accepted", "accepted_with_findings"]
    # A rule that could not be run is another matter.
    broken = trial.house(NAME, BROKEN[0])
    third = trial.deliver(connection, [record(8)])
    trial.read(connection, broken, third)
    quality.judge(connection, database.settings, broken, FEED, [third], without=("history",))
    assert delivered(connection, third)[1] == "accepted_with_findings"


def test_counts_that_differ_from_what_was_written_make_the_rule_not_run(
    database: Any, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = judging.count

    def one_more(*given: Any) -> Any:
        return {rule: engine.Counted(c.checked, (c.failed or 0) + 1) for rule, c in real(*given).items()}

    monkeypatch.setattr(judging, "count", one_more)
    delivery = trial.deliver(connection, [record(1, forename=None)])
    judge(database, connection, delivery)
    assert results(connection, delivery)["TRI-001"][0] == "not_run"
    # What was found stays found: a doubt about our counting does not take a defect away.
    assert findings(connection, "TRI-001") == [(delivery, 1)]


def test_each_delivery_of_a_batch_gets_its_own_counts(database: Any, connection: Any) -> None:
    first = trial.deliver(connection, [record(1, number="9"), record(2)])
    second = trial.deliver(connection, [record(3, forename=None), record(3, forename=None, number="1"), record(4)])
    empty = trial.deliver(connection, [])
    judge(database, connection, first, second, empty)
    chosen = ["TRI-001", "TRI-002", "TRI-003"]
    assert [results(connection, first)[each] for each in chosen] == [("pass", 2, 0), ("fail", 1, 1), ("pass", 2, 0)]
    assert [results(connection, second)[each] for each in chosen] == [("fail", 3, 2), ("pass", 1, 0), ("fail", 3, 2)]
    assert [results(connection, empty)[each] for each in chosen] == [("not_applicable", 0, 0)] * 3


def test_a_rule_is_put_to_those_it_is_for_and_a_waived_one_to_nobody(database: Any, connection: Any) -> None:
    of = trial.house(
        record_rule("TRI-021", "true", applies_to=("police",)),
        record_rule("TRI-022", "true", applies_to=("trial_return",)),
        record_rule("TRI-023", "true"),
        rows_rule("TRI-024", "select _delivery_id, _record_no from {batch}", applies_to=("public",)),
        agency={"waived_rules": ("TRI-023",)},
    )
    police = trial.deliver(connection, [record(1)])
    public = trial.deliver(connection, [record(2)], agency="townspeople")
    by_layout = trial.deliver(connection, [record(3)], source="trial_return")
    judge(database, connection, police, public, by_layout, of=of)
    ran = {
        each: [rule for rule, (status, *_) in sorted(results(connection, each).items()) if status == "fail"]
        for each in (police, public, by_layout)
    }
    assert ran == {police: ["TRI-021"], public: ["TRI-023", "TRI-024"], by_layout: ["TRI-021", "TRI-022", "TRI-023"]}
    assert findings(connection, "TRI-024") == [(public, 1)]
    assert results(connection, police)["TRI-023"] == ("not_applicable", 0, 0)


def test_a_finding_persists_until_the_record_comes_without_it(database: Any, connection: Any) -> None:
    def state() -> list[Any]:
        return trial.rows(
            connection,
            "select delivery_id, state, resolved_by_delivery_id from quality.findings"
            " where rule_id = 'TRI-001' order by 1",
        )

    bad, good = [record(1, forename=None)], [record(1)]
    deliveries = []
    for records in (bad, bad, good):
        deliveries.append(trial.deliver(connection, records))
        judge(database, connection, deliveries[-1])
        if len(deliveries) == 2:
            assert state() == [(deliveries[0], "new", None), (deliveries[1], "persisting", None)]
    first, second, third = deliveries
    assert state() == [(first, "resolved", third), (second, "resolved", third)]


def test_within_one_batch_a_later_delivery_resolves_an_earlier_one(database: Any, connection: Any) -> None:
    bad, good = trial.deliver(connection, [record(1, forename=None)]), trial.deliver(connection, [record(1)])
    judge(database, connection, bad, good)
    assert trial.rows(
        connection, "select state, resolved_by_delivery_id from quality.findings where rule_id = 'TRI-001'"
    ) == [("resolved", good)]


@pytest.mark.parametrize(
    ("later", "of", "why"),
    [
        ([record(2)], HOUSE, "another record"),
        ([record(1), record(1)], HOUSE, "the key is used twice"),
        ([{"ref": "R1"}], HOUSE, "no key of its own"),
        ([record(1)], trial.house(record_rule("TRI-001", "no_such_column")), "the rule was not run"),
        (
            [record(1)],
            trial.house(record_rule("TRI-001", "true", applies_to=("public",))),
            "the rule was not put to it",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_finding_stays_open_when_it_is_not_sure_that_it_was_mended(
    database: Any, connection: Any, later: Any, of: House, why: str
) -> None:
    judge(database, connection, trial.deliver(connection, [record(1, forename=None)]))
    judge(database, connection, trial.deliver(connection, later), of=of)
    assert (
        trial.rows(
            connection,
            "select state from quality.findings where rule_id = 'TRI-001' and record_no = 1 order by delivery_id",
        )[0]
        == "new"
    ), why


@pytest.mark.parametrize(("severity", "state"), [("info", "resolved"), ("critical", "new")])
def test_a_hint_that_two_records_may_be_one_is_no_doubt_about_a_key(
    database: Any, connection: Any, severity: str, state: str
) -> None:
    judge(database, connection, trial.deliver(connection, [record(1, forename=None)]))
    hint = rows_rule(
        "TRI-005", "select _delivery_id, _record_no from {batch}", dimension="uniqueness", severity=severity
    )
    judge(database, connection, trial.deliver(connection, [record(1)]), of=trial.house(NAME, hint))
    assert trial.rows(connection, "select state from quality.findings where rule_id = 'TRI-001'") == [state]


@pytest.mark.parametrize("later", [{}, {"number": "many"}], ids=["blanked", "unreadable"])
def test_a_question_that_was_taken_away_resolves_nothing(database: Any, connection: Any, later: dict[str, str]) -> None:
    state = "select state from quality.findings where rule_id = 'TRI-002' order by delivery_id"
    judge(database, connection, trial.deliver(connection, [record(1, number="9")]))
    other = record(2, number="1")
    judge(database, connection, trial.deliver(connection, [record(1, **later), other]))
    assert trial.rows(connection, state) == ["new"]
    judge(database, connection, trial.deliver(connection, [record(1, number="2"), other]))
    assert trial.rows(connection, state) == ["resolved"]


@pytest.mark.parametrize(
    ("action", "severity", "state", "resolved_by"),
    [
        ("new", "warning", "resolved", "sender"),
        ("withdraw", "warning", "resolved", "derived"),
        ("withdraw", "critical", "new", None),
        ("no such action", "warning", "new", None),
    ],
)
def test_a_withdrawal_mends_nothing_and_never_closes_what_is_critical(
    database: Any, connection: Any, action: str, severity: str, state: str, resolved_by: str | None
) -> None:
    feed = HOUSE.feeds[FEED]
    of = replace(
        trial.house(replace(NAME, severity=severity)),
        feeds={
            FEED: replace(
                feed,
                rules=(replace(NAME, severity=severity),),
                properties=(*feed.properties, trial.prop("record_action", "code", code_list="record_action")),
            )
        },
    )
    trial.prepare(connection, of)
    judge(database, connection, trial.deliver(connection, [record(1, forename=None)]), of=of)
    judge(database, connection, trial.deliver(connection, [record(1, record_action=action)]), of=of)
    asked = "select state, resolved_by from quality.findings where rule_id = 'TRI-001'"
    assert trial.rows(connection, asked) == [(state, resolved_by)]


def test_a_verdict_says_how_much_was_read(database: Any, connection: Any) -> None:
    whole = trial.deliver(connection, [record(1)])
    partly = trial.deliver(connection, [record(2)], dead=1)
    replaced = trial.deliver(connection, [record(3)])
    headers_only = trial.deliver(connection, [])
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into quality.findings (delivery_id, record_no, rule_id, contract_version, state, found_at)"
            " values (%s, 1, 'FIL-009', '1.0.0', 'new', now()), (%s, 0, 'FIL-001', '1.0.0', 'new', now())",
            (replaced, headers_only),
        )
    judge(database, connection, whole, partly, replaced, headers_only)
    assert [delivered(connection, each)[1] for each in (whole, partly, replaced, headers_only)] == [
        "accepted",
        "partly_read",
        "partly_read",
        "accepted_with_findings",
    ]
    assert results(connection, replaced)["FIL-009"] == ("fail", 1, 1)
    assert results(connection, headers_only)["FIL-001"] == ("fail", 1, 1)
    events = trial.rows(
        connection, "select status_from, status_to from intake.delivery_events where delivery_id = %s", (whole,)
    )
    assert events == [("loaded", "checked")]


def test_judging_twice_says_the_same(database: Any, connection: Any) -> None:
    delivery = trial.deliver(connection, [record(1, forename=None), record(2, number="9")])
    judge(database, connection, delivery)
    before = (results(connection, delivery), findings(connection, "TRI-001"), delivered(connection, delivery))
    judge(database, connection, delivery)
    assert (results(connection, delivery), findings(connection, "TRI-001"), delivered(connection, delivery)) == before
    assert trial.rows(connection, "select distinct state from quality.findings") == ["new"]


def test_no_value_of_a_record_is_in_what_great_expectations_answers_or_says(
    database: Any, connection: Any, caplog: pytest.LogCaptureFixture, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = engine._counted

    def listening(result: Any) -> Any:
        # What a check that raised says of its error stays inside: nobody reads it (frontdoor/quality/engine.py).
        seen.append(str({key: said for key, said in result.to_json_dict().items() if key != "exception_info"}))
        return real(result)

    monkeypatch.setattr(engine, "_counted", listening)
    everything = {each.name: f"{CANARY}{each.name}" for each in HOUSE.feeds[FEED].properties}
    delivery = trial.deliver(connection, [everything | {"extra": {CANARY: CANARY}}, everything])
    with caplog.at_level(logging.DEBUG):
        judge(database, connection, delivery, of=trial.house(NAME, SMALL, TWICE, *BROKEN))
    assert len(seen) > 4
    assert CANARY not in "".join(seen)
    assert CANARY not in caplog.text + "".join(capfd.readouterr())
    kept = trial.rows(connection, "select findings::text || coalesce(record_key, '') from quality.findings")
    kept += trial.rows(connection, "select check_results::text from quality.check_results")
    assert kept and CANARY not in "".join(kept)


def test_constants_of_the_day_received_are_used(
    database: Any, connection: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    early, late = trial.RECEIVED, trial.RECEIVED + timedelta(days=20)
    for seed in reference.SEEDS.glob("*.csv"):
        shutil.copy(seed, tmp_path)
    with (tmp_path / "thresholds.csv").open("a", encoding="utf-8", newline="") as file:
        ends = (late - timedelta(days=1)).date()
        csv.writer(file).writerow(["some_limit", 5, "apples", "2000-01-01", ends, "a trial", "less"])
        csv.writer(file).writerow(["some_limit", 8, "apples", late.date(), "", "a trial", "more"])
    monkeypatch.setattr(reference, "SEEDS", tmp_path)
    of = trial.house(record_rule("TRI-031", "number > {limit:some_limit}"))
    before = trial.deliver(connection, [record(1, number="6")], received_at=early)
    after = trial.deliver(connection, [record(2, number="6")], received_at=late)
    judge(database, connection, before, after, of=of)
    assert findings(connection, "TRI-031") == [(before, 1)]
