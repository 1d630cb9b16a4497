"""Addresses and errors, without a server. Failing? Look at frontdoor/database.py."""

import dataclasses
from pathlib import Path

import pytest

from frontdoor.database import DatabaseUnavailable, locate, safe_error, sqlalchemy_url
from frontdoor.settings import Settings


def test_home_without_a_database_says_how_to_start_one(settings: Settings) -> None:
    with pytest.raises(DatabaseUnavailable, match="frontdoor up"):
        locate(settings)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_url_of_any_postgres_scheme_is_located(settings: Settings, scheme: str) -> None:
    server = locate(dataclasses.replace(settings, database_url=f"{scheme}://me@db.example:5433/council?passfile=/p"))
    assert (server.host, server.port, server.name, server.owner) == ("db.example", 5433, "council", "me")
    assert server.passfile == Path("/p")


@pytest.mark.parametrize("url", ["mysql://me@host/name", "just text", "postgresql://[broken"])
def test_url_that_is_not_postgres_is_refused_without_repeating_it(settings: Settings, url: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        locate(dataclasses.replace(settings, database_url=url))
    assert url not in str(caught.value)


def test_password_with_signs_in_a_url_survives_the_way_to_sqlalchemy(settings: Settings) -> None:
    import sqlalchemy

    given = dataclasses.replace(settings, database_url="postgres://me:a%40b%2Fc@h:1/n?sslmode=require")
    parsed = sqlalchemy.make_url(sqlalchemy_url(given))
    assert (parsed.drivername, parsed.password, parsed.query["sslmode"]) == ("postgresql+psycopg2", "a@b/c", "require")


def test_error_of_any_kind_is_told_by_its_class_alone() -> None:
    assert safe_error(ValueError("Zebedee")) == "ValueError"


@pytest.mark.parametrize("host", ["db.example", "[::1]", "%2Frun%2Fpostgresql"])
def test_host_of_any_kind_reaches_the_driver_of_sqlalchemy(settings: Settings, host: str) -> None:
    import sqlalchemy
    from sqlalchemy.dialects.postgresql import psycopg2 as dialect

    given = dataclasses.replace(settings, database_url=f"postgresql://me@{host}:5433/council")
    url = sqlalchemy.make_url(sqlalchemy_url(given))
    _, taken = dialect.dialect().create_connect_args(url)
    assert (taken["host"], str(taken["port"])) == (locate(given).host, "5433")
    assert taken["dbname"] == "council"


def test_encryption_of_a_url_reaches_dbt_by_its_environment(settings: Settings) -> None:
    from frontdoor.warehouse.dbt_runner import dbt_for

    url = (
        "postgresql://me@db.example/council?sslmode=verify-full&sslrootcert=/ca.crt&channel_binding=require&passfile=/p"
    )
    variables = dbt_for(dataclasses.replace(settings, database_url=url)).variables
    assert {
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca.crt",
        "PGCHANNELBINDING": "require",
        "PGPASSFILE": "/p",
        "FRONTDOOR_DBT_PORT": "5432",
    }.items() <= variables.items()
