"""Every rule, as data: `<feed>/good.csv` breaks nothing; `<feed>/cases.yaml` changes cells and names what must fail.

The records go through the real reading and the real checks. All cases of a folder are judged as one batch, a delivery
each, under references of their own. A case that fails: open expectations/<feed>/contract.odcs.yaml at the rule.
"""

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2.extensions
import psycopg2.extras
import pytest
import yaml

from frontdoor import quality, warehouse
from frontdoor.contract import House, load_house

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent.name for path in HERE.glob("*/cases.yaml"))
FINDINGS = "select record_no, rule_id from quality.findings where delivery_id = %s"
# `pass`: asked of at least one record, and kept by all. A rule that met no record is `not_applicable`.
KEPT = """
    select rule_id, status from quality.check_results
    where delivery_id = any(%s) and status in ('pass', 'not_applicable') and rule_id not like 'FIL-%%'
"""
RECEIVED_ZONE = ZoneInfo("Europe/London")


@dataclass(frozen=True)
class Case:
    """One delivery, who sent it, what came before it and by how much, and the rules that each record must break.

    `file_rules` are those that the delivery as a whole must break, given what came before it.
    """

    name: str
    agency: str
    rules: tuple[frozenset[str], ...]
    file_rules: frozenset[str]
    records: tuple[dict[str, str], ...]
    earlier: tuple[dict[str, str], ...]
    earlier_by: timedelta


@cache
def declared(folder: str) -> dict[str, Any]:
    return yaml.safe_load((HERE / folder / "cases.yaml").read_text(encoding="utf-8"))


@cache
def the_house() -> House:
    return load_house()


@cache
def cases(folder: str) -> list[Case]:
    with (HERE / folder / "good.csv").open(encoding="utf-8", newline="") as file:
        (good,) = csv.DictReader(file)
    reference = the_house().feeds[declared(folder)["feed"]].reference_property
    numbered = declared(folder).get("numbered", ())
    found = []
    for number, each in enumerate(declared(folder)["cases"], start=1):

        def record(change: dict[str, Any] | None, number: int = number) -> dict[str, str]:
            made = good | {name: str(value) for name, value in (change or {}).items()}
            own = made[reference] and made[reference] != "n/a" and folder != "cin_census"
            others = {name: f"{made[name]}-{number}" for name in numbered if made.get(name)}
            if "narrative" in good and made["narrative"] == good["narrative"]:
                # Cases are no copies of one another; the records of one case are.
                others["narrative"] = f"{good['narrative']} Case {number}."
            return made | {reference: f"{made[reference]}-{number}" if own else made[reference]} | others

        first = each.get("change") or {}
        further = [(dict(more), more.get("rules", each["rules"])) for more in each.get("more", [])]
        records = (record(first), *(record(first | _cells(more)) for more, _ in further))
        rules = tuple(frozenset(wanted) for wanted in (each["rules"], *(wanted for _, wanted in further)))
        earlier = tuple(record(change) for change in each.get("earlier", []))
        agency = each.get("agency", declared(folder)["agency"])
        earlier_by = timedelta(days=each.get("earlier_by_days", 0))
        file_rules = frozenset(each.get("file_rules", []))
        found.append(Case(each["name"], agency, rules, file_rules, records, earlier, earlier_by))
    return found


def _cells(more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if name != "rules"}


def deliver(
    cursor: psycopg2.extensions.cursor,
    folder: str,
    agency: str,
    received_at: datetime,
    records: tuple[dict[str, str], ...],
) -> int:
    """Put records into raw.<feed> as intake would; return the delivery."""
    told = declared(folder)
    cursor.execute(
        "insert into intake.files (agency_code, source, file_name, taken_token, sha256_received, sha256_stored,"
        " size_bytes, received_at, status)"
        " values (%s, %s, 'case', gen_random_uuid()::text, '', '', 0, %s, 'received') returning file_id",
        (agency, told["source"], received_at),
    )
    file_id = cursor.fetchone()[0]
    cursor.execute(
        "insert into intake.deliveries (file_id, member_no, agency_code, source, feed, contract_version,"
        " agency_version, status, size_bytes, records_in, records_loaded, records_dead, received_at)"
        " values (%s, 1, %s, %s, %s, '1.0.0', '1', 'loaded', 0, %s, %s, 0, %s)"
        " returning delivery_id",
        (file_id, agency, told["source"], told["feed"], len(records), len(records), received_at),
    )
    delivery_id: int = cursor.fetchone()[0]
    cursor.execute("select raw.ensure_partition(%s, %s)", (told["feed"], received_at))
    columns = list(dict.fromkeys(name for each in records for name in each))
    named = ", ".join(("_agency_code", "_delivery_id", "_record_no", "_received_at", *columns))
    psycopg2.extras.execute_values(
        cursor,
        f"insert into raw.{told['feed']} ({named}) values %s",
        [
            (agency, delivery_id, number, received_at, *(each.get(name, "") for name in columns))
            for number, each in enumerate(records, start=1)
        ],
    )
    return delivery_id


