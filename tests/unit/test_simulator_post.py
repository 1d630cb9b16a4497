"""The council decides what has landed, and every defect of what is sent when is told. Mend: simulator/town/post.py, spoiling.py."""

from __future__ import annotations

import csv
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from frontdoor.contract import load_house
from frontdoor.simulator.town.simulate import simulate

LONDON = ZoneInfo("Europe/London")
FROM, TO = date(2018, 10, 1), date(2018, 11, 25)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Any:
    @cache
    def made(*defects: tuple[str, float]) -> Path:
        out: Path = tmp_path_factory.mktemp("post") / "town"
        simulate(load_house(), "steady", FROM, TO, 20_000, 3, out, dict(defects))
        return out

    return made


def read(out: Path, table: str) -> list[dict[str, str]]:
    paths = [out / "truth" / f"{table}.csv"]
    return [row for path in paths if path.exists() for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]


def landed_on(out: Path) -> dict[str, date]:
    """The first day on which each contact that has a feed lay in the landing zone."""
    at = {row["path"]: datetime.fromisoformat(row["landed_at"]).astimezone(LONDON).date() for row in read(out, "files")}
    found: dict[str, date] = {}
    for row in read(out, "records"):
        if row["contact_no"]:
            found[row["contact_no"]] = min(found.get(row["contact_no"], date.max), at[row["path"]])
    return found


@pytest.mark.parametrize("defects", [(), (("silence", 0.1), ("late_batch", 0.6))], ids=["clean", "late and silent"])
def test_a_contact_is_received_when_its_file_lands_and_decided_after(town: Any, defects: Any) -> None:
    out = town(*defects)
    landed, told = landed_on(out), {row["contact_no"]: row for row in read(out, "contacts")}
    decided = read(out, "casework/contacts")
    with_feed = [row for row in decided if told[row["contact_no"]]["agency"]]
    assert len(with_feed) > 250 and len(with_feed) < len(decided)
    for row in with_feed:
        assert row["received_on"] == str(landed[row["contact_no"]]), row
        assert row["decided_at"][:10] >= row["received_on"]
    schools = [row for row in with_feed if row["source"] == "school"]
    assert schools and all(date.fromisoformat(row["received_on"]).isoweekday() < 6 for row in schools)


def test_what_a_silent_sender_would_have_sent_is_told_and_nobody_decides_it(town: Any) -> None:
    out = town(("silence", 0.1), ("late_batch", 0.6))
    swallowed, landed = read(out, "withheld"), landed_on(out)
    contacts = {row["contact_no"] for row in swallowed if row["contact_no"]}
    assert len(contacts) > 30 and not contacts & {*landed}
    assert not contacts & {row["contact_no"] for row in read(out, "casework/contacts")}
    silent = {row["path"] for row in read(out, "file_defects") if row["defect"] == "silence"}
    assert {row["path"] for row in swallowed} == silent and not silent & {row["path"] for row in read(out, "files")}
    # Whoever was told of by a sender with a feed is in a file that came, in one that did not, or still on its way.
    on_its_way = {
        row["contact_no"]
        for row in read(out, "contacts")
        if row["agency"] and row["contact_no"] not in contacts and row["contact_no"] not in landed
    }
    last = {row["contact_no"] for row in read(out, "contacts") if row["sent_at"] >= "2018-11-23"}
    assert on_its_way <= last


def test_silence_for_good_lets_nothing_land(town: Any) -> None:
    out = town(("silence", 1.0))
    assert read(out, "files") == [] and read(out, "records") == [] and len(read(out, "withheld")) > 300
    assert {row["source"] for row in read(out, "casework/contacts")} == {"other"}


def test_every_record_that_comes_late_or_again_is_told_also_where_no_rule_sees_it(town: Any) -> None:
    out = town(("late_batch", 0.6), ("technical_ids_reissued", 0.2))
    defects, records = read(out, "defects"), read(out, "records")
    times = [row["contact_no"] for row in records if row["contact_no"]]
    again = [row for row in defects if row["defect"] == "technical_ids_reissued"]
    assert len(again) == len(times) - len({*times}) > 30 and {row["rule_id"] for row in again} == {""}
    late = {(row["path"], row["record_no"]) for row in defects if row["defect"] == "late_batch"}
    contact_of = {(row["path"], row["record_no"]): row["contact_no"] for row in records}
    sent = {row["contact_no"]: row for row in read(out, "contacts") if row["source"] == "police"}
    held_back = {
        contact
        for contact, on in landed_on(out).items()
        if contact in sent and (on - date.fromisoformat(sent[contact]["sent_at"][:10])).days > 1
    }
    assert {contact_of[place] for place in late} == held_back and len(held_back) > 30
    rules = {row["rule_id"] for row in defects if row["defect"] == "late_batch"}
    assert rules == {"", "POL-012", "POL-013"}
