"""Figures and lineage are what the tables say, carry no value, and hold nothing up. Mend: frontdoor/monitoring/.

The tests of a module share a database: each looks at what its own part of the module's files did.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openlineage.client.event_v2 import Job, JobEvent, Run, RunEvent
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from frontdoor import delivery, intake, monitoring, quality
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.delivery import lanes
from frontdoor.monitoring import figures, prometheus, pushing
from frontdoor.prepare import prepare
from frontdoor.settings import Settings, as_environment, load
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database

pytestmark = pytest.mark.on_both_servers

HOUSE = load_house()
CANARIES = ("Zorvika", "Quelmarsh", "glimmerfox", "99988", "2011-01-09")
POLICE, SCHOOLS = ("wearside_police", "police"), ("wearside_schools", "referral")


def land(settings: Settings, agency: str, source: str, payload: bytes, name: str) -> None:
    folder = settings.landing / agency / source
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{name}").write_bytes(payload)
    (folder / f".{name}").rename(folder / name)


def sample(agency: str, feed: str, records: int, breaks: str | None = None, seed: int = 1) -> bytes:
    return sample_records(HOUSE, agency, feed, records, seed=seed, break_rule=breaks)


@pytest.fixture(scope="module")
def done(database: Database) -> Database:
    """Send files with canaries through the whole house: good, poor, unreadable, from a folder that nobody knows."""
    prepare(database.settings)
    here = database.settings
    land(here, *POLICE, sample(*POLICE, 12), "Zorvika Quelmarsh 2011-01-09.csv")
    land(here, *POLICE, sample(*POLICE, 9, breaks="POL-020", seed=2), "glimmerfox.csv")
    poor = sample(*SCHOOLS, 5).decode("utf-8-sig").splitlines()
    poor[1] = ",".join("Zorvika glimmerfox 99988" for _ in poor[0].split(","))
    land(here, *SCHOOLS, "\r\n".join(poor).encode(), "good.csv")
    land(here, "wearside_council", "visit", b"\x00\x01\x02 Quelmarsh", "Quelmarsh.csv")
    land(here, "Quelmarsh", "police", b"Zorvika", "unknown.csv")
    delivery.ingest(here)
    return database


@pytest.fixture
def measured(done: Database) -> dict[str, float]:
    with closing(done.connect()) as connection:
        found = figures.measure(connection, done.settings)
    return _parsed(prometheus.text(found))


def _parsed(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_figures_are_what_the_tables_say(done: Database, measured: dict[str, float]) -> None:
    of_police = 'agency="wearside_police",feed="police"'
    assert measured[f'frontdoor_deliveries_last_day{{{of_police},state="published",verdict="accepted"}}'] == 1
    assert (
        measured[f'frontdoor_deliveries_last_day{{{of_police},state="published",verdict="accepted_with_findings"}}']
        == 1
    )
    assert sum(value for name, value in measured.items() if 'state="dead_letter"' in name) == 1
    assert measured[f"frontdoor_records_last_day{{{of_police}}}"] == 21
    ((critical,),) = rows(
        done,
        "select count(*) from quality.findings join intake.deliveries using (delivery_id)"
        " join quality.checks on checks.rule_id = findings.rule_id"
        " and checks.contract_version = deliveries.contract_version"
        " where deliveries.feed = 'police' and severity = 'critical'",
    )
    assert critical > 0
    assert measured[f'frontdoor_findings_last_day{{{of_police},severity="critical"}}'] == critical
    assert measured['frontdoor_dead_letters_open{agency="unknown"}'] == 1
    assert measured['frontdoor_dead_letters_open{agency="wearside_council"}'] == 1
    assert measured["frontdoor_messages_unsent"] == 0
    assert 0 < measured['frontdoor_publish_seconds{feed="police",quantile="1"}'] < 120
    assert 0 < measured['frontdoor_build_lag_seconds{quantile="0.5"}'] < 120
    assert measured['frontdoor_builds_last_day{status="succeeded"}'] >= 1
    assert measured['frontdoor_builds_last_day{status="failed"}'] == 0
    assert 0 < measured["frontdoor_build_seconds"] < 120
    assert measured["frontdoor_landing_files"] == measured["frontdoor_figures_failed"] == 0
    assert measured["frontdoor_archive_bytes"] > 1000
    assert 0 < measured['frontdoor_disk_free_ratio{folder="home"}'] < 1
    assert abs(measured["frontdoor_measured_timestamp_seconds"] - time.time()) < 60


def test_what_waits_is_measured_by_how_long_it_waits(done: Database) -> None:
    with closing(done.connect()) as connection:
        with connection.cursor() as cursor:
            # Rolled back in the end: a delivery that moved an hour ago for the last time, one built not at all, a
            # message of yesterday, a dead letter past its time, a silent sender, a running build.
            cursor.execute(
                """
                update intake.deliveries set status = 'loaded', received_at = received_at - interval '1 year'
                where delivery_id = (select min(delivery_id) from intake.deliveries);
                update intake.delivery_events set at = at - interval '1 hour'
                where delivery_id = (select min(delivery_id) from intake.deliveries);
                update intake.deliveries set built_in = null, last_published_at = published_at - interval '2 hours'
                where delivery_id = (select max(delivery_id) from intake.deliveries where status = 'published');
                update alerts.messages set sent_at = null, created_at = created_at - interval '3 hours';
                update quality.dead_letters set due_at = due_at - interval '3 days';
                insert into quality.expected_deliveries (
                    agency_code, feed, source, expected_on, due_at, state, raised_at
                ) values ('wearside_police', 'police', 'police', '2026-01-05', now(), 'missing', now());
                """
            )
        samples = {}
        for figure in figures.FROM_TABLES:
            with connection.cursor() as cursor:
                cursor.execute(figure.sql, {"now": figures.clock.now()})
                samples |= {(figure.name, *row[:-1]): float(row[-1]) for row in cursor}
        connection.rollback()
    assert 3600 <= samples[("unpublished_oldest_seconds",)] < 3900
    assert 7200 <= samples[("unbuilt_oldest_seconds",)] < 7500
    assert 3 * 3600 <= samples[("messages_unsent_oldest_seconds",)] < 3 * 3600 + 300
    assert samples[("messages_unsent",)] > 0
    assert samples[("dead_letters_overdue", "unknown")] == 1
    assert samples[("silent_sender_days", "wearside_police", "police")] == 1


def test_file_that_nobody_takes_is_measured(done: Database, tmp_path: Path) -> None:
    settings = load({**as_environment(done.settings), "FRONTDOOR_LANDING": str(tmp_path)})
    land(settings, *POLICE, b"x", "waits.csv")
    time.sleep(0.05)
    with closing(done.connect()) as connection:
        found = _parsed(prometheus.text(figures.measure(connection, settings)))
    assert found["frontdoor_landing_files"] == 1
    assert 0.04 < found["frontdoor_landing_oldest_seconds"] < 60


def test_folder_that_cannot_be_listed_is_no_empty_one(
    done: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load({**as_environment(done.settings), "FRONTDOOR_LANDING": str(tmp_path)})
    land(settings, "wearside_schools", "referral", b"x", "waits.csv")
    land(settings, *POLICE, b"x", "Zorvika.csv")
    (tmp_path / "lost+found").mkdir()  # where a disk is mounted; it holds nothing that was sent
    scandir, shut = os.scandir, ["lost+found"]

    def closed(path: Any) -> Any:
        if str(path).endswith(tuple(shut)):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with closing(done.connect()) as connection:
        assert _parsed(prometheus.text(figures.measure(connection, settings)))["frontdoor_landing_files"] == 2
        shut.append("wearside_police/police")
        found = _parsed(prometheus.text(figures.measure(connection, settings)))
    assert "frontdoor_landing_files" not in found and "frontdoor_landing_oldest_seconds" not in found
    assert found["frontdoor_figures_failed"] == 2
    assert "Zorvika" not in caplog.text


def test_each_disk_is_measured_once_under_the_first_folder_on_it(
    done: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that has a volume of its own fills that, and its folder is made with the first file."""
    elsewhere = Path("/dev/shm")  # a file system that every Linux has besides
    assert os.stat(elsewhere).st_dev != os.stat(tmp_path).st_dev
    given = {**as_environment(done.settings), "FRONTDOOR_RECEIPTS": str(tmp_path / "shared")}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path, elsewhere))

    def disks(**more: str) -> dict[str, float]:
        with closing(done.connect()) as connection:
            found = _parsed(prometheus.text(figures.measure(connection, load({**given, **more}))))
        assert found["frontdoor_figures_failed"] == 0
        return {name.split('"')[1]: value for name, value in found.items() if "disk_free" in name}

    archive = f"{elsewhere}/{tmp_path.name}/archive"
    assert disks() == {"home": 0.5}
    assert disks(FRONTDOOR_ARCHIVE=archive) == {"home": 0.5, "archive": 0.05}
    assert disks(FRONTDOOR_ARCHIVE=archive, FRONTDOOR_RECEIPTS=archive) == {"home": 0.5, "receipts": 0.05}
    assert disks(FRONTDOOR_ARCHIVE="s3://bucket/archive") == {"home": 0.5}
    assert not Path(archive).parent.exists()