@dataclass(frozen=True)
class Outcomes:
    """What was found. ``broken``: (folder, case) -> the rules that the delivery broke (place 0), and each of its records.

    ``kept``: the rules that were asked in some case, and kept; ``not_met``: those that met no record in some case.
    """

    broken: dict[tuple[str, str], list[Counter[str]]]
    kept: set[str]
    not_met: set[str]


@pytest.fixture(scope="module")
def found(database: Any) -> Outcomes:
    house, outcomes = the_house(), Outcomes({}, set(), set())
    connection = database.connect()
    warehouse.ensure_raw_tables(connection, house)
    warehouse.load_reference(connection, house)
    for folder in FOLDERS:
        told = declared(folder)
        received_at = datetime.fromisoformat(told["received_at"]).replace(tzinfo=RECEIVED_ZONE)
        ids: dict[int, Case] = {}
        everything = []
        with connection, connection.cursor() as cursor:
            for case in cases(folder):
                if case.earlier:
                    before = received_at - case.earlier_by
                    everything.append(deliver(cursor, folder, case.agency, before, case.earlier))
                everything.append(deliver(cursor, folder, case.agency, received_at, case.records))
                ids[everything[-1]] = case
            quality.read(connection, house, everything)
        quality.judge(connection, database.settings, house, told["feed"], everything)
        with connection, connection.cursor() as cursor:
            cursor.execute("select rule_id from quality.check_results where status = 'not_run'")
            assert not cursor.fetchall(), "a rule raised: its SQL must stand any text"
            for delivery_id, case in ids.items():
                cursor.execute(FINDINGS, (delivery_id,))
                broken: list[Counter[str]] = [Counter() for _ in (0, *case.records)]
                for record_no, rule_id in cursor.fetchall():
                    broken[record_no][rule_id] += 1
                outcomes.broken[folder, case.name] = broken
            cursor.execute(KEPT, ([*ids],))
            for rule_id, status in cursor:
                (outcomes.kept if status == "pass" else outcomes.not_met).add(rule_id)
    connection.close()
    return outcomes


@pytest.mark.parametrize(
    ("folder", "name"), [(folder, case["name"]) for folder in FOLDERS for case in declared(folder)["cases"]]
)
def test_a_case_breaks_exactly_the_rules_that_it_names(folder: str, name: str, found: Outcomes) -> None:
    (case,) = (each for each in cases(folder) if each.name == name)
    why = next(each["why"] for each in declared(folder)["cases"] if each["name"] == name)
    as_a_whole, *of_records = found.broken[folder, name]
    for number, (broken, wanted) in enumerate(zip(of_records, case.rules, strict=True), start=1):
        assert set(broken) == wanted, f"record {number}: {why} See tests/feeds/{folder}/cases.yaml"
    # What came before is another case's delivery, unless the case names its own.
    if case.earlier:
        assert set(as_a_whole) == case.file_rules, f"the delivery: {why} See tests/feeds/{folder}/cases.yaml"
    else:
        assert not case.file_rules, f"name what came earlier in tests/feeds/{folder}/cases.yaml"


def test_every_rule_has_a_case_that_fails_and_one_that_is_asked_and_passes(found: Outcomes) -> None:
    cases_of_all = [case for folder in FOLDERS for case in declared(folder)["cases"]]
    failing = {rule for case in cases_of_all for rule in (*case["rules"], *case.get("file_rules", []))}
    rules = [rule for feed in the_house().feeds.values() for rule in feed.rules]
    wanted = {rule.rule_id for rule in rules}
    assert wanted, "expectations/ holds no rule"
    assert failing == wanted, "add a case that breaks each rule to tests/feeds/<feed>/cases.yaml"
    # A rule that fails wherever it applies is kept where it does not apply.
    always = {rule.rule_id for rule in rules if rule.expectation.get("fails_when") == "true"}
    assert len(always) < len(wanted) / 10
    kept = (found.kept - always) | (found.not_met & always)
    assert kept == wanted, "add a case in which the rule is asked and kept to tests/feeds/<feed>/cases.yaml"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_case_has_a_name_of_its_own_and_a_reason(folder: str) -> None:
    told = declared(folder)["cases"]
    assert len({case["name"] for case in told}) == len(told) > 1
    assert all(case["why"].strip() for case in told)
