"""The runner of the marts on a real Postgres, with a small dbt project in place of the house's models.

A failure here is mended in frontdoor/warehouse: builds.py (the loop), slices.py (what is drained), safety_net.py,
dbt_runner.py.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from frontdoor import warehouse
from frontdoor.contract import House, load_house
from frontdoor.warehouse import builds, dbt_runner, slices
from frontdoor.warehouse.builds import BuildResult
from tests.conftest import Database

pytestmark = [pytest.mark.timeout(300), pytest.mark.on_both_servers]

CANARY = "Zebedee Canarius 19991231"
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

NOTIFICATIONS = """
{{ config(materialized="incremental", unique_key="record_key", schema="core") }}
select police.record_key, police._agency_code as agency_code, police._delivery_id, police._record_no, police.child_key,
    police.sender_reference, police._received_at as received_at
from {{ news_of(source("raw", "police_read")) }} as police
"""
TRIAGE = """
{{ config(materialized="incremental", unique_key="record_key", schema="worklists") }}
select versions.record_key, 'police' as feed, versions.agency_code, versions.sender_reference, versions.child_key,
    versions.received_at, true as is_open, false as is_withdrawn, 0::integer as defect_count,
    null::text as worst_severity, '[]'::jsonb as defects, versions._delivery_id as delivery_id,
    versions._record_no as record_no
from {{ ref("fct_notification_version") }} as versions
where {{ is_news("versions._delivery_id", "versions._record_no") }}
"""
SOURCES = """
sources:
  - name: raw
    schema: raw
    tables: [{name: police_read}]
"""
# Says which value it choked on: the message must get nowhere.
CHOKES = """
select cast(max(police.sender_reference) as date) as oops from {{ source("raw", "police_read") }} as police
"""


@dataclass
class Marts:
    """A database with a police feed, and a dbt project that a test may break."""

    database: Database
    project: Path
    connection: Connection

    def build(self, **options: Any) -> BuildResult:
        return warehouse.build(self.database.settings, project=self.project, **options)

    def write(self, name: str, text: str) -> None:
        (self.project / "models" / name).write_text(text, encoding="utf-8")

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, values)
            rows = cursor.fetchall() if cursor.description else []
        self.connection.commit()
        return rows

    def deliver(self, records: int, *, is_read: bool = True, reference: str = CANARY) -> int:
        """A published delivery of so many invented records; its id."""
        (count,) = self.ask("select count(*) from intake.files")[0]
        token = f"token-{count}"
        ((delivery_id,),) = self.ask(
            """
            with file as (
                insert into intake.files (
                    agency_code, source, file_name, taken_token, sha256_received, sha256_stored, size_bytes,
                    received_at, status
                ) values ('wearside_police', 'police', 'f', %s, %s, 'x', 1, %s, 'received') returning file_id
            )
            insert into intake.deliveries (
                file_id, member_no, agency_code, source, feed, contract_version, agency_version, status, verdict,
                size_bytes, records_in, records_loaded, records_dead, received_at, published_at
            )
            select
                file_id, 1, 'wearside_police', 'police', 'police', '1.0.0', '1', 'published', 'accepted',
                1, %s, %s, 0, %s, %s
            from file
            returning delivery_id
            """,
            *(token, token, AT, records, records, AT, AT),
        )
        warehouse.ensure_partition(self.connection, "police", AT)
        self.ask(
            "insert into raw.police (_agency_code, _delivery_id, _record_no, _received_at, notification_ref)"
            " select 'wearside_police', %s, n, %s, %s from generate_series(1, %s) as n",
            *(delivery_id, AT, reference, records),
        )
        if is_read:
            self.ask(
                "insert into raw.police_read (_agency_code, _delivery_id, _record_no, _received_at, record_key,"
                " content_hash, has_own_key, sender_reference)"
                " select 'wearside_police', %s, n, %s, md5(%s || n), '', true, %s from generate_series(1, %s) as n",
                *(delivery_id, AT, token, reference, records),
            )
        return int(delivery_id)

    def listed(self) -> int:
        """Records on the work list; each at most once, or this fails."""
        ((rows, records),) = self.ask("select count(*), count(distinct (delivery_id, record_no)) from worklists.triage")
        assert rows == records, "a record is on the work list twice"
        return int(records)

    def unbuilt(self) -> int:
        ((count,),) = self.ask("select count(*) from intake.deliveries where built_in is null")
        return int(count)


@pytest.fixture(scope="module")
def house() -> House:
    return load_house()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The macros of the house, in one place for all tests: dbt parses again only what changed since the test before."""
    project = tmp_path_factory.mktemp("project") / "dbt_project"
    shutil.copytree(dbt_runner.PROJECT / "macros", project / "macros")
    shutil.copy(dbt_runner.PROJECT / "dbt_project.yml", project)
    return project


