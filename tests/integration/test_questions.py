"""At most three questions to each open record, in the sender's words, what matters most to the child first."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from frontdoor import delivery
from frontdoor.contract import load_house
from frontdoor.simulator.sample import sample_records
from tests.integration.test_waivers import HOUSE, Here, here, prepared

__all__ = ["here", "prepared"]

POLICE = "wearside_police"
FIRST = ["who_has_the_child", "access", "name", "age"]


def notice(here: Here, seed: int, **change: str) -> int:
    """Send one police notice, changed so; its delivery, built."""
    content = sample_records(HOUSE, POLICE, "police", 1, seed=seed).decode()
    (row,) = csv.DictReader(io.StringIO(content))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerow(row | change)
    folder = here.settings.landing / POLICE / "police"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".incoming").write_bytes(out.getvalue().encode())
    (folder / ".incoming").rename(folder / f"{seed}.csv")
    delivery.ingest(here.settings)
    ((delivery_id,),) = here.all("select max(delivery_id) from intake.deliveries where agency_code = %s", POLICE)
    return int(delivery_id)


def asked(here: Here, delivery_id: int) -> list[tuple[str, str]]:
    return here.all(
        "select element, told_as from worklists.questions where delivery_id = %s order by question_no", delivery_id
    )


def test_nothing_is_asked_of_who_told_everything(here: Here) -> None:
    assert asked(here, notice(here, 1201)) == []


def test_three_are_asked_of_many_and_what_matters_most_to_the_child_is_first(here: Here) -> None:
    blank = dict.fromkeys(
        ("forename", "surname", "dob", "child_left_with", "voice_words", "demeanour", "narrative"), ""
    )
    poor = notice(here, 1202, **blank, name_status="Known", dob_status="Confirmed")
    assert asked(here, poor) == [("who_has_the_child", "missing"), ("name", "missing"), ("age", "missing")]
    rows: list[Any] = here.all(
        "select question, open_count, ring_number, ring_role from worklists.questions where delivery_id = %s"
        " order by question_no",
        poor,
    )
    assert rows[0][0] == "Who has the child now, and where are they?"
    assert {row[1] for row in rows} == {5}, "the voice and the account are open as well"
    assert all(row[2] and row[2].startswith("0191 498 0") for row in rows), "the unit's number, day and night"
    assert {row[3] for row in rows} == {HOUSE.agencies[POLICE].liaison_role}


def test_unknown_is_asked_again_only_where_it_decides_whether_the_child_is_safe(here: Here) -> None:
    unknown = notice(here, 1203, child_left_with="not known", name_status="not_known", forename="", surname="")
    assert asked(here, unknown) == [("who_has_the_child", "unknown")]


@pytest.mark.parametrize("filler", ["n/k", "TBC", "-", "as above", "see referral"])
def test_filler_is_no_answer(here: Here, filler: str) -> None:
    asked_of = notice(here, 1204 + len(filler), surname=filler)
    assert asked(here, asked_of) == [("name", "missing")]


def test_no_question_asks_for_agreement_and_every_element_has_one() -> None:
    for feed in load_house().feeds.values():
        if feed.worklist != "triage":
            continue
        assert [each for each in feed.elements if not each.question] == []
        assert sorted(each.ask_rank or 0 for each in feed.elements) == list(range(1, len(feed.elements) + 1))
        words = " ".join(each.question or "" for each in feed.elements).casefold()
        assert not any(word in words for word in ("consent", "agree", "permission"))
        again = {each.name for each in feed.elements if each.is_asked_again}
        assert again <= {"who_has_the_child", "access", "safety"} and "who_has_the_child" in again


def test_contract_that_leaves_an_element_without_a_question_is_refused(tmp_path: Path) -> None:
    from datetime import date
    from shutil import copytree

    from frontdoor.contract import expectations_folder
    from frontdoor.contract.lint import problems

    root = tmp_path / "expectations"
    copytree(expectations_folder(), root)
    path = root / "police" / "contract.odcs.yaml"
    line = '      - {element: perpetrator, ask: "Who is suspected?"}\n'
    text = path.read_text(encoding="utf-8")
    assert line in text
    path.write_text(text.replace(line, ""), encoding="utf-8")
    assert [each for each in problems(root, date(2026, 1, 1)) if "also for perpetrator" in each]
    path.write_text(text.replace(line, line + line), encoding="utf-8")
    assert [each for each in problems(root, date(2026, 1, 1)) if "each once" in each]
    path.write_text(text.replace("Who is suspected?", "Who is suspected"), encoding="utf-8")
    assert [each for each in problems(root, date(2026, 1, 1)) if "question mark" in each]
