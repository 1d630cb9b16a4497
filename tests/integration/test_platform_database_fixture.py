"""The fixtures and the connection helper on a real server. Failing? tests/conftest.py, frontdoor/database.py."""

import dataclasses
import threading
from datetime import UTC, datetime

import psycopg2
import pytest

from frontdoor import clock
from frontdoor import database as connections
from frontdoor.database import DatabaseUnavailable, advisory_lock, connect, safe_error

pytestmark = pytest.mark.on_both_servers


def test_fresh_module_database_is_migrated_and_empty(database) -> None:
    with database.connect() as opened, opened.cursor() as cursor:
        cursor.execute("select count(*) from intake.files")
        assert cursor.fetchone() == (0,)
        cursor.execute("select current_user, current_setting('TimeZone'), current_setting('is_superuser')")
        assert cursor.fetchone() == ("frontdoor", "UTC", "off")
    opened.close()


def test_url_for_other_tools_reaches_the_same_database_without_a_password(shared_server, database) -> None:
    import sqlalchemy

    url = connections.sqlalchemy_url(database.settings)
    assert url.startswith(f"postgresql+psycopg2://frontdoor@{shared_server.address}/")
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as opened:
        named = opened.execute(sqlalchemy.text("select current_database()")).scalar()
    engine.dispose()
    assert named == connections.locate(database.settings).name


def test_lock_that_another_session_holds_is_not_given_until_it_is_free(database) -> None:
    first, second = database.connect(), database.connect()
    got = threading.Event()

    def wait_for_it() -> None:
        with advisory_lock(second, "a", "b", wait=True):
            got.set()

    with advisory_lock(first, "a", "b", wait=False) as held:
        assert held
        assert first.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
        with advisory_lock(second, "a", "b", wait=False) as also:
            assert not also
        with advisory_lock(second, "ab", wait=False) as other:
            assert other
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        assert not got.wait(0.3)
    assert got.wait(10)
    waiter.join()
    first.close()
    second.close()


def test_lock_is_given_back_after_a_failed_statement(database) -> None:
    first, second = database.connect(), database.connect()
    with pytest.raises(psycopg2.Error), advisory_lock(first, "x", wait=True), first.cursor() as cursor:
        cursor.execute("select 1 / 0")
    with advisory_lock(second, "x", wait=False) as held:
        assert held
    first.close()
    second.close()


def test_error_is_told_without_its_values(database) -> None:
    opened = database.connect()
    with opened.cursor() as cursor:
        cursor.execute("create temporary table child (name text constraint one_name unique)")
        cursor.execute("insert into child values ('Zebedee')")
        with pytest.raises(psycopg2.Error) as caught:
            cursor.execute("insert into child values ('Zebedee')")
    opened.close()
    assert "Zebedee" in str(caught.value)
    assert safe_error(caught.value) == "UniqueViolation, SQLSTATE 23505, constraint one_name"


def test_pinned_time_is_refused_until_the_database_is_marked_as_simulation(database) -> None:
    pinned = dataclasses.replace(database.settings, now=datetime(2026, 1, 5, tzinfo=UTC))
    with pytest.raises(DatabaseUnavailable, match="simulation"):
        connect(pinned)
    with database.connect() as opened, opened.cursor() as cursor:
        cursor.execute("insert into warehouse.simulation (marked_at) values (%s)", (clock.now(),))
    opened.close()
    connect(pinned).close()
