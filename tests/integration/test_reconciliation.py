"""Every day adds up, from the sender's count to what was decided; what does not is a named row.

Mend: dbt_project/models/worklists/reconciliation.sql and reconciliation_breaks.sql, frontdoor/cli/reconciling.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from frontdoor import delivery
from frontdoor.cli import main
from tests.integration.test_scores import FEED, SCHOOLS, Here, here, prepared, sample  # noqa: F401


def reconciled(here: Here) -> tuple[dict[str, Any], list[dict[str, Any]]]:  # noqa: F811
    """The sums of today, held against one another, and the breaks."""
    code, document = here.command("reconcile", "--agency", SCHOOLS, "--feed", FEED)
    assert code == 0
    (day,) = document["days"]
    assert day["breaks_count"] == len(document["breaks"])
    return day, document["breaks"]


def adds_up(day: dict[str, Any]) -> bool:
    return (
        day["received_count"] == day["raw_count"] + day["unread_count"]
        and day["raw_count"] == day["on_list_count"] + day["superseded_count"]
        and day["on_list_count"] == day["decided_count"] + day["waiting_count"]
    )


def test_day_with_a_correction_adds_up_and_the_replaced_record_is_not_missing(here: Here, capsys: Any) -> None:  # noqa: F811
    here.ahead = timedelta(days=3)
    here.land(sample(801, "REF-003"))
    day, breaks = reconciled(here)
    assert adds_up(day) and not breaks
    assert (day["deliveries_count"], day["raw_count"], day["on_list_count"], day["waiting_count"]) == (1, 4, 4, 4)
    assert (day["sender_count"], day["uncounted_deliveries"]) == (None, 1)
    here.land(sample(801))
    day, breaks = reconciled(here)
    assert adds_up(day) and not breaks
    assert (day["raw_count"], day["on_list_count"], day["superseded_count"]) == (8, 4, 4)
    assert main(["reconcile"]) == 0
    said = capsys.readouterr().out
    assert f"{SCHOOLS}/{FEED}, {day['received_on']}: 2 deliveries" in said
    assert "8 kept = 4 on the list + 4 repeated or replaced; 4 on the list = 0 decided + 4 waiting. It adds up." in said


def test_every_break_is_named(here: Here, capsys: Any) -> None:  # noqa: F811
    here.ahead = timedelta(days=5)
    whole = here.land(sample(802))
    unread = here.land(b"\x00\x01\x02" * 100)
    day, breaks = reconciled(here)
    assert [(each["break_kind"], each["delivery_id"]) for each in breaks] == [("unread", unread)]
    assert adds_up(day), "a file of which nobody knows how many records it holds adds nothing to the sums"

    here.all("delete from worklists.triage where delivery_id = %s and record_no = 2 returning 1", whole)
    here.all("update intake.deliveries set sender_row_count = 9 where delivery_id = %s returning 1", whole)
    here.all(
        "insert into worklists.triage (record_key, feed, agency_code, delivery_id, record_no, is_open)"
        " values ('nobody', %s, %s, %s, 77, true) returning 1", FEED, SCHOOLS, whole,
    )  # fmt: skip
    day, breaks = reconciled(here)
    named = {(each["break_kind"], each["delivery_id"], each["record_no"], each["records_count"]) for each in breaks}
    assert named == {
        ("not_on_list", whole, 2, 1), ("not_sent", whole, 77, 1), ("fewer_than_counted", whole, None, 5),
        ("unread", unread, None, None),
    }  # fmt: skip
    assert day["sender_count"] == 9
    assert main(["reconcile", "--agency", SCHOOLS]) == 0
    said = capsys.readouterr().out
    assert "4 breaks:" in said and f"  delivery {whole}, record 2: The record came and is on no list" in said
    here.all("delete from worklists.triage where record_key = 'nobody' returning 1")


def test_what_was_not_built_yet_is_on_its_way(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    here.ahead = timedelta(days=7)
    real = delivery.ingest
    monkeypatch.setattr(delivery, "ingest", delivery.drain)
    landed = here.land(sample(803))
    _, breaks = reconciled(here)
    assert [(each["break_kind"], each["delivery_id"], each["records_count"]) for each in breaks] == [
        ("on_its_way", landed, 4)
    ]
    real(here.settings)
    day, breaks = reconciled(here)
    assert adds_up(day) and not breaks


def test_day_without_a_file_says_so_and_unknown_names_are_refused(here: Here) -> None:  # noqa: F811
    assert here.command("reconcile", "--on", "2020-01-01")[1] == {"on": "2020-01-01", "days": [], "breaks": []}
    assert here.command("reconcile", "--agency", "nobody")[0] == 2
    assert here.command("reconcile", "--feed", "nothing")[0] == 2
