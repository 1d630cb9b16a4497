"""A platform with no server of its own: our tables and Airflow's in one database of a Postgres 15, over verified TLS.

Failing? frontdoor/platform/lifecycle.py starts it, airflow_database.py says where Airflow's tables are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from frontdoor import platform
from frontdoor.platform import administration, airflow, airflow_database, checks, server_checks
from tests.conftest import make_settings
from tests.live import Live
from tests.servers import SharedServer

OWNER, AIRFLOW = "region", "region_airflow"


class Elsewhere(Live):
    """The platform, and what the administrator of its server sees."""

    server: SharedServer
    most: dict[str, int]

    def seen(self, sql: str) -> list[tuple]:
        with closing(self.server.administrator(OWNER)) as opened, opened.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()


@pytest.fixture(scope="module")
def elsewhere(debian_server: SharedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    home = tmp_path_factory.mktemp("elsewhere")
    settings = make_settings(
        home,
        DATABASE_URL=debian_server.url(OWNER, OWNER, home / "pgpass"),
        AIRFLOW_DATABASE_URL=debian_server.url(OWNER, AIRFLOW, home / "secrets" / "airflow.pgpass"),
    )
    administration.create(settings, debian_server.admin_url())
    over = threading.Event()
    try:
        with platform.up(settings) as running:
            live = Elsewhere(settings, running)
            live.server, live.most = debian_server, {}
            watch = threading.Thread(target=count_connections, args=(live, over))
            watch.start()
            yield live
            over.set()
            watch.join()
    finally:
        over.set()
        debian_server.drop_database(OWNER)
        with closing(debian_server.administrator()) as opened, opened.cursor() as cursor:
            cursor.execute(f"drop role {OWNER}")
            cursor.execute(f"drop role {AIRFLOW}")


def count_connections(live: Elsewhere, over: threading.Event) -> None:
    with closing(live.server.administrator()) as opened, opened.cursor() as cursor:
        while not over.wait(0.1):
            cursor.execute("select usename, count(*) from pg_stat_activity where usename <> 'postgres' group by 1")
            for role, count in cursor.fetchall():
                live.most[role] = max(count, live.most.get(role, 0))


def test_file_goes_through_airflow_to_the_list(elsewhere: Elsewhere) -> None:
    hashes = [
        elsewhere.land(agency, feed, elsewhere.sample(agency, feed, 5))
        for agency, feed in (("wearside_police", "police"), ("wearside_schools", "referral"))
    ]
    elsewhere.wait_until(lambda: [elsewhere.in_triage(each) for each in hashes] == [5, 5], 200, "both files in triage")
    assert elsewhere.seen(f"select count(*) > 0 from {AIRFLOW}.dag_run where dag_id = 'feed_police'") == [(True,)]


def test_no_server_of_its_own_was_started(elsewhere: Elsewhere) -> None:
    assert not (elsewhere.settings.home / "postgres").exists()
    assert set(platform.status(elsewhere.settings).processes) == {"supervisor", *airflow.PARTS}


def test_every_session_of_both_roles_is_encrypted_and_none_is_a_superusers(elsewhere: Elsewhere) -> None:
    sessions = elsewhere.seen(
        "select usename, bool_and(ssl), bool_or(rolsuper or rolcreatedb or rolcreaterole) from pg_stat_activity"
        f" join pg_stat_ssl using (pid) join pg_roles on rolname = usename where usename in ('{OWNER}', '{AIRFLOW}')"
        " group by usename order by usename"
    )
    assert sessions == [(OWNER, True, False), (AIRFLOW, True, False)]


def test_role_of_airflow_reads_nothing_about_a_child(elsewhere: Elsewhere) -> None:
    with closing(airflow_database.connect(elsewhere.settings)) as opened, opened.cursor() as cursor:
        cursor.execute("select current_schema()")
        assert cursor.fetchone() == (AIRFLOW,)
        with pytest.raises(Exception, match="permission denied for schema worklists"):
            cursor.execute("select * from worklists.triage")


def test_doctor_finds_it_well_and_its_connections_as_many_as_are_asked_for(elsewhere: Elsewhere) -> None:
    def ill() -> list[str]:
        return [check.sentence for check in checks.doctor(elsewhere.settings) if not check.ok]

    elsewhere.wait_until(lambda: not ill(), 60, f"the doctor to be content, who says {ill()}")
    assert 0 < elsewhere.most[OWNER] <= server_checks.OUR_CONNECTIONS
    assert 0 < elsewhere.most[AIRFLOW] <= server_checks.AIRFLOW_CONNECTIONS
    print("most connections at once:", elsewhere.most)
