"""Scores: fixed as known then, corrected since, with and without waivers, and never better for a defect.

Mend: frontdoor/warehouse/migrations/0043_scores.sql (what is counted), frontdoor/quality/first_scores.py,
dbt_project/models/core/fct_rule_score.sql, dbt_project/models/scores/agency_scores.sql.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from frontdoor import clock, delivery
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database

pytestmark = pytest.mark.on_both_servers

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

    def week(self, weeks: int) -> None:
        """Put the clock some weeks ahead, so that a test has a week of its own."""
        self.ahead = timedelta(weeks=weeks)

    def land(self, content: bytes) -> int:
        folder = self.settings.landing / SCHOOLS / FEED
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".incoming").write_bytes(content)
        time.sleep(0.02)
        os.rename(folder / ".incoming", folder / f"{time.time_ns()}.csv")
        delivery.ingest(self.settings)
        return int(self.all("select max(delivery_id) from intake.deliveries")[0][0])

    def command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        self.capsys.readouterr()
        code = main([*arguments, "--json"])
        return code, json.loads(self.capsys.readouterr().out)

    def scores(self, *, waived: str = "counted", fault: str = "any") -> dict[tuple[str, str], tuple[int, int, int]]:
        """(dimension, basis) -> (checked, failed, not run) of this week."""
        today = clock.now().date()
        monday = today - timedelta(days=today.weekday())
        return {
            (dimension, basis): tuple(counts)
            for dimension, basis, *counts in self.all(
                "select dimension, basis, checked_count, failed_count, not_run_count from scores.agency_scores"
                " where agency_code = %s and feed = %s and week_start = %s and waived = %s and fault = %s",
                SCHOOLS, FEED, monday, waived, fault,
            )
        }  # fmt: skip

    def ratios(self, **variant: str) -> dict[str, float]:
        """Dimension -> share passed this week, as corrected (first-time-right: as known)."""
        return {
            dimension: (checked - failed) / (checked + not_run)
            for (dimension, basis), (checked, failed, not_run) in self.scores(**variant).items()
            if checked + not_run and (basis == "as_corrected" or dimension == "first_time_right")
        }


@pytest.fixture(scope="module")
def prepared(database: Database) -> Database:
    prepare(database.settings)
    return database


@pytest.fixture
def here(prepared: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Here]:
    yield Here(prepared, monkeypatch, capsys)


def sample(seed: int, rule_id: str | None = None, records: int = 4) -> bytes:
    return sample_records(HOUSE, SCHOOLS, FEED, records, seed=seed, break_rule=rule_id)


def test_what_failed_is_mended_and_known_then_it_stays_failed(here: Here) -> None:
    here.week(2)
    poor = sample(701, "REF-003")
    first = here.land(poor)
    known, corrected = ("completeness", "as_known"), ("completeness", "as_corrected")
    scores = here.scores()
    assert scores[known] == scores[corrected] and scores[known][1] == 1
    assert scores["first_time_right", "as_known"] == (4, 1, 0)
    assert scores["coverage", "as_corrected"][1:] == (0, 0)
    assert not {dimension for dimension, _ in scores} - {
        "completeness", "conformity", "consistency", "timeliness", "uniqueness", "sufficiency", "coverage",
        "defaults_and_unknowns", "first_time_right",
    }  # fmt: skip

    names = [name for name, _ in here.all("select rule_id, 1 from quality.findings where delivery_id = %s", first)]
    assert names == ["REF-003"]
    good = sample(701)
    assert good != poor, "the same records, one of them mended"
    here.land(good)
    assert here.all("select resolved_by from quality.findings where delivery_id = %s", first) == [("sender",)]
    mended = here.scores()
    checks = scores[known][0]
    assert mended[known] == (2 * checks, 1, 0), "the second delivery is added, the first stays what it was"
    assert mended[corrected] == (2 * checks, 0, 0)
    assert mended["first_time_right", "as_known"] == (4, 1, 0), "a record is first told once"

    fixed = here.all("select * from quality.first_scores where delivery_id = %s order by 1, 2", first)
    delivery.replay(here.settings, [first])
    delivery.ingest(here.settings)
    assert here.all("select * from quality.first_scores where delivery_id = %s order by 1, 2", first) == fixed
    assert here.scores() == mended


def test_waiver_leaves_out_and_counts_again_when_it_is_over(here: Here) -> None:
    here.week(4)
    here.land(sample(702, "REF-003"))
    before = here.scores()["completeness", "as_corrected"]
    last = (clock.now() + timedelta(days=30)).date().isoformat()
    code, granted = here.command(
        "waiver", "grant", "--agency", SCHOOLS, "--feed", FEED, "--rule", "REF-003", "--reason", "For a while.",
        "--approved-by", "head_of_service", "--until", last,
    )  # fmt: skip
    assert (code, granted["findings"]) == (0, 1)
    here.ahead += timedelta(minutes=2)
    delivery.ingest(here.settings)
    checked, failed, not_run = before
    assert here.scores()["completeness", "as_corrected"] == before, "a waived failure is still a failure"
    assert here.scores(waived="left_out")["completeness", "as_corrected"] == (checked - 1, failed - 1, not_run)
    assert here.scores(waived="left_out")["completeness", "as_known"] == before, "nobody had waived it then"
    main(["waiver", "end", str(granted["waiver_id"])])
    here.ahead += timedelta(minutes=2)
    delivery.ingest(here.settings)
    assert here.scores(waived="left_out")["completeness", "as_corrected"] == before


def test_no_defect_and_no_silence_makes_a_score_better(here: Here) -> None:
    """The same four records, each week with one more thing wrong: no dimension is better than it was when all was well."""
    here.week(6)
    here.land(sample(703))
    well = here.ratios()
    assert well and all(0 < ratio <= 1 for ratio in well.values())

    def worse(weeks: int, content: bytes) -> dict[str, float]:
        here.week(weeks)
        here.land(content)
        found = here.ratios()
        better = {name: (well[name], ratio) for name, ratio in found.items() if ratio > well.get(name, 1) + 1e-9}
        assert not better, better
        return found

    rows = list(csv.reader(io.StringIO(sample(703).decode())))
    assert worse(8, sample(703, "REF-005"))["conformity"] < well["conformity"]
    blank = [rows[0], *([""] * len(rows[0]) for _ in rows[1:3]), *rows[3:]]
    blank[1][0] = blank[2][0] = "x"
    worse(10, "\n".join(",".join(f'"{cell}"' for cell in row) for row in blank).encode())
    cut = sample(703).rstrip(b"\r\n")
    torn = worse(12, cut[: -len(cut.splitlines()[-1]) // 2] + b'"never closed, and so on')
    assert torn["coverage"] < 1 or torn["completeness"] < well["completeness"]
    unread = worse(14, b"\x00\x01\x02" * 200)
    assert unread["coverage"] == 0 and unread["first_time_right"] == 0, "a file nobody could read counts"
    assert set(well) - {"defaults_and_unknowns"} <= set(unread), "and what it would have told is not known"


def test_rule_that_did_not_run_is_not_known_and_never_passed(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from frontdoor.quality import judging

    here.week(16)
    here.land(sample(704))
    well = here.scores()["completeness", "as_corrected"]
    real = judging._write

    def without(cursor: Any, feed: Any, group: Any, said: Any) -> Any:
        counts = real(cursor, feed, group, said)
        return {key: None if key[0] == "REF-003" else value for key, value in counts.items()}

    here.week(18)
    monkeypatch.setattr(judging, "_write", without)
    here.land(sample(704))
    checked, failed, not_run = here.scores()["completeness", "as_corrected"]
    assert not_run == 4 and checked + not_run == well[0] and failed == 0
    assert here.scores()["completeness", "as_known"] == (checked, failed, not_run)
    assert here.scores()["first_time_right", "as_known"] == (0, 0, 4)


def test_bi_shows_no_low_count(here: Here) -> None:
    shown = here.all("select checked_count, failed_count, score_ratio, is_suppressed from bi.agency_scores")
    assert shown and any(suppressed for *_, suppressed in shown)
    assert not any(failed in range(1, 6) or checked in range(1, 6) for checked, failed, *_ in shown)
