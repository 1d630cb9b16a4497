"""What is archived cannot be read without its key, and a lost key or a damaged copy holds nobody. Mend: intake/archive.py."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli
from frontdoor.cli.doctor import Check, examine
from frontdoor.intake import archive, archive_keys, resealing
from frontdoor.settings import as_environment
from tests import intake_house
from tests.conftest import Database
from tests.intake_house import Place

HEADER = b"notification_ref,child_ref,forename,dob,narrative,grade\n"
CANARY = b"Zorvika Quelmarsh"


@pytest.fixture(scope="module")
def zone(database: Database) -> Iterator[Place]:
    from frontdoor.warehouse.raw_tables import ensure_raw_tables

    connection, house = database.connect(), intake_house.house()
    ensure_raw_tables(connection, house)
    yield Place(database.settings, connection, house)
    connection.close()


@pytest.fixture
def place(zone: Place) -> Place:
    zone.forget()
    for path in (zone.settings.archive_key, archive_keys.spare_file(zone.settings)):
        path.unlink(missing_ok=True)
    return zone


def rows(*names: bytes) -> bytes:
    return HEADER + b"".join(b"N%d,C%d,%s,,,red\n" % (number, number, name) for number, name in enumerate(names))


def names_read(place: Place) -> list[str]:
    return [name for (name,) in place.all("select forename from raw.police order by _delivery_id, _record_no")]


def checked(place: Place) -> Check:
    (check,) = [each for each in examine(place.settings) if each.id == "archive"]
    return check


def lose(key_file: Path) -> str:
    text = key_file.read_text()
    key_file.unlink()
    return text


def archived_files(place: Place) -> list[Path]:
    """The files; beside each lies a note of who sent it (intake/journal.py)."""
    return [path for path in place.settings.archive.rglob("*") if path.is_file() and path.suffix != ".taken"]


def test_nothing_that_was_sent_stands_in_the_archive_or_a_temporary_folder(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = rows(*[CANARY] * 300)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as both:  # stored: its bytes stand in it as they are
        both.writestr("one.csv", content.replace(b"N1,", b"M1,"))
        both.writestr(f"{CANARY.decode()}.csv", content.replace(b"N2,", b"M2,"))
    for number, each in enumerate((content, packed.getvalue(), gzip.compress(content, 0))):
        assert set(place.ingest(each, f"{CANARY.decode()} {number}")) == {"loaded"}
    assert names_read(place) == [CANARY.decode()] * 1200
    kept = archived_files(place)
    assert len(kept) == 3
    places = [place.settings.home, tmp_path]
    found = [path for folder in places for path in folder.rglob("*") if path.is_file()]
    assert set(kept) < set(found)
    for path in found:
        assert CANARY not in path.read_bytes() and CANARY.decode() not in str(path), path
    # Nor does a name tell whoever has the file that we have it.
    known = {hashlib.sha256(content).hexdigest(), hashlib.sha256(packed.getvalue()).hexdigest()}
    assert not known & {path.name for path in found}


def test_label_says_who_sent_it_for_whoever_has_the_archive_alone(place: Place) -> None:
    place.ingest(rows(b"Ann"), "a.csv")
    (name,) = archive.each(place.settings)
    with archive.opened(place.settings, name) as kept:
        label = kept.label
    received_at = label.pop("received_at")
    assert label == {"agency": "wearside_police", "source": "police", "name": "a.csv"}
    assert place.one("select received_at = %s from intake.files", received_at) == (True,)


def test_same_bytes_again_are_kept_once(place: Place) -> None:
    place.ingest(rows(b"Ann"), "one.csv")
    place.ingest(rows(b"Ann"), "two.csv")
    assert len(archived_files(place)) == 1
    assert place.one("select count(*), count(distinct stored_name) from intake.files") == (2, 1)


def test_repeat_of_an_erased_file_is_archived_anew(place: Place) -> None:
    place.ingest(rows(b"Ann", b"Bob"))
    (name,) = archive.each(place.settings)
    erased = archive.rewrite(place.settings, name, lambda file: (line for line in file if b"Bob" not in line))
    place.do("update intake.files set sha256_stored = %s", erased.sha256)
    place.ingest(rows(b"Ann", b"Bob"))
    assert place.one("select count(distinct stored_name) from intake.files") == (2,)
    assert place.archived() == rows(b"Ann")


@pytest.mark.parametrize("how", ["cut", "changed", "gone"])
def test_damaged_copy_is_a_dead_letter_for_us_and_the_file_sent_again_mends_it(place: Place, how: str) -> None:
    for name in (b"Ann", b"Bob"):
        place.drop(rows(name), f"{name.decode()}.csv")
    place.take()
    damaged, _ = [row[0] for row in place.all("select stored_name from intake.files order by file_id")]
    path = place.settings.archive / damaged[:2] / damaged
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if how == "cut" else content[:-9] + bytes(9))
    assert place.load() == ["dead_letter", "loaded"], "nobody waits behind it"
    assert names_read(place) == ["Bob"]
    assert place.one("select reason_code, owner_role from quality.dead_letters") == ("copy_closed", "data_engineer")
    assert not checked(place).ok
    assert place.ingest(rows(b"Ann")) == ["loaded"]
    assert sorted(names_read(place)) == ["Ann", "Bob"]


def test_damaged_copy_of_what_is_loaded_is_replaced_when_the_file_comes_again(place: Place) -> None:
    assert place.ingest(rows(b"Ann")) == ["loaded"]
    (path,) = archived_files(place)
    path.write_bytes(path.read_bytes()[:-1])
    place.ingest(rows(b"Ann"))
    assert place.archived() == rows(b"Ann")
    assert place.one("select count(distinct stored_name) from intake.files") == (1,)


def test_lost_key_holds_nobody_and_the_doctor_says_so(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    assert place.ingest(rows(b"Ann")) == ["loaded"]
    assert checked(place).ok
    place.drop(rows(b"Bob"), "waits.csv")
    place.take()
    text = lose(place.settings.archive_key)
    caplog.set_level(logging.DEBUG)
    place.drop(rows(b"Cid"), "after.csv")
    assert place.take() == 1
    assert place.load() == ["dead_letter", "loaded"]
    assert names_read(place) == ["Ann", "Cid"]
    said = checked(place)
    assert not said.ok and "2 by key" in said.sentence and str(place.settings.archive_key) in said.sentence

    place.settings.archive_key.write_text(text)
    place.settings.archive_key.chmod(0o600)
    assert "frontdoor replay" in checked(place).sentence
    place.do("update quality.dead_letters set resolved_at = found_at")
    assert checked(place).ok
    assert place.ingest(rows(b"Dan")) == ["loaded"]
    for secret in (text.strip(), archive_keys.spare_file(place.settings).read_text().strip()):
        assert secret not in caplog.text + json.dumps([each.sentence for each in examine(place.settings)])


def test_doctor_says_what_is_wrong_with_the_key_in_a_sentence(place: Place) -> None:
    assert checked(place).ok, "before anything was archived there need be no key"
    place.ingest(rows(b"Ann"))
    place.settings.archive_key.chmod(0o644)
    assert "chmod 0600" in checked(place).sentence and not checked(place).ok
    place.settings.archive_key.chmod(0o600)
    assert checked(place).ok
    text = lose(place.settings.archive_key)
    place.ingest(rows(b"Bob"))
    place.do(
        "update intake.files set key_id = %s", archive_keys.read(archive_keys.spare_file(place.settings))[0].key_id
    )
    assert "put the key back" in checked(place).sentence and not checked(place).ok
    place.settings.archive_key.write_text(text)


def plain(place: Place, content: bytes) -> str:
    """Archive as it was done before the archive was encrypted; return the name."""
    place.drop(content, "old.csv")
    place.take()
    ((file_id, name),) = place.all("select file_id, stored_name from intake.files order by file_id desc limit 1")
    sha256 = hashlib.sha256(content).hexdigest()
    (place.settings.archive / sha256[:2]).mkdir(exist_ok=True)
    (place.settings.archive / sha256[:2] / sha256).write_bytes(content)
    archive.delete(place.settings, name)
    place.do("update intake.files set stored_name = %s, key_id = null where file_id = %s", sha256, file_id)
    return sha256


def test_file_from_before_stays_readable_and_the_command_seals_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = plain(place, rows(CANARY))
    assert place.load() == ["loaded"]
    place.ingest(rows(CANARY), "again.csv")
    assert place.one("select count(distinct stored_name) from intake.files") == (1,)
    assert not checked(place).ok and "frontdoor archive seal" in checked(place).sentence
    for name, value in as_environment(place.settings).items():
        monkeypatch.setenv(name, value)
    assert cli.main(["archive", "seal", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"sealed": 1, "not_opened": 0}
    assert place.archived() == rows(CANARY)
    (kept,) = archived_files(place)
    assert kept.name != old and CANARY not in kept.read_bytes()
    assert checked(place).ok
    assert place.all("select distinct stored_name from intake.files") == [(kept.name,)]


def test_sealing_that_dies_before_it_is_written_down_is_done_by_the_next_attempt(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain(place, rows(CANARY))

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("frontdoor.intake.ledger.rename_stored", dies)
        with pytest.raises(KeyboardInterrupt):
            resealing.reseal(place.connection, place.settings)
    place.connection.rollback()
    assert place.archived() == rows(CANARY)
    assert resealing.reseal(place.connection, place.settings) == (1, 0)
    assert place.archived() == rows(CANARY)
    assert len(archived_files(place)) == 1


def test_new_key_seals_from_now_on_and_everything_can_be_sealed_with_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.ingest(rows(b"Ann"))
    old = place.settings.archive_key.read_text()
    for name, value in as_environment(place.settings).items():
        monkeypatch.setenv(name, value)
    assert cli.main(["archive", "new-key", "--json"]) == 0
    said = capsys.readouterr().out
    lines = place.settings.archive_key.read_text().split()
    assert len(lines) == 2 and lines[0] == old.strip() and lines[1] not in said
    place.ingest(rows(b"Bob"))
    assert place.one("select count(distinct key_id) from intake.files") == (2,)
    assert resealing.reseal(place.connection, place.settings) == (1, 0)
    assert place.all("select distinct key_id from intake.files") == [(json.loads(said)["key_id"],)]
    place.settings.archive_key.write_text(lines[1] + "\n")
    assert place.archived() == rows(b"Ann"), "the key before is not needed any more"


def test_archive_that_is_not_mounted_makes_nothing_a_dead_letter(place: Place) -> None:
    place.drop(rows(b"Ann"))
    place.take()
    away = place.settings.archive.with_name("elsewhere")
    os.rename(place.settings.archive, away)
    try:
        with pytest.raises(OSError):
            place.load()
        place.connection.rollback()
    finally:
        os.rename(away, place.settings.archive)
    assert place.load() == ["loaded"]
