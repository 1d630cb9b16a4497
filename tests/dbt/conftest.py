"""A database with the contracts' tables and reference rows, ready to be built; one per test module."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from psycopg2.extensions import connection as Connection

from frontdoor.contract import House, load_house
from frontdoor.settings import Settings
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
    connection = database.connect()
    house = load_house()
    records.prepare(connection, house)
    yield Marts(database.settings, connection, house)
    connection.close()