@pytest.fixture
def marts(database: Database, house: House, project: Path) -> Iterator[Marts]:
    connection = database.connect()
    warehouse.ensure_raw_tables(connection, house)
    with connection.cursor() as cursor:
        cursor.execute(
            "drop table if exists worklists.triage, core.fct_notification_version cascade;"
            "truncate warehouse.build_slices, warehouse.builds, warehouse.clock, intake.files,"
            " raw.police, raw.police_read cascade"
        )
    connection.commit()
    shutil.rmtree(project / "models", ignore_errors=True)
    (project / "models").mkdir()
    marts = Marts(database, project, connection)
    marts.write("sources.yml", SOURCES)
    marts.write("fct_notification_version.sql", NOTIFICATIONS)
    marts.write("triage.sql", TRIAGE)
    yield marts
    connection.close()


def test_published_deliveries_are_built_once_and_tests_follow(marts: Marts) -> None:
    marts.write("tests.yml", "models: [{name: triage, columns: [{name: worst_severity, data_tests: [not_null]}]}]")
    first, second = marts.deliver(100), marts.deliver(3)
    result = marts.build()
    assert (result.builds_count, result.deliveries_count, result.records_count) == (1, 2, 103)
    assert (result.models_failed, result.rescued_count) == ((), 0)
    assert result.tests_failed == ("not_null_triage_worst_severity",)
    assert marts.listed() == 103
    assert marts.ask(
        "select built_in, records_built from intake.deliveries where delivery_id in (%s, %s)", first, second
    )
    assert marts.ask("select status, tests_failed from warehouse.builds") == [
        ("succeeded", ["not_null_triage_worst_severity"])
    ]
    assert marts.build().builds_count == 0


def test_no_news_moves_the_clock_only_when_asked_and_stale(marts: Marts) -> None:
    assert marts.build(even_if_nothing=True).builds_count == 1
    assert marts.build(even_if_nothing=True).builds_count == 0
    marts.ask("update warehouse.clock set as_of = as_of - interval '1 hour'")
    assert marts.build().builds_count == 0
    assert marts.build(even_if_nothing=True).builds_count == 1
    ((news,),) = marts.ask("select count(*) from warehouse.news")
    assert news == 0


