"""What the ledger says, as documents; and how a delivered file is followed. Mend: frontdoor/status.py, cli/."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli, status
from frontdoor import settings as setting
from frontdoor.cli import delivering

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NUMBERS = itertools.count()
FILE = {"file_id", "sha256", "status", "duplicate_of", "reason", "deliveries", "members"}
DELIVERY = {
    *("delivery_id", "agency_code", "feed", "contract_version", "status", "verdict", "records_in", "records_loaded"),
    *("records_dead", "findings", "received_at", "published_at", "built_at", "alerted_at"),
}
PENDING = {"landing", "received", "loaded", "checked", "unbuilt", "unsent"}


@pytest.fixture
def connection(database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in setting.as_environment(database.settings).items():
        monkeypatch.setenv(name, value)
    opened = database.connect()
    opened.autocommit = True
    yield opened
    opened.close()


def a_file(connection: Any, *, status: str = "received", sha256: str = "", name: str = "Canary Kid.csv") -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into intake.files (agency_code, source, file_name, taken_token, sha256_received, sha256_stored,"
            " size_bytes, received_at, status, reason) values ('wearside_police', 'police', %s, %s, %s, '', 1, %s, %s,"
            " case when %s = 'dead_letter' then 'The file is empty.' end) returning file_id",
            (name, f"token-{next(NUMBERS)}", sha256, AT, status, status),
        )
        file_id = int(cursor.fetchone()[0])
        cursor.execute("insert into intake.members values (%s, 1, 'Canary Kid.csv', 'police', 3)", (file_id,))
        return file_id


def a_delivery(connection: Any, file_id: int, *, status: str = "published", is_built: bool = False) -> int:
    with connection.cursor() as cursor:
        build_id = None
        if is_built:
            cursor.execute(
                "insert into warehouse.builds (as_of, started_at, ended_at, status, deliveries_count)"
                " values (%s, %s, %s, 'succeeded', 1) returning build_id",
                (AT, AT, AT + timedelta(seconds=3)),
            )
            build_id = cursor.fetchone()[0]
        cursor.execute(
            "insert into intake.deliveries (file_id, member_no, agency_code, source, feed, contract_version,"
            " agency_version, status, verdict, size_bytes, records_in, records_loaded, records_dead, received_at,"
            " published_at, built_in) values (%s, 1, 'wearside_police', 'police', 'police', '1.0.0', '1', %s,"
            " 'accepted', 1, 3, 3, 0, %s, %s, %s) returning delivery_id",
            (file_id, status, AT, AT + timedelta(seconds=1), build_id),
        )
        return int(cursor.fetchone()[0])


def a_message(connection: Any, file_id: int, delivery_id: int | None = None, *, is_sent: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into alerts.messages (message_id, delivery_id, file_id, agency_code, recipient_role, subject, body,"
            " created_at, sent_at) values (gen_random_uuid(), %s, %s, 'wearside_police', 'liaison', '', '', %s, %s)",
            (delivery_id, file_id, AT, AT + timedelta(seconds=2) if is_sent else None),
        )


def test_status_is_the_document_that_outsiders_rely_on(connection: Any, capsys: Any) -> None:
    file_id = a_file(connection)
    delivery_id = a_delivery(connection, file_id, is_built=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into quality.checks values ('POL-901', '1.0.0', 'police', 'critical', '', '', 'record', '', '', '')"
        )
        cursor.execute(
            "insert into quality.findings"
            " select %s, n, null, 'POL-901', '1.0.0', 'new', %s from generate_series(1, 2) as n",
            (delivery_id, AT),
        )
    a_message(connection, file_id, delivery_id, is_sent=True)
    assert cli.main(["status", "--json", "--delivery", str(delivery_id)]) == 0
    said = capsys.readouterr().out
    document = json.loads(said)
    assert set(document) == {"database", "airflow", "pending", "files"}
    assert set(document["database"]) == {"host", "port", "name", "users", "passfile"}
    assert document["airflow"] is None
    assert set(document["pending"]) == PENDING
    ((file,),) = (document["files"],)
    assert set(file) >= FILE
    ((delivery,),) = (file["deliveries"],)
    assert set(delivery) >= DELIVERY
    assert delivery["findings"] == {"critical": 2, "warning": 0, "info": 0}
    assert delivery["built_at"] == "2026-03-02T09:00:03Z"
    assert delivery["alerted_at"] == "2026-03-02T09:00:02Z"
    assert file["members"] == [{"member_no": 1, "place": {}, "feed": "police", "record_count": 3, "reading": {}}]
    assert "Canary" not in said


def test_status_in_words_names_no_file(connection: Any, capsys: Any) -> None:
    a_delivery(connection, a_file(connection))
    assert cli.main(["status"]) == 0
    assert "Canary" not in capsys.readouterr().out


def test_unknown_delivery_is_wrong_usage(connection: Any, capsys: Any) -> None:
    assert cli.main(["status", "--delivery", "987654321"]) == 2
    assert cli.main(["replay", "--delivery", "987654321"]) == 2


def test_pending_counts_what_waits_for_each_step(connection: Any, database: Any) -> None:
    before = status.pending(connection, database.settings)
    for state in ("received", "loaded", "checked", "published"):
        file_id = a_file(connection)
        a_delivery(connection, file_id, status=state)
        a_message(connection, file_id, is_sent=False)
    folder = database.settings.landing / "wearside_police" / "police"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("waits.csv", ".hidden", "unfinished.part"):
        (folder / name).write_text("x")
    after = status.pending(connection, database.settings)
    grown = {name: after[name] - before[name] for name in after}
    assert grown == {"landing": 1, "received": 1, "loaded": 1, "checked": 1, "unbuilt": 1, "unsent": 4}
    (folder / "waits.csv").unlink()


def test_file_is_done_when_it_is_published_built_and_told_of(connection: Any) -> None:
    def done(file_id: int) -> bool:
        return status.is_done(connection, file_id)

    waiting = a_file(connection)
    a_delivery(connection, waiting, status="loaded")
    unbuilt = a_file(connection)
    a_delivery(connection, unbuilt)
    quiet = a_file(connection)
    a_delivery(connection, quiet, is_built=True)
    untold = a_file(connection)
    a_message(connection, untold, a_delivery(connection, untold, is_built=True), is_sent=False)
    told = a_file(connection)
    a_message(connection, told, a_delivery(connection, told, is_built=True), is_sent=True)
    assert [done(each) for each in (waiting, unbuilt, quiet, untold, told)] == [False, False, True, False, True]
    assert done(a_file(connection, status="duplicate"))
    dead = a_file(connection, status="dead_letter")
    a_delivery(connection, dead, status="dead_letter")
    assert not done(dead)  # nobody has been told yet
    a_message(connection, dead, is_sent=True)
    assert done(dead)


def a_landed(connection: Any, sha256: str, name: str = "notices.csv") -> delivering.Landed:
    mark = delivering.newest_file(connection)
    return delivering.Landed("wearside_police", "police", name, AT, sha256, 1, mark)


def test_own_file_is_found_among_those_of_the_same_name_and_of_the_same_bytes(connection: Any) -> None:
    a_file(connection, sha256="same", name="notices.csv")
    landed = a_landed(connection, "same")
    a_file(connection, sha256="other", name="notices.csv")
    a_file(connection, sha256="same", name="else.csv")
    assert delivering.ledger_row(connection, landed) is None
    own = a_file(connection, sha256="same", name="notices.csv")
    a_file(connection, sha256="same", name="notices.csv")
    assert delivering.ledger_row(connection, landed) == own


def test_waiting_ends_when_all_is_done_and_gives_the_file(connection: Any, database: Any) -> None:
    landed = a_landed(connection, "followed")

    def drain() -> None:
        own = database.connect()
        own.autocommit = True
        time.sleep(0.3)
        a_delivery(own, a_file(own, sha256="followed", name="notices.csv"), is_built=True)
        own.close()

    thread = threading.Thread(target=drain)
    thread.start()
    document, is_done = delivering.follow(connection, landed, 20)
    thread.join()
    assert is_done
    assert document is not None and document["deliveries"][0]["verdict"] == "accepted"


def test_waiting_in_vain_exits_3_and_the_file_is_safe(
    connection: Any, database: Any, tmp_path: Path, capsys: Any
) -> None:
    file = tmp_path / "notices.csv"
    file.write_text("x")
    arguments = ["deliver", str(file), "--agency", "wearside_police", "--feed", "police", "--wait", "0.3", "--json"]
    assert cli.main(arguments) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["deliveries"]) == ("landed", [])
    landed = database.settings.landing / "wearside_police" / "police" / "notices.csv"
    assert landed.read_text() == "x"
    landed.unlink()
