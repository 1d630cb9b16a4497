"""A database with the contracts' tables and reference rows, ready to be built; one per test module."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from psycopg2.extensions import connection as Connection

from frontdoor import warehouse
from frontdoor.contract import House, load_house
from frontdoor.settings import PREFIX, Settings
from frontdoor.warehouse import builds
from tests.conftest import Database
from tests.dbt import records


@dataclass(frozen=True)
class Marts:
    """Where deliveries are put, built and looked at."""

    settings: Settings
    connection: Connection
    house: House


@pytest.fixture(scope="module")
def marts(database: Database) -> Iterator[Marts]:
    """The data tests run once, over all that the module's tests leave behind, and not after each of their builds."""
    connection = database.connect()
    house = load_house()
    records.prepare(connection, house)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "_test", lambda call: warehouse.BuildResult())
        yield Marts(database.settings, connection, house)
    records.build(database.settings)
    dbt = builds.dbt_for(database.settings)
    failed = dbt.run_tests(dbt.test_names()).failed
    connection.close()
    assert not failed, f"run `dbt test` in dbt_project to see what {sorted(failed)} say"


@pytest.fixture
def marts_at(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], Marts]:
    """A function that builds the marts as of a time."""

    def build(at: datetime) -> Marts:
        with marts.connection.cursor() as cursor:
            cursor.execute("insert into warehouse.simulation values (true, %s) on conflict do nothing", (at,))
        marts.connection.commit()
        monkeypatch.setenv(f"{PREFIX}NOW", at.isoformat())
        records.build(marts.settings)
        return marts

    return build
