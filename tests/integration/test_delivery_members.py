"""What is told of a file with several members, of which one is dead; and the senders whose files are packed or JSON.

Mend: frontdoor/alerts/, frontdoor/status.py, frontdoor/delivery/; for the samples, the agency's file under expectations/.
"""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from frontdoor import delivery, intake, status
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database
from tests.intake_house import Place


def zipped(*entries: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture(scope="module")
def zone(database: Database) -> Iterator[Place]:
    prepare(database.settings)
    connection = database.connect()
    yield Place(database.settings, connection, load_house())
    connection.close()


def _land(database: Database, agency: str, feed: str, content: bytes) -> None:
    folder = database.settings.landing / agency / feed
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".incoming").write_bytes(content)
    time.sleep(0.02)
    os.rename(folder / ".incoming", folder / f"{time.time_ns()}")


def test_dead_part_of_a_living_file_is_told_of_and_the_rest_published(zone: Place, database: Database) -> None:
    zone.forget()
    house = load_house()
    good = [sample_records(house, "wearside_police", "police", 3, seed=seed) for seed in (71, 72)]
    _land(
        database,
        "wearside_police",
        "police",
        zipped(("a.csv", good[0]), ("b.zip", zipped(("c", good[1]))), ("d", good[1])),
    )
    delivery.ingest(database.settings)
    connection = database.connect()
    # A test that fails here must not leave a transaction open for the next one to wait for.
    connection.autocommit = True
    (file,) = status.files(connection)
    assert [(each["status"], each["verdict"], each["member_no"]) for each in file["deliveries"]] == [
        ("published", "accepted", 1), ("dead_letter", "unreadable", 2), ("published", "accepted", 3),
    ]  # fmt: skip
    assert file["status"] == "received"
    assert "archive within" in file["deliveries"][1]["reason"]
    assert [(each["place"], each["record_count"]) for each in file["members"]] == [
        ({"entry": 1}, 3), ({"entry": 2}, None), ({"entry": 3}, 3),
    ]  # fmt: skip
    assert status.is_done(connection, file["file_id"])
    ((subject, body),) = zone.all("select subject, body from alerts.messages")
    assert f"part 2 of file {file['file_id']}" in subject and "archive within the archive" in " ".join(body.split())
    delivery.send(database.settings)
    assert zone.one("select count(*) from alerts.messages") == (1,), "told once"
    zone.do("delete from alerts.messages")
    assert not status.is_done(connection, file["file_id"])
    connection.close()


def test_given_up_part_is_taken_up_again_by_a_replay(
    zone: Place, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.forget()
    load = intake.load

    def fails_once(connection: Any, settings: Any, house: Any, delivery_id: int) -> str:
        if delivery_id % 2:
            raise ValueError("our reader has a bug")
        return load(connection, settings, house, delivery_id)

    house = load_house()
    good = [sample_records(house, "wearside_police", "police", 3, seed=seed) for seed in (81, 82)]
    _land(database, "wearside_police", "police", zipped(("a.csv", good[0]), ("b.csv", good[1])))
    with monkeypatch.context() as patched:
        patched.setattr(intake, "load", fails_once)
        delivery.drain(database.settings)
    (dead,) = zone.one("select delivery_id from intake.deliveries where status = 'dead_letter'")
    assert zone.one("select status from intake.files") == ("received",)
    assert delivery.replay(database.settings, [dead]) == 1
    assert zone.all("select distinct status from intake.deliveries") == [("published",)]
    assert zone.one("select count(*) from quality.dead_letters where resolved_at is null") == (0,)


@pytest.mark.parametrize(("agency", "feed"), [("wearside_health", "referral"), ("wearside_partnership", "police")])
def test_sample_of_a_packed_or_json_sender_is_published_as_accepted(
    zone: Place, database: Database, agency: str, feed: str
) -> None:
    zone.forget()
    _land(database, agency, feed, sample_records(load_house(), agency, feed, 20, seed=5))
    delivery.ingest(database.settings)
    assert zone.all("select status, verdict, records_loaded from intake.deliveries") == [("published", "accepted", 20)]
    assert zone.one("select count(*) from worklists.triage where agency_code = %s", agency) == (20,)
    assert zone.findings() == []


def test_letter_names_lines_of_json_and_the_entry_of_an_archive(zone: Place, database: Database) -> None:
    zone.forget()
    house = load_house()
    lines = sample_records(house, "wearside_health", "referral", 20, seed=6, break_rule="REF-010")
    _land(database, "wearside_health", "referral", lines)
    poor = sample_records(house, "wearside_police", "police", 4, seed=61, break_rule="POL-007")
    good = sample_records(house, "wearside_police", "police", 4, seed=62)
    _land(database, "wearside_police", "police", zipped(("a/", b""), ("a/1.csv", good), ("a/2.csv", poor)))
    delivery.ingest(database.settings)
    letters = dict(zone.all("select agency_code, body from alerts.messages where recipient_role like '%%liaison'"))
    assert "Lines of your file: 11" in letters["wearside_health"]
    assert "entry 3 of your archive" in letters["wearside_police"]
    assert "Rows of your file: 4" in letters["wearside_police"]
