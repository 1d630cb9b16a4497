"""What is said to a server's administrator and to Airflow's drivers, without a server.

Failing? frontdoor/platform/server_plan.py, airflow_database.py, passfiles.py.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy

from frontdoor.database import DatabaseUnavailable
from frontdoor.platform import administration, airflow_database, passfiles, server_plan
from frontdoor.settings import Settings

OURS = "postgresql://frontdoor@db.example:5433/council"
THEIRS = "postgresql://airflow@db.example:5433/council"


def with_urls(settings: Settings, ours: str | None, theirs: str | None) -> Settings:
    return dataclasses.replace(settings, database_url=ours, airflow_database_url=theirs)


def test_both_drivers_of_airflow_are_told_to_verify_and_where_the_password_is(settings: Settings) -> None:
    url = f"{THEIRS}?sslmode=verify-full&sslrootcert=/etc/a ca.crt&passfile=/p&keepalives=1".replace(" ", "%20")
    by_psycopg2, by_asyncpg = map(sqlalchemy.make_url, airflow_database.urls(with_urls(settings, None, url)))
    assert by_psycopg2.query == {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/a ca.crt",
        "passfile": "/p",
        "keepalives": "1",
    }
    assert by_asyncpg.query.keys() == {"dsn"}
    dsn = by_asyncpg.query["dsn"]
    assert isinstance(dsn, str)
    told = {name: values[0] for name, values in parse_qs(urlsplit(dsn).query).items()}
    assert told == {"sslmode": "verify-full", "sslrootcert": "/etc/a ca.crt", "passfile": "/p"}
    for parsed in (by_psycopg2, by_asyncpg):
        assert (parsed.username, parsed.host, parsed.port, parsed.database) == (
            "airflow",
            "db.example",
            5433,
            "council",
        )


def test_airflow_url_that_cannot_be_read_is_named_and_not_repeated(settings: Settings) -> None:
    with pytest.raises(DatabaseUnavailable, match="FRONTDOOR_AIRFLOW_DATABASE_URL") as caught:
        airflow_database.locate(with_urls(settings, None, "mysql://me@host/name"))
    assert "me@host" not in str(caught.value)


def test_one_database_gets_a_schema_for_airflow_and_two_get_none(settings: Settings) -> None:
    one = server_plan.script(with_urls(settings, OURS, THEIRS))
    assert one.count("create database") == 1
    assert 'create schema if not exists "airflow" authorization "airflow"' in one
    two = server_plan.script(with_urls(settings, OURS, THEIRS.replace("/council", "/airflow")))
    assert two.count("create database") == 2
    assert "create schema" not in two
    later = server_plan.script(with_urls(settings, OURS, THEIRS), only="airflow")
    assert "create database" not in later
    assert "create schema" in later


def test_two_servers_are_made_one_by_one(settings: Settings) -> None:
    both = with_urls(settings, OURS, THEIRS.replace("db.example", "other.example"))
    with pytest.raises(server_plan.CannotCreate, match="--only frontdoor"):
        server_plan.script(both)
    assert "airflow" not in server_plan.script(both, only="frontdoor")
    assert "bi_reader" not in server_plan.script(both, only="airflow")


def test_airflow_must_not_be_the_owner_of_our_tables(settings: Settings) -> None:
    with pytest.raises(server_plan.CannotCreate, match="a role of its own"):
        server_plan.script(with_urls(settings, OURS, OURS))


def test_names_with_signs_cannot_leave_their_quotes(settings: Settings) -> None:
    said = server_plan.script(with_urls(settings, "postgresql://o'%22ne@h/x%3B%20drop", None), only="frontdoor")
    assert 'create role "o\'\'""ne" login' in said
    assert 'database "x; drop"' in said


def test_first_line_that_fits_is_the_password(tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text("# host:1:*:me:no\nhost:1:other:me:no\nh\\:1:1:*:me:a\\:b\\\\c\n*:*:*:me:any\n*:*:*:me:later\n")
    assert passfiles.find_password(file, "h:1", 1, "name", "me") == "a:b\\c"
    assert passfiles.find_password(file, "host", 1, "name", "me") == "any"
    assert passfiles.find_password(file, "host", 1, "name", "you") is None
    assert passfiles.find_password(tmp_path / "none", "host", 1, "name", "me") is None


def test_added_login_comes_first_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text("*:*:*:*:all\n")
    passfiles.add_logins(file, [passfiles.Login("host", "1", "me", "mine")])
    assert file.read_text() == "host:1:*:me:mine\n*:*:*:*:all\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_administrator_of_another_server_is_refused_before_anything_is_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from frontdoor.cli import main

    monkeypatch.setenv("FRONTDOOR_HOME", str(settings.home))
    monkeypatch.setenv("FRONTDOOR_DATABASE_URL", OURS)
    monkeypatch.setenv("FRONTDOOR_AIRFLOW_DATABASE_URL", THEIRS)
    monkeypatch.setattr(administration, "_opened_within", _not_to_be_reached)
    elsewhere = ("database", "create", "--admin-url", "postgresql://postgres@postgres:5432/postgres")
    assert main([*elsewhere]) == 1
    assert "postgres:5432, but the settings name db.example:5433" in capsys.readouterr().err
    assert main([*elsewhere, "--if-here"]) == 0
    assert "Nothing is made here" in capsys.readouterr().out
    with pytest.raises(Reached):
        main([*elsewhere, "--same-server"])
    # One of the two lies here: that one is made.
    monkeypatch.setenv("FRONTDOOR_AIRFLOW_DATABASE_URL", "postgresql://airflow@postgres/airflow")
    asked: list[str | None] = []
    monkeypatch.setattr(administration, "create", lambda *_, only, **__: asked.append(only) or [])
    assert main([*elsewhere, "--if-here"]) == 0
    assert asked == ["airflow"]


class Reached(BaseException):
    pass


def _not_to_be_reached(*_: object) -> None:
    raise Reached


def test_wrong_usage_is_told_before_anything_is_connected_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from frontdoor.cli import main

    monkeypatch.delenv("FRONTDOOR_DATABASE_URL", raising=False)
    monkeypatch.delenv("FRONTDOOR_AIRFLOW_DATABASE_URL", raising=False)
    monkeypatch.setenv("FRONTDOOR_HOME", str(settings.home))
    assert main(["database", "create", "--print-sql"]) == 2
    monkeypatch.setenv("FRONTDOOR_DATABASE_URL", OURS)
    assert main(["database", "create", "--print-sql"]) == 0
    assert main(["database", "create", "--print-sql", "--only", "airflow"]) == 2
    assert main(["database", "create", "--admin-url", "postgresql://root:hush@127.0.0.1:1/x"]) == 2
    assert main(["database", "create", "--admin-url", "postgresql://root@127.0.0.1:1/x?password=hush"]) == 2
    assert main(["database", "create", "--admin-url", "postgresql://root@127.0.0.1:1/x"]) == 1
    said = capsys.readouterr()
    assert "hush" not in said.out + said.err
