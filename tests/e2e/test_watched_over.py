"""What those who keep the platform running see of it: figures, lineage, logs. Mend: frontdoor/monitoring/, frontdoor/logbook.py."""

from __future__ import annotations

import json
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from frontdoor.platform import airflow as platform_airflow
from frontdoor.platform import airflow_database
from tests.live import Live

POLICE = ("wearside_police", "police")


def _lines(path: Path) -> list[Any]:
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            found.append(None)
    return found


def test_figures_and_lineage_of_a_delivery_are_told_by_airflow(live: Live) -> None:
    hash_ = live.land(*POLICE, live.sample(*POLICE, 7))
    live.wait_until(lambda: live.published([hash_]) == 1, 90, "the file to be published")
    ((delivery_id,),) = live.rows(
        "select delivery_id from intake.deliveries join intake.files using (file_id) where sha256_received = %s",
        (hash_,),
    )
    lineage, figures = live.settings.home / "run" / "lineage.jsonl", live.settings.home / "run" / "metrics.prom"

    def is_told() -> bool:
        return lineage.is_file() and any(
            event["job"]["name"] == "publish_police"
            and event["eventType"] == "COMPLETE"
            and {"key": "delivery_id", "value": str(delivery_id), "source": "FRONTDOOR"}.items()
            <= event["run"]["facets"]["tags"]["tags"][0].items()
            for event in _lines(lineage)
            if event and "run" in event
        )

    live.wait_until(is_told, 120, "the lineage of the delivery")
    text = figures.read_text()
    assert 'frontdoor_deliveries_last_day{agency="wearside_police",feed="police",state="published"' in text
    assert "frontdoor_figures_failed 0.0" in text


def test_log_of_a_task_says_of_which_delivery_it_speaks(live: Live) -> None:
    hash_ = live.land(*POLICE, live.sample(*POLICE, 3))
    live.wait_until(lambda: live.published([hash_]) == 1, 90, "the file to be published")
    ((delivery_id,),) = live.rows(
        "select delivery_id from intake.deliveries join intake.files using (file_id) where sha256_received = %s",
        (hash_,),
    )

    def said() -> list[Any]:
        logs = (live.settings.home / "log" / "airflow").rglob("*.log")
        return [
            line
            for path in logs
            if "take_judge_publish_send" in str(path) or "sweep" in str(path)
            for line in _lines(path)
            if line and line.get("delivery_id") == delivery_id
        ]

    live.wait_until(lambda: bool(said()), 60, "a line of the log about the delivery")
    (loaded, *_) = said()
    assert loaded["logger"] == "frontdoor.steps"
    assert (loaded["agency"], loaded["feed"], loaded["level"]) == (*POLICE, "info")
    assert "timestamp" in loaded and "event" in loaded


def test_logs_of_the_processes_are_json(live: Live) -> None:
    for part in ("scheduler", "triggerer"):
        lines = _lines(live.settings.home / "log" / f"airflow-{part}.log")
        assert lines, f"{part} has written nothing"
        assert sum(line is None for line in lines) <= 0.1 * len(lines), f"{part}: lines that are not JSON"


def test_what_airflow_wrote_down_of_old_runs_goes_and_the_platform_goes_on(live: Live) -> None:
    for _ in range(3):
        hash_ = live.land(*POLICE, live.sample(*POLICE, 3))
        live.wait_until(lambda wanted=hash_: live.published([wanted]) == 1, 90, "a file to be published")  # type: ignore[misc]

    def airflow(statement: str) -> list[tuple[Any, ...]]:
        with closing(airflow_database.connect(live.settings)) as opened, opened, opened.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    over = "update dag_run set start_date = start_date - interval '90 days' where state in ('success', 'skipped')"
    airflow(f"{over} and dag_id = 'feed_police'")
    airflow("update log set dttm = dttm - interval '90 days'")
    airflow("update trigger set created_date = created_date - interval '90 days'")
    old = "select id from dag_run where start_date < now() - interval '40 days'"
    ((begun,),) = airflow("select now()")
    assert len(airflow(old)) > 1
    trigger(live, "housekeeping")
    ended = f"select state from dag_run where dag_id = 'housekeeping' and run_after >= '{begun}'::timestamptz - interval '1 minute'"
    live.wait_until(lambda: airflow(ended) in ([("success",)], [("failed",)]), 180, "the housekeeping")
    assert airflow(ended) == [("success",)]
    # Of each DAG the newest run is kept however old it is.
    assert len(airflow(old)) <= 1
    assert airflow("select count(*) from log where dttm < now() - interval '40 days'") == [(0,)]
    assert airflow("select count(*) from trigger")[0][0] > 0
    again = live.land(*POLICE, live.sample(*POLICE, 3))
    live.wait_until(lambda: live.published([again]) == 1, 90, "the next file to be published")


def trigger(live: Live, dag_id: str) -> None:
    described = platform_airflow.describe(live.settings)
    assert described is not None
    password = json.loads(described.passwords_file.read_text())["admin"]
    token = _post(f"{described.url}/auth/token", {"username": "admin", "password": password})["access_token"]
    _post(f"{described.url}/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None}, token)


def _post(url: str, document: dict[str, Any], token: str = "") -> Any:
    asked = urllib.request.Request(
        url, json.dumps(document).encode(), {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answered:
        return json.load(answered)
