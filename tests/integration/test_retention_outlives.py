"""What was let go of stays counted, also where only the archive is left.

Mend: frontdoor/delivery/past.py, frontdoor/delivery/counted.py, frontdoor/keeping/rebuild.py.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from frontdoor import clock, delivery
from frontdoor.delivery import retaining
from frontdoor.keeping.rebuild import rebuild
from frontdoor.prepare import prepare
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


@pytest.fixture(scope="module")
def lived(database: Database) -> House:
    house = House(database.settings)
    live_through_a_week(house)
    house.send(POLICE, another_file(), LATER - timedelta(days=3))
    build(house)
    # No feed of the police or of schools carries a decision yet.
    house.rows("update worklists.triage set is_open = false where received_at < %s", LATER - timedelta(days=90))
    with clock.then(LATER):
        done = retaining.apply(house.settings)
    assert len(done.deliveries) > 3 and len(done.archived) > 2 and done.kept["running"]
    build(house)
    return house


@pytest.mark.parametrize("is_killed", [False, True])
def test_archive_alone_gives_back_the_state_after_retention(
    lived: House, shared_server: SharedServer, tmp_path: Path, is_killed: bool
) -> None:
    with empty_house(shared_server, tmp_path / "home", "frontdoor_let_go", key_of=lived) as empty:
        shutil.copytree(lived.settings.archive, empty.settings.archive)
        prepare(empty.settings, with_marts=False)
        with clock.then(LATER):
            assert rebuild(empty.settings, with_marts=False).closed == 0
            assert rebuild(empty.settings, with_marts=False).files == 0
        build(empty)
        d = differences(lived.content(*REBUILT), empty.content(*REBUILT))
        for k, v in d.items():
            print("DIFF", k, *v, sep="\nDIFF   ")
        print("DIFF", lived.rows("select delivery_id, feed, payload_removed_at is not null from intake.deliveries order by 1"))
        assert d == {}
        ledger = (
            "select delivery_id, status, verdict, records_loaded, records_removed from intake.deliveries order by 1"
        )
        assert empty.rows(ledger) == lived.rows(ledger)
        files = "select file_id, status, duplicate_of, sha256_received, stored_name from intake.files order by 1"
        assert empty.rows(files) == lived.rows(files)
        empty.send(POLICE, another_file(), LATER)
        assert empty.one("select max(file_id) from intake.files") > lived.one("select max(file_id) from intake.files")
