"""What a new feed or agency starts with is right as it is written. Mend: frontdoor/contract/starting.py."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli
from frontdoor.contract import expectations_folder, load_house, starting
from frontdoor.contract.lint import problems

ON = date(2026, 3, 12)
FEED = {"title": "School attendance", "prefix": "ATT", "valid_from": ON}
AGENCY = {"name": "Wearside Leisure Trust", "kind": "education", "area_code": "E08000024", "valid_from": ON}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(expectations_folder(), tmp_path / "expectations")
    monkeypatch.setenv("FRONTDOOR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("frontdoor.contract.expectations_folder", lambda: tmp_path / "expectations")
    return tmp_path


def test_a_new_feed_and_a_new_agency_are_right_as_they_are_written(checkout: Path) -> None:
    starting.write(starting.feed_files(load_house(), "school_attendance", "wearside_schools", **FEED, root=checkout))
    starting.write(starting.agency_files(load_house(), "wearside_leisure", "police", **AGENCY, root=checkout))
    for gone in ("referral", "visit", "layouts"):  # holding a contract against the standard takes a while
        shutil.rmtree(checkout / "expectations" / gone)
    assert problems(checkout / "expectations", ON) == []
    house = load_house(checkout / "expectations")
    assert house.feeds["school_attendance"].title == "School attendance"
    assert house.feeds["school_attendance"].worklist == "triage"
    assert house.accepts("wearside_schools", "school_attendance")
    assert house.accepts("wearside_leisure", "police")
    assert house.agencies["wearside_leisure"].liaison_role == "wearside_leisure_liaison"


def test_the_commands_write_them_and_never_twice(checkout: Path, capsys: Any) -> None:
    feed = ["feed", "new", "attendance", "--agency", "wearside_schools"]
    assert cli.main(feed) == 0
    assert "tests/feeds/attendance/cases.yaml" in capsys.readouterr().out
    before = (checkout / "expectations" / "attendance" / "contract.odcs.yaml").read_bytes()
    assert cli.main(feed) == 2
    assert "is there already" in capsys.readouterr().err
    agency = ["agency", "new", "wearside_leisure", "--name", "Leisure", "--kind", "education", "--feed", "attendance"]
    assert cli.main(agency) == 0
    assert cli.main(agency) == 2
    assert (checkout / "expectations" / "attendance" / "contract.odcs.yaml").read_bytes() == before


def test_a_file_that_stands_is_left_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("mine")
    with pytest.raises(starting.CannotStart, match="second stands in"):
        starting.write({tmp_path / "first": "a", tmp_path / "second": "b"})
    assert not (tmp_path / "first").exists()
    assert (tmp_path / "second").read_text() == "mine"


@pytest.mark.parametrize(
    ("feed", "changes", "because"),
    [
        ("police", {}, "is there already"),
        ("annex_a", {}, "is there already"),
        ("Attendance", {}, "small letters"),
        ("../up", {}, "small letters"),
        ("attendance", {"prefix": "POL"}, "that no other feed has, not POL"),
        ("attendance", {"prefix": "FIL"}, "that no other feed has, not FIL"),
        ("attendance", {"prefix": "AT"}, "three capital letters"),
        ("attendance", {"title": "x: [y]"}, "wants letters, digits"),
    ],
)
def test_a_feed_that_cannot_start_says_why(tmp_path: Path, feed: str, changes: dict[str, Any], because: str) -> None:
    with pytest.raises(starting.CannotStart, match=because):
        starting.feed_files(load_house(), feed, "wearside_schools", **(FEED | changes), root=tmp_path)


@pytest.mark.parametrize(
    ("agency", "feed", "changes", "because"),
    [
        ("wearside_police", "referral", {}, "is there already"),
        ("wearside_leisure", "annex_a", {}, "no feed of that name"),
        ("wearside_leisure", "referral", {"kind": "club"}, "an agency is one of"),
    ],
)
def test_an_agency_that_cannot_start_says_why(
    tmp_path: Path, agency: str, feed: str, changes: dict[str, Any], because: str
) -> None:
    with pytest.raises(starting.CannotStart, match=because):
        starting.agency_files(load_house(), agency, feed, **(AGENCY | changes), root=tmp_path)
