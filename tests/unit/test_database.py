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