def test_large_delivery_is_built_in_slices_with_small_ones_between(
    marts: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LARGE_RECORDS", 50)
    monkeypatch.setattr(slices, "SLICE_RECORDS", 100)
    large, small = marts.deliver(250), marts.deliver(10)
    late: list[int] = []
    run_models = dbt_runner.Dbt.run_models

    def land_one_meanwhile(dbt: dbt_runner.Dbt, news_of: Any) -> dbt_runner.Outcome:
        if not late and marts.ask("select records_built from intake.deliveries where delivery_id = %s", large) == [
            (100,)
        ]:
            late.append(marts.deliver(5))
        return run_models(dbt, news_of)

    monkeypatch.setattr(dbt_runner.Dbt, "run_models", land_one_meanwhile)
    assert marts.build().records_count == 265
    rows = marts.ask("select delivery_id, record_from, record_to from warehouse.build_slices order by build_id")
    # The late one comes after the second slice, not after the third.
    assert [row[0] for row in rows] == [small, large, large, late[0], large]
    assert [(row[1], row[2]) for row in rows if row[0] == large] == [(1, 100), (101, 200), (201, slices.NO_END)]
    assert (marts.listed(), marts.unbuilt()) == (265, 0)


def test_two_builds_at_once_build_everything_once(marts: Marts) -> None:
    results: list[BuildResult] = []
    threads = [threading.Thread(target=lambda: results.append(marts.build())) for _ in range(2)]
    for _ in range(4):
        marts.deliver(20)
    for thread in threads:
        thread.start()
    late = marts.deliver(7)
    results.append(marts.build())
    for thread in threads:
        thread.join()
    assert marts.ask("select built_in is not null from intake.deliveries where delivery_id = %s", late) == [(True,)]
    assert sum(result.records_count for result in results) == 87
    assert marts.listed() == 87


BUILD_AND_DIE = """
import sys, time
from pathlib import Path
from frontdoor import settings, warehouse
from frontdoor.warehouse import dbt_runner
run_models = dbt_runner.Dbt.run_models
def hang_at_the_end(dbt, news_of):
    outcome = run_models(dbt, news_of)
    Path(sys.argv[2]).write_text("models are there")
    time.sleep(600)
    return outcome
dbt_runner.Dbt.run_models = hang_at_the_end
warehouse.build(settings.load(), project=Path(sys.argv[1]))
"""


def test_build_killed_after_its_models_is_lost_and_built_again_without_doubles(marts: Marts, tmp_path: Path) -> None:
    from frontdoor import settings as setting

    marts.deliver(40)
    sign = tmp_path / "sign"
    environment = {**os.environ, **setting.as_environment(marts.database.settings)}
    child = subprocess.Popen([sys.executable, "-c", BUILD_AND_DIE, str(marts.project), str(sign)], env=environment)
    try:
        _wait(sign.exists, 90)
        assert marts.build().builds_count == 0, "the lock of a running build was not respected"
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    assert marts.unbuilt() == 1
    _wait(lambda: marts.build().records_count == 40, 30)
    assert marts.ask("select status from warehouse.builds order by build_id") == [("lost",), ("succeeded",)]
    assert (marts.listed(), marts.unbuilt()) == (40, 0)
    assert marts.ask("select count(*) from core.fct_notification_version") == [(40,)]


def test_model_above_the_list_fails_and_the_net_lists_every_record(
    marts: Marts, capfd: pytest.CaptureFixture[str]
) -> None:
    marts.deliver(30)
    marts.build()
    good = (marts.project / "models" / "fct_notification_version.sql").read_text(encoding="utf-8")
    marts.write("fct_notification_version.sql", good.split("select")[0] + CHOKES)
    delivery = marts.deliver(12)
    result = marts.build()
    assert result.models_failed == ("fct_notification_version",)
    assert (result.deliveries_count, result.rescued_count) == (0, 12)
    assert marts.listed() == 42
    assert marts.ask(
        "select distinct is_open, sender_reference from worklists.triage where delivery_id = %s", delivery
    ) == [(True, CANARY)]
    assert marts.unbuilt() == 1
    assert marts.build().rescued_count == 0, "a second failure must not list a record twice"
    marts.write("fct_notification_version.sql", good)
    assert marts.build().deliveries_count == 1
    assert (marts.listed(), marts.unbuilt()) == (42, 0)
    _nothing_tells(marts, capfd)


def test_project_that_cannot_be_parsed_leaves_every_record_on_the_list(
    marts: Marts, capfd: pytest.CaptureFixture[str]
) -> None:
    marts.write("triage.sql", "select {{ no_such_macro() }} from {{ ref('nothing') }}")
    marts.deliver(25)
    result = marts.build()
    assert (result.models_failed, result.rescued_count) == ((dbt_runner.WHOLE_PROJECT,), 25)
    assert marts.listed() == 25
    marts.write("triage.sql", TRIAGE)
    assert marts.build().deliveries_count == 1
    assert marts.listed() == 25
    _nothing_tells(marts, capfd)


def test_dbt_that_cannot_be_imported_leaves_every_record_on_the_list(
    marts: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dbt.cli.main", None)
    monkeypatch.setattr(dbt_runner, "_manifests", {})
    marts.deliver(5)
    assert marts.build().rescued_count == 5
    assert marts.listed() == 5


def test_record_without_a_reading_is_listed_with_its_findings(marts: Marts) -> None:
    delivery = marts.deliver(3, is_read=False)
    marts.ask(
        "insert into quality.checks values ('POL-999', '1.0.0', 'police', 'critical', 'completeness', 'completeness',"
        " 'record', 'liaison', 'Something is missing.', 'Send it.') on conflict do nothing"
    )
    marts.ask(
        "insert into quality.findings (delivery_id, record_no, rule_id, contract_version, state, found_at)"
        " values (%s, 2, 'POL-999', '1.0.0', 'new', %s)",
        *(delivery, AT),
    )
    assert marts.build().rescued_count == 3
    assert marts.ask("select record_key, defect_count, worst_severity from worklists.triage where record_no = 2") == [
        (f"{delivery}#2", 1, "critical")
    ]
    ((defects,),) = marts.ask("select defects from worklists.triage where record_no = 2")
    assert defects == [
        {"rule_id": "POL-999", "severity": "critical", "sentence": "Something is missing.", "what_to_do": "Send it."}
    ]


def test_failing_indicator_holds_nothing_back(marts: Marts) -> None:
    config = '{{ config(materialized="incremental", incremental_strategy="replace_all", schema="indicators") }}'
    marts.write("broken_indicator.sql", config + CHOKES)
    marts.deliver(4)
    result = marts.build()
    assert (result.models_failed, result.deliveries_count, result.rescued_count) == (("broken_indicator",), 1, 0)
    assert marts.ask("select status from warehouse.builds") == [("failed",)]


def test_reader_holding_a_lock_delays_a_model_and_does_not_fail_it(
    marts: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_runner, "SESSION", dbt_runner.SESSION.replace("lock_timeout=5s", "lock_timeout=300ms"))
    marts.deliver(6)
    marts.build()
    reader = marts.database.connect()
    with reader.cursor() as cursor:
        cursor.execute("lock table worklists.triage in share mode")
    threading.Timer(1.2, reader.close).start()
    marts.deliver(6)
    result = marts.build()
    assert (result.models_failed, result.deliveries_count, result.rescued_count) == ((), 1, 0)
    assert marts.listed() == 12


def test_reader_sees_a_full_list_during_every_build(marts: Marts) -> None:
    marts.write(
        "triage.sql",
        TRIAGE.replace('unique_key="record_key"', 'incremental_strategy="replace_all"').split("where {{")[0],
    )
    marts.deliver(50)
    marts.build()
    seen: set[int] = set()
    stop = threading.Event()

    def read() -> None:
        reader = marts.database.connect()
        reader.autocommit = True
        with reader.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("select count(*) from worklists.triage")
                seen.add(cursor.fetchone()[0])  # type: ignore[index]
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        marts.deliver(50)
        marts.build()
    finally:
        stop.set()
        thread.join()
    assert seen == {50, 100}


def test_cost_of_the_news_does_not_grow_with_what_was_built_before(marts: Marts) -> None:
    for _ in range(5):
        marts.deliver(2000)
        marts.build()
    marts.deliver(7)
    marts.build()
    (manifest,) = dbt_runner._manifests.values()
    query = manifest.nodes["model.frontdoor.fct_notification_version"].compiled_code
    ((plan,),) = marts.ask("explain (analyze, format json) " + query.replace("%", "%%"))
    assert plan[0]["Plan"]["Actual Rows"] == 7
    assert _rows_touched(plan[0]["Plan"]) < 500, "records that are no news were read: see macros/news.sql"


def _rows_touched(plan: dict[str, Any]) -> float:
    own = plan["Actual Rows"] * plan["Actual Loops"]
    return float(own + sum(_rows_touched(child) for child in plan.get("Plans", ())))


def test_replayed_while_it_is_built_is_built_again(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = marts.deliver(2)
    run_models = dbt_runner.Dbt.run_models

    def publish_again(dbt: dbt_runner.Dbt, news_of: Any) -> dbt_runner.Outcome:
        monkeypatch.setattr(dbt_runner.Dbt, "run_models", run_models)
        marts.ask("update intake.deliveries set published_at = published_at + interval '1 hour'")
        return run_models(dbt, news_of)

    monkeypatch.setattr(dbt_runner.Dbt, "run_models", publish_again)
    assert marts.build().builds_count == 2
    assert marts.ask("select count(*) from warehouse.build_slices where delivery_id = %s", delivery) == [(2,)]
    assert marts.unbuilt() == 0


def test_news_stops_the_tests(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> None:
    marts.write("tests.yml", "models: [{name: triage, columns: [{name: record_key, data_tests: [not_null, unique]}]}]")
    monkeypatch.setattr(builds, "TESTS_AT_A_TIME", 1)
    run_tests = dbt_runner.Dbt.run_tests

    def land_one_meanwhile(dbt: dbt_runner.Dbt, names: list[str]) -> dbt_runner.Outcome:
        monkeypatch.setattr(dbt_runner.Dbt, "run_tests", run_tests)
        marts.deliver(1)
        return run_tests(dbt, names)

    monkeypatch.setattr(dbt_runner.Dbt, "run_tests", land_one_meanwhile)
    marts.deliver(1)
    assert marts.build().builds_count == 2
    assert marts.ask("select tests_count, tests_at is null from warehouse.builds order by build_id") == [
        (1, True),
        (2, False),
    ]


def test_passwords_stay_out_of_the_folder_of_dbt_and_nothing_is_sent(marts: Marts) -> None:
    from dbt import tracking

    marts.deliver(2)
    marts.build()
    assert tracking.active_user is None or tracking.active_user.do_not_track
    written = b"".join(path.read_bytes() for path in _folder(marts).rglob("*") if path.is_file())
    assert written, "dbt wrote nothing at all: this test looks in the wrong place"
    passfile = Path(marts.connection.info.dsn_parameters["passfile"]).read_text(encoding="utf-8")
    for line in passfile.splitlines():
        assert line.rsplit(":", 1)[-1].encode() not in written
    assert not (_folder(marts) / "log" / "dbt.log").exists()
    assert not list((dbt_runner.PROJECT).glob("target")) and not list((dbt_runner.PROJECT).glob("logs"))


def _folder(marts: Marts) -> Path:
    return marts.database.settings.home / "dbt"


def _nothing_tells(marts: Marts, capfd: pytest.CaptureFixture[str]) -> None:
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err
    for path in _folder(marts).rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in json.dumps(marts.ask("select models_failed, tests_failed from warehouse.builds"))


def _wait(happened: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