def usage(path: Path, full: Path) -> SimpleNamespace:
    """A disk that is half empty, and another that is nearly full."""
    assert path.is_dir()
    return SimpleNamespace(total=100, free=5 if path.is_relative_to(full) else 50)


def test_figure_that_cannot_be_measured_is_counted_and_takes_no_other_along(
    done: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = figures.Figure("broken", "", (), "select 1 / 0")
    monkeypatch.setattr(figures, "FROM_TABLES", (broken, *figures.FROM_TABLES))
    with closing(done.connect()) as connection:
        found = _parsed(prometheus.text(figures.measure(connection, done.settings)))
    assert found["frontdoor_figures_failed"] == 1
    assert "frontdoor_messages_unsent" in found and "frontdoor_landing_files" in found


def test_command_prints_the_same_figures(
    done: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, measured: dict[str, float]
) -> None:
    for name, value in as_environment(done.settings).items():
        monkeypatch.setenv(name, value)
    assert main(["metrics"]) == 0
    assert _parsed(capsys.readouterr().out).keys() == measured.keys()
    assert main(["metrics", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["metrics"]) == len(measured)


# Sending


def test_file_is_replaced_whole_and_can_be_read_by_a_node_exporter(done: Database, tmp_path: Path) -> None:
    target = tmp_path / "below" / "metrics.prom"
    settings = load({**as_environment(done.settings), "FRONTDOOR_METRICS": f"file:{target}"})
    assert monitoring.tell(settings)["figures"] > 20
    first = target.read_text()
    assert monitoring.tell(settings)["figures"] > 20
    assert target.read_text() != first
    assert [path.name for path in target.parent.iterdir()] == ["metrics.prom"]
    assert target.stat().st_mode & 0o777 == 0o644
    assert not [canary for canary in CANARIES if canary in first]


def test_statsd_receives_every_figure_as_a_gauge_with_tags(done: Database) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(2)
        port = receiver.getsockname()[1]
        settings = load({**as_environment(done.settings), "FRONTDOOR_METRICS": f"statsd://127.0.0.1:{port}"})
        count = monitoring.tell(settings)["figures"]
        lines: list[str] = []
        while len(lines) < count:
            packet = receiver.recv(65535)
            assert len(packet) <= pushing.DATAGRAM_BYTES
            lines += packet.decode().split("\n")
    assert len(lines) == count
    assert all("|g" in line for line in lines)
    assert (
        "frontdoor_deliveries_last_day:1|g|#agency:wearside_police,feed:police,state:published,verdict:accepted"
        in lines
    )
    assert not [canary for canary in CANARIES if canary in "\n".join(lines)]


class Collector:
    """An endpoint that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status == 200:
                    outer.bodies.append((self.path, body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()


@contextmanager
def tar_pit() -> Iterator[int]:
    """A port that accepts and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield server.getsockname()[1]


def test_collector_receives_every_figure_by_otlp(done: Database, collector: Collector) -> None:
    settings = load({**as_environment(done.settings), "FRONTDOOR_METRICS": f"otlp+{collector.url}"})
    count = monitoring.tell(settings)["figures"]
    ((path, body),) = collector.bodies
    assert path == "/v1/metrics"
    request = ExportMetricsServiceRequest()
    try:
        request.ParseFromString(body)
    except Exception:
        import gzip

        request.ParseFromString(gzip.decompress(body))
    metrics = [m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]
    points = [
        (m.name, {a.key: a.value.string_value for a in p.attributes}, p.as_double)
        for m in metrics
        for p in m.gauge.data_points
    ]
    assert len(points) == count
    assert (
        "frontdoor_deliveries_last_day",
        {"agency": "wearside_police", "feed": "police", "state": "published", "verdict": "accepted"},
        1.0,
    ) in points
    assert not [canary for canary in CANARIES if canary.encode() in body]


@pytest.mark.parametrize("kind", ["nobody listens", "accepts and never answers", "refuses"])
def test_receiver_that_is_away_costs_seconds_and_raises_nothing(
    done: Database, collector: Collector, kind: str
) -> None:
    with tar_pit() as slow:
        collector.status = 503
        address = {
            "nobody listens": "http://127.0.0.1:9",
            "accepts and never answers": f"http://127.0.0.1:{slow}",
            "refuses": collector.url,
        }[kind]
        settings = load(
            {
                **as_environment(done.settings),
                "FRONTDOOR_METRICS": f"otlp+{address}",
                "FRONTDOOR_LINEAGE": address,
            }
        )
        before = rows(done, "select count(*) from warehouse.lineage_told")
        began = time.monotonic()
        assert monitoring.tell(settings) == {"figures": 0, "events": 0}
        assert time.monotonic() - began < 2 * pushing.PATIENCE + 6
    assert rows(done, "select count(*) from warehouse.lineage_told") == before


# Lineage


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def events(done: Database, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All that was told of the module's files; nothing more when asked again."""
    path = tmp_path_factory.mktemp("lineage") / "events.jsonl"
    settings = load({**as_environment(done.settings), "FRONTDOOR_LINEAGE": f"file:{path}"})
    count = monitoring.tell(settings)["events"]
    assert count == len(told(path)) > 10
    assert monitoring.tell(settings)["events"] == 0, "what was told is told again"
    return told(path)


def test_every_event_is_one_that_the_client_of_openlineage_makes(events: list[dict[str, Any]]) -> None:
    for event in events:
        job = Job(namespace=event["job"]["namespace"], name=event["job"]["name"])
        said = {"eventTime": event["eventTime"], "producer": event["producer"], "job": job}
        made = RunEvent(run=Run(runId=event["run"]["runId"]), **said) if "run" in event else JobEvent(**said)
        assert event["schemaURL"] == made.schemaURL


def test_each_step_of_each_delivery_begins_and_ends(done: Database, events: list[dict[str, Any]]) -> None:
    runs: dict[tuple[str, str], list[str]] = {}
    for event in events:
        if "run" in event:
            runs.setdefault((event["job"]["name"], event["run"]["runId"]), []).append(event["eventType"])
    counted: dict[tuple[str, tuple[str, ...]], int] = {}
    for (job, _), states in runs.items():
        counted[(job, tuple(states))] = counted.get((job, tuple(states)), 0) + 1
    good = ("START", "COMPLETE")
    assert {key: n for key, n in counted.items() if key[0] != "build_marts"} == {
        ("load_police", good): 2,
        ("judge_police", good): 2,
        ("publish_police", good): 2,
        ("load_referral", good): 1,
        ("judge_referral", good): 1,
        ("publish_referral", good): 1,
        # Refused when it was taken: told all the same.
        ("load_visit", ("START", "FAIL")): 1,
    }
    ((builds,),) = rows(done, "select count(*) from warehouse.builds")
    assert counted[("build_marts", good)] == builds


def test_lineage_leads_from_the_landing_zone_to_what_people_read(events: list[dict[str, Any]]) -> None:
    edges: dict[str, set[str]] = {}
    for event in events:
        for output in event.get("outputs", []):
            edges.setdefault(output["name"], set()).update(each["name"] for each in event.get("inputs", []))
    triage = next(name for name in edges if name.endswith(".worklists.triage"))
    above, reached = {triage}, {triage}
    while above:
        above = set().union(*(edges.get(name, set()) for name in above)) - reached
        reached |= above
    assert "landing/wearside_police/police" in reached
    loaded = [e for e in events if e["job"]["name"] == "load_police" and e["eventType"] == "COMPLETE"]
    assert sorted(e["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] for e in loaded) == [9, 12]
    judged = [e for e in events if e["job"]["name"] == "judge_police" and e["eventType"] == "COMPLETE"]
    failed = {
        a["assertion"]
        for e in judged
        for a in e["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
        if not a["success"]
    }
    assert "POL-020" in failed


def test_events_carry_no_value_and_no_file_name(events: list[dict[str, Any]]) -> None:
    text = json.dumps(events)
    assert "wearside_police" in text
    assert not [canary for canary in CANARIES if canary in text]


def test_endpoint_that_was_away_is_told_later_and_once(
    done: Database, events: list[dict[str, Any]], collector: Collector
) -> None:
    settings = load({**as_environment(done.settings), "FRONTDOOR_LINEAGE": collector.url})
    land(done.settings, *POLICE, sample(*POLICE, 3, seed=3), "third.csv")
    collector.status = 500
    delivery.drain(done.settings)
    assert monitoring.tell(settings)["events"] == 0
    collector.status = 200
    count = monitoring.tell(settings)["events"]
    assert {path for path, _ in collector.bodies} == {"/api/v1/lineage"}
    assert [json.loads(body)["job"]["name"] for _, body in collector.bodies] == [
        "load_police",
        "load_police",
        "judge_police",
        "judge_police",
        "publish_police",
        "publish_police",
    ]
    assert count == 6
    assert monitoring.tell(settings)["events"] == 0


def test_delivery_published_unjudged_is_a_judging_that_failed(
    done: Database, events: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    settings = load({**as_environment(done.settings), "FRONTDOOR_LINEAGE": f"file:{path}"})

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("Zorvika")

    monkeypatch.setattr(quality, "judge", refuse)
    land(done.settings, *POLICE, sample(*POLICE, 3, seed=4), "fourth.csv")
    delivery.drain(done.settings)
    monitoring.tell(settings)
    assert [(e["job"]["name"], e["eventType"]) for e in told(path)] == [
        ("load_police", "START"),
        ("load_police", "COMPLETE"),
        ("judge_police", "START"),
        ("judge_police", "FAIL"),
        ("publish_police", "START"),
        ("publish_police", "COMPLETE"),
    ]
    assert "Zorvika" not in path.read_text()
    with closing(done.connect()) as connection:
        found = _parsed(prometheus.text(figures.measure(connection, done.settings)))
    assert found['frontdoor_checks_not_run_last_day{feed="police",rule="POL-020"}'] == 1


def test_file_that_is_given_up_is_a_loading_that_failed(
    done: Database, events: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    settings = load({**as_environment(done.settings), "FRONTDOOR_LINEAGE": f"file:{path}"})

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("Zorvika")

    monkeypatch.setattr(intake, "load", refuse)
    land(done.settings, *POLICE, sample(*POLICE, 3, seed=5), "fifth.csv")
    for _ in range(lanes.LOAD_ATTEMPTS + 1):
        delivery.drain(done.settings)
    monitoring.tell(settings)
    assert [(e["job"]["name"], e["eventType"]) for e in told(path)] == [
        ("load_police", "START"),
        ("load_police", "FAIL"),
    ]
    assert len({e["run"]["runId"] for e in told(path)}) == 1
