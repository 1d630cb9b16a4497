"""What was let go of stays counted, also where only the archive is left.

Mend: frontdoor/delivery/past.py, frontdoor/delivery/counted.py, frontdoor/keeping/rebuild.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from frontdoor import clock, delivery
from frontdoor.delivery import retaining
from frontdoor.intake import papers
from frontdoor.keeping.rebuild import Rebuilt, rebuild
from frontdoor.prepare import prepare
from frontdoor.settings import Settings
from tests.conftest import Database
from tests.integration.test_rebuild import another_file
from tests.keeping_house import AFTERWARDS, POLICE, House, differences, empty_house, live_through_a_week
from tests.servers import SharedServer

REBUILT = ("raw", "core", "worklists", "bi", "scores", "indicators")
LATER = AFTERWARDS + timedelta(days=27 * 31)


def build(house: House) -> None:
    with clock.then(LATER):
        delivery.drain(house.settings)
        assert delivery.build(house.settings, even_if_nothing=True)["models_failed"] == 0


@dataclass(frozen=True)
class Lived:
    """A house that let go of what was past its time; and its archive as it was until then."""

    house: House
    archive_before: Path
    values: tuple[str, ...]


@pytest.fixture(scope="module")
def lived(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    house = House(database.settings)
    live_through_a_week(house)
    house.send(POLICE, another_file(), LATER - timedelta(days=3))
    build(house)
    # No feed of the police or of schools carries a decision yet.
    house.rows("update worklists.triage set is_open = false where received_at < %s", LATER - timedelta(days=90))
    # Of lists that are taken whole, one that went would have said of the others who is on the last: all of them stay.
    house.rows(
        "insert into intake.holds (agency_code, reason, by_role, placed_at) values ('wearside_council', 'A court.', 'head', %s)",
        LATER,
    )
    names = house.rows("select distinct forename from raw.police where _delivery_id = 1 and length(forename) > 3")
    before = tmp_path_factory.mktemp("before") / "archive"
    shutil.copytree(house.settings.archive, before)
    with clock.then(LATER):
        done = retaining.apply(house.settings)
    assert len(done.deliveries) > 3 and len(done.archived) > 2 and len(done.kept["hold"]) == 2
    build(house)
    return Lived(house, before, tuple(name for (name,) in names))


@pytest.fixture
def empty(shared_server: SharedServer, lived: Lived, tmp_path: Path) -> Iterator[House]:
    """An empty platform, and the key of the archive."""
    with empty_house(shared_server, tmp_path / "home", "frontdoor_let_go", key_of=lived.house) as house:
        yield house


def rebuilt(house: House, at: datetime = LATER) -> Rebuilt:
    prepare(house.settings, with_marts=False)
    with clock.then(at):
        return rebuild(house.settings, with_marts=False)


def test_archive_alone_gives_back_the_state_after_retention(lived: Lived, empty: House) -> None:
    shutil.copytree(lived.house.settings.archive, empty.settings.archive)
    assert rebuilt(empty).closed == 0
    assert rebuilt(empty).files == 0
    build(empty)
    was = lived.house.content(*REBUILT)
    assert sum(map(len, was.values())) > 300
    assert differences(was, empty.content(*REBUILT)) == {}
    ledger = "select delivery_id, status, verdict, records_loaded, records_removed from intake.deliveries order by 1"
    assert empty.rows(ledger) == lived.house.rows(ledger)
    files = "select file_id, status, duplicate_of, sha256_received, stored_name from intake.files order by 1"
    assert empty.rows(files) == lived.house.rows(files)
    empty.send(POLICE, another_file(), LATER)
    assert empty.one("select max(file_id) from intake.files") > lived.house.one("select max(file_id) from intake.files")


def test_paper_of_a_file_that_is_still_there_takes_nothing_from_it(lived: Lived, empty: House) -> None:
    """Retention was killed before the file went."""
    shutil.copytree(lived.archive_before, empty.settings.archive)
    for paper in lived.house.settings.archive.rglob("*.past"):
        (empty.settings.archive / paper.parent.name).mkdir(exist_ok=True)
        shutil.copy(paper, empty.settings.archive / paper.parent.name)
    assert rebuilt(empty).closed == 0
    files = "select file_id, status, duplicate_of from intake.files order by 1"
    assert empty.rows(files) == lived.house.rows(files)
    assert empty.one("select count(*) from raw.police where _delivery_id = 1") == 8


def test_paper_names_nobody_and_forgets_what_was_found_in_its_time(lived: Lived, empty: House) -> None:
    settings = lived.house.settings
    assert len(lived.values) > 3 and found(settings) > 0
    said = json.dumps([papers.read(settings, papers.PAST, each).said for each in papers.names(settings, papers.PAST)])
    assert not [name for name in (*lived.values, ".csv", "record_key") if name in said]
    much_later = AFTERWARDS + timedelta(days=86 * 31)
    with clock.then(much_later):
        assert retaining.apply(settings).findings_of
    assert found(settings) == 0
    shutil.copytree(settings.archive, empty.settings.archive)
    assert rebuilt(empty, much_later).closed == 0
    gone = "select delivery_id from intake.deliveries where findings_removed_at is not null order by 1"
    assert empty.rows(gone) == lived.house.rows(gone) != []


def found(settings: Settings) -> int:
    """How many findings the papers hold."""
    said = [papers.read(settings, papers.PAST, each).said for each in papers.names(settings, papers.PAST)]
    deliveries = [each for paper in said for each in paper["deliveries"]]
    return sum(len(each["counted"]["rows"]["quality.findings"]) for each in deliveries)
