"""A copy goes to an object store, to a newer server, and to a role of another name; what is said meanwhile is the truth.

Mend: frontdoor/keeping/, frontdoor/cli/keeping.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from frontdoor.cli import main
from frontdoor.intake import archive, volumes
from frontdoor.keeping.backup import backup
from frontdoor.keeping.restore import restore
from frontdoor.settings import as_environment
from tests.conftest import make_settings
from tests.keeping_house import House, empty_house, live_through_a_week
from tests.object_stores import KINDS, object_store
from tests.servers import SharedServer, create_roles

EVERYTHING = ("intake", "raw", "quality", "reference", "staging", "core", "worklists", "indicators", "bi")
OLD, NEW, COUNCIL = "frontdoor_old", "frontdoor_new", "council_of_another_name"


@pytest.fixture(scope="module")
def lived(debian_server: SharedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A week on Debian's Postgres 15, in a database that compares texts as the British do, over TLS."""
    with empty_house(debian_server, tmp_path_factory.mktemp("old"), OLD) as house:
        live_through_a_week(house)
        yield house


def assert_same(house: House, other: House) -> None:
    was, is_now = house.content(*EVERYTHING), other.content(*EVERYTHING)
    assert was.keys() == is_now.keys() and sum(map(len, was.values())) > 1000
    assert {table for table in was if was[table] != is_now[table]} == set()


def names_of_children(house: House) -> set[bytes]:
    found = house.rows("select forename from raw.referral where length(forename) > 4")
    assert len(found) > 1
    return {forename.encode() for (forename,) in found}


def test_copy_of_postgres_15_comes_back_in_18_under_another_role(
    lived: House, embedded_server: SharedServer, tmp_path: Path
) -> None:
    backup(lived.settings, str(tmp_path / "copy"))
    url = embedded_server.url(NEW, COUNCIL, tmp_path / "new" / "pgpass")
    there = House(make_settings(tmp_path / "new", DATABASE_URL=url, ARCHIVE_KEY_FILE=str(lived.settings.archive_key)))
    create_roles(embedded_server, there.settings)
    try:
        restore(there.settings, str(tmp_path / "copy"))
        assert there.one("show server_version_num") >= "180000" > "160000" > lived.one("show server_version_num")
        assert_same(lived, there)
        owners = "select distinct relowner::regrole::text from pg_class where relnamespace = any(%s::regnamespace[])"
        assert there.rows(owners, list(EVERYTHING)) == [(COUNCIL,)]
        assert there.one("select has_table_privilege('bi_reader', 'bi.indicator_values', 'select')")
        assert not there.one("select has_table_privilege('bi_reader', 'worklists.triage', 'select')")
        there.build()
        assert there.one("select count(*) from worklists.triage") == lived.one("select count(*) from worklists.triage")
    finally:
        embedded_server.drop_database(NEW)
        with closing(embedded_server.administrator()) as administrator, administrator.cursor() as cursor:
            cursor.execute(f"drop role {COUNCIL}")


@pytest.mark.parametrize("kind", KINDS)
def test_copy_in_an_object_store_comes_back_into_an_archive_that_is_one(
    lived: House, debian_server: SharedServer, tmp_path: Path, kind: str
) -> None:
    with object_store(kind) as store:
        first, second = (backup(lived.settings, f"{store.url}/copies", keep=1) for _ in range(2))
        assert (first.copied, second.copied, second.removed) == (len(first.manifest.files), 0, 1)
        with empty_house(debian_server, tmp_path / "new", NEW, key_of=lived) as bare:
            there = House(replace(bare.settings, archive_url=f"{store.url}/archive"))
            done = restore(there.settings, f"{store.url}/copies")
            assert not done.damaged and done.manifest.backup_id == second.manifest.backup_id
            assert_same(lived, there)
            kept = set(archive.each(lived.settings))
            assert set(archive.each(there.settings)) == kept and len(kept) > 3
            for name in kept:
                with archive.opened(lived.settings, name) as one, archive.opened(there.settings, name) as other:
                    assert archive.measured(one) == archive.measured(other)
        system, root = volumes.connect(store.url)
        contents = [system.cat_file(path) for path in system.find(root)]
        assert len(contents) > 2 * len(kept)
        assert not [name for name in names_of_children(lived) for content in contents if name in content]


def test_what_is_said_of_a_copy_and_of_the_way_back(
    lived: House,
    debian_server: SharedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(house: House, *command: str, code: int = 0) -> str:
        for name, value in as_environment(house.settings).items():
            monkeypatch.setenv(name, value)
        assert main([*command]) == code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert not [name for name in names_of_children(lived) if name.decode() in printed.out + printed.err]
        return printed.out

    copy = str(tmp_path / "copy")
    published = lived.one("select max(delivery_id) from intake.deliveries where published_at is not null")
    lived.rows(
        "update alerts.messages set sent_at = null where message_id in (select message_id from alerts.messages limit 2)"
    )
    told = said(lived, "backup", "--out", copy)
    assert told.startswith("Backup 20") and f"the last was delivery {published}, at 2026-" in told
    assert f"{lived.settings.archive_key}, which is NOT in it" in told
    with empty_house(debian_server, tmp_path / "new", NEW, key_of=lived) as there:
        told = said(there, "restore", copy)
        assert f"the last was delivery {published}, at 2026-" in told
        assert "None of what was published until then is lost." in told
        assert "2 letters were unsent then" in told
        assert "holds files already" in _refused(there, copy, capsys)
        told = said(there, "held")
        assert " letters to " in told and "frontdoor held --send, or --were-sent." in told
        assert said(there, "held", "--were-sent").endswith("2 letters are marked as sent.\n")
        assert said(there, "held") == "No letter is held.\n"
        told = said(there, "rebuild")
        assert told.startswith("Taken in again: 0 files; 0 deliveries") and "Not in the archive" in told


def _refused(house: House, copy: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["restore", copy]) == 1
    return capsys.readouterr().err
