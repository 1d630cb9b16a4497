"""The lists for an inspection, as published, from the landing zone to the lists that people read.

Mend: expectations/layouts/annex_a.yaml, frontdoor/intake/members.py, frontdoor/intake/readers/workbook.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli
from frontdoor import settings as setting

REAL = Path(__file__).parents[3] / "shared" / "data" / "Annex_A_2024_Jan.xlsx"
LISTS = {1: ("referral", 5), 3: ("referral", 6), 6: ("visit", 5), 7: ("visit", 7), 8: ("visit", 5)}
COUNTED = {2: 5, 4: 5, 5: 5, 9: 6, 10: 5, 11: 5}


@pytest.fixture(scope="module")
def connection(database: Any) -> Iterator[Any]:
    environment = pytest.MonkeyPatch()
    for name, value in setting.as_environment(database.settings).items():
        environment.setenv(name, value)
    assert cli.main(["deliver", str(REAL), "--agency", "wearside_council", "--feed", "annex_a"]) == 0
    assert cli.main(["ingest"]) == 0
    opened = database.connect()
    opened.autocommit = True
    yield opened
    opened.close()
    environment.undo()


def rows(connection: Any, query: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def test_every_list_is_a_member_and_every_list_of_a_feed_a_delivery(connection: Any) -> None:
    members = rows(connection, "select member_name, feed, record_count, place from intake.members order by member_no")
    assert members == [
        (f"list_{n}", LISTS[n][0] if n in LISTS else None, LISTS[n][1] if n in LISTS else COUNTED[n], {"sheet": n})
        for n in range(1, 12)
    ]
    deliveries = rows(
        connection, "select feed, status, records_loaded, records_dead from intake.deliveries order by delivery_id"
    )
    assert deliveries == [(feed, "published", count, 0) for feed, count in LISTS.values()]


def test_every_record_is_where_people_look(connection: Any) -> None:
    assert rows(connection, "select feed, count(*) from worklists.triage group by feed") == [("referral", 11)]
    assert rows(connection, "select plan_type_code, count(*) from core.fct_visit group by 1 order by 1") == [
        ("cin", 5),
        ("cla", 5),
        ("cp", 7),
    ]
    assert rows(connection, "select count(*) from core.fct_visit where is_in_latest_extract") == [(17,)]


def test_labels_are_mapped_or_left_to_a_person(connection: Any) -> None:
    assert rows(
        connection,
        "select source_code, count(*) from raw.referral_read where source_code_state = 'ok' group by 1 order by 1",
    ) == [("1B", 1), ("2A", 1), ("3D", 1), ("6", 6), ("8", 1), ("9", 1)]
    states = rows(connection, "select distinct sex_state, ethnicity_state from raw.referral_read")
    assert states == [("ok", "ok")]
    assert rows(connection, "select sex, count(*) from raw.referral_read group by 1 order by 1") == [("F", 5), ("M", 6)]
    teams = rows(connection, "select team_code_state, count(*) from raw.visit_read group by 1 order by 1")
    assert teams == [("missing", 5), ("unmapped", 12)]


def test_numbers_dates_and_ages_are_what_the_sheet_shows(connection: Any) -> None:
    assert rows(
        connection,
        "select child_ref, dob::text, dob_state, age_stated, sent_at::text from raw.referral_read as r"
        " inner join intake.deliveries as d on r._delivery_id = d.delivery_id"
        " where d.member_no = 1 order by _record_no limit 2",
    ) == [
        ("9212044", "2015-01-25", "ok", 6, "2020-09-15 23:00:00+00"),
        ("11973218", None, "missing", 8, "2020-09-15 23:00:00+00"),
    ]


def test_an_error_for_a_worker_is_no_worker(connection: Any) -> None:
    assert rows(
        connection, "select worker_id, worker_id_state from raw.visit_read where plan_type = 'cin' group by 1, 2"
    ) == [(None, "missing")]
    assert rows(connection, "select distinct worker_id from raw.visit where worker_id like '#%%'") == [("#N/A",)]


def test_spaces_that_do_not_break_are_spaces_and_told(connection: Any) -> None:
    assert rows(
        connection,
        "select d.member_no, f.rule_id, count(*) from quality.findings as f"
        " inner join intake.deliveries as d on f.delivery_id = d.delivery_id"
        " where f.rule_id like 'FIL-%%' group by 1, 2 order by 1",
    ) == [(3, "FIL-032", 6)]
    workers = rows(connection, "select extra ->> 'Allocated Worker' from raw.referral where extra ? 'Allocated Worker'")
    assert len(workers) == 6
    assert all(" " in worker and "\u00a0" not in worker for (worker,) in workers)


def test_no_rule_for_a_senders_account_is_put_to_a_list(connection: Any) -> None:
    asked = rows(connection, "select distinct rule_id from quality.check_results where status in ('pass', 'fail')")
    assert {rule for (rule,) in asked if rule.startswith("REF")} == set()
    # VIS-002 is asked where a child has no number, and every child has one.
    assert {rule for (rule,) in asked if rule.startswith("VIS")} == {"VIS-004", "VIS-013"}
    states = rows(connection, "select state, count(*) from quality.sufficiency group by state order by state")
    assert dict(states).keys() <= {"not_applicable", "present"}


def test_no_cell_of_a_list_is_lost(connection: Any) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(REAL, data_only=True)
    for number, (feed, count) in LISTS.items():
        kept = rows(
            connection,
            f"select to_jsonb(r) from raw.{feed} as r inner join intake.deliveries as d"
            " on r._delivery_id = d.delivery_id where d.member_no = %s order by r._record_no",
            number,
        )
        assert len(kept) == count
        header, *records = list(book.worksheets[number - 1].iter_rows(values_only=True))
        for (row,), record in zip(kept, records, strict=True):
            said = [str(value) for value in (*row.values(), *row["extra"].values()) if value is not None]
            for name, value in zip(header, record, strict=True):
                if value not in (None, ""):
                    text = value.date().isoformat() if hasattr(value, "date") else str(value).replace("\u00a0", " ")
                    assert text in said, f"list {number}: {name}"


def test_the_same_lists_again_bring_nothing_new_and_take_nothing_away(
    connection: Any, tmp_path: Path, capsys: Any
) -> None:
    again = tmp_path / "again.xlsx"
    again.write_bytes(REAL.read_bytes())
    capsys.readouterr()
    assert cli.main(["deliver", str(again), "--agency", "wearside_council", "--feed", "annex_a", "--json"]) == 0
    assert cli.main(["ingest"]) == 0
    capsys.readouterr()
    assert cli.main(["status", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert sorted(each["status"] for each in files) == ["duplicate", "received"]
    assert rows(connection, "select count(*) from worklists.triage") == [(11,)]
