"""Invented good files of every agency go through intake without a finding.

Mend: expectations/, frontdoor/simulator/.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from frontdoor import intake, warehouse
from frontdoor.contract import House, load_house
from frontdoor.simulator.sample import write_sample
from tests.conftest import Database
from tests.intake_house import Place

REAL = Path(__file__).parents[3] / "shared" / "data" / "fake_CIN_data.xml"


@pytest.fixture(scope="module")
def house(database: Database) -> House:
    house = load_house()
    connection = database.connect()
    warehouse.ensure_raw_tables(connection, house)
    connection.close()
    return house


def _load(database: Database, house: House, path: Path, agency: str, source: str) -> tuple[object, ...]:
    place = Place(database.settings, database.connect(), house)
    place.drop(path.read_bytes(), path.name, to=f"{agency}/{source}")
    assert intake.take(place.connection, place.settings, house, source=source) == 1
    assert place.load() == ["loaded"]
    row = place.one(
        "select records_loaded, records_dead, (select array_agg(rule_id) from quality.findings"
        " where findings.delivery_id = deliveries.delivery_id) from intake.deliveries order by delivery_id desc limit 1"
    )
    place.connection.close()
    return row


@pytest.mark.parametrize(
    ("agency", "feed"),
    [
        ("wearside_police", "police"),
        ("wearside_schools", "referral"),
        ("wearside_council", "visit"),
        ("wearside_health", "referral"),
        ("wearside_housing", "referral"),
        ("wearside_partnership", "police"),
    ],
)
def test_good_sample_of_an_agency_is_loaded_without_a_finding(
    database: Database, house: House, tmp_path: Path, agency: str, feed: str
) -> None:
    path = tmp_path / "sample.csv"
    write_sample(path, house, agency, feed, 50, seed=1)
    assert _load(database, house, path, agency, feed) == (50, 0, None)


def test_real_census_fills_the_columns_of_the_contract(database: Database, house: House) -> None:
    assert _load(database, house, REAL, "wearside_council", "cin_census") == (402, 0, None)
    place = Place(database.settings, database.connect(), house)
    assert place.one(
        "select count(*), count(distinct child_ref), count(icpc_date), min(return_reference_date), min(record_role)"
        " from raw.referral where _agency_code = 'wearside_council'"
    ) == (402, 332, 350, "2022-07-21", "council_record")
    place.connection.close()
