"""Contracts may change, and may be wrong, while the platform runs. Mend: frontdoor/prepare.py."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from frontdoor import contract, prepare


@pytest.fixture
def declarations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of expectations/ that stands in its place."""
    copy = tmp_path / "expectations"
    shutil.copytree(contract.expectations_folder(), copy)
    monkeypatch.setattr(contract, "expectations_folder", lambda: copy)
    monkeypatch.setattr(prepare, "expectations_folder", lambda: copy)
    monkeypatch.setattr(prepare, "_ROOT", tmp_path)
    monkeypatch.setattr(prepare, "_PREPARED_FROM", (copy,))
    return copy


def test_agency_added_while_running_is_known_to_the_next_drain(database: Any, declarations: Path) -> None:
    connection = database.connect()
    prepare.prepare(database.settings)
    agency = (
        (declarations / "agencies" / "wearside_police.yaml").read_text().replace("wearside_police", "tyneside_police")
    )
    (declarations / "agencies" / "tyneside_police.yaml").write_text(agency)
    agreed = (declarations / "police" / "agencies" / "wearside_police.yaml").read_text()
    (declarations / "police" / "agencies" / "tyneside_police.yaml").write_text(
        agreed.replace("agency: wearside_police", "agency: tyneside_police")
    )
    house = prepare.prepare_if_changed(connection, database.settings)
    assert house.accepts("tyneside_police", "police")
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from reference.agencies where agency_code = 'tyneside_police'")
        assert cursor.fetchone() == (1,)
    assert (database.settings.landing / "tyneside_police" / "police").is_dir()
    connection.close()


def test_wrong_declaration_leaves_the_last_whole_house_in_force(
    database: Any, declarations: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = database.connect()
    prepare.prepare(database.settings)
    (declarations / "visit" / "contract.odcs.yaml").write_text("kind: [this is no contract")
    with caplog.at_level(logging.ERROR):
        house = prepare.prepare_if_changed(connection, database.settings)
    assert set(house.feeds) == {"police", "referral", "visit"}
    assert "visit/contract.odcs.yaml" in caplog.text
    connection.close()


def test_wrong_declaration_stops_neither_a_start_nor_an_ingest(
    database: Any, declarations: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepare.prepare(database.settings)
    (declarations / "police" / "contract.odcs.yaml").write_text("kind: [this is no contract")
    with caplog.at_level(logging.ERROR):
        prepare.prepare_to_run(database.settings)
    assert "police/contract.odcs.yaml" in caplog.text
    shutil.rmtree(database.settings.home / prepare.LAST_WHOLE)
    with pytest.raises(contract.ContractError):
        prepare.prepare_to_run(database.settings)


def test_landing_zone_that_may_not_be_written_is_said_as_that_and_holds_nothing(
    database: Any, declarations: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection, making = database.connect(), Path.mkdir
    prepare.prepare(database.settings)
    agreed = database.settings.landing / "wearside_police" / "police"
    agreed.rmdir()
    with (declarations / "agencies" / "wearside_police.yaml").open("a") as file:
        file.write("# changed\n")

    def refuse(path: Path, *arguments: Any, **named: Any) -> None:
        if path.is_relative_to(database.settings.landing):
            raise PermissionError(13, "Permission denied", str(path))
        making(path, *arguments, **named)

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr(Path, "mkdir", refuse)
        for _ in range(2):
            caplog.clear()
            assert prepare.prepare_if_changed(connection, database.settings).agencies
            assert "FRONTDOOR_LANDING" in caplog.text and "EACCES" in caplog.text and "chown" in caplog.text
            assert "declaration" not in caplog.text and str(database.settings.landing) not in caplog.text
    prepare.prepare_if_changed(connection, database.settings)
    assert agreed.is_dir(), "made by the next drain once it may be"
    connection.close()
