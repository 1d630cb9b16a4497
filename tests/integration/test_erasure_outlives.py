"""Who was erased stays so, whichever of home, archive, database and newest copy is lost; and the next copies forget.

Mend: frontdoor/delivery/erasing/kept.py (where requests stand), frontdoor/delivery/counted.py (what was counted),
frontdoor/keeping.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from frontdoor import clock, database, delivery
from frontdoor.cli.doctor import examine
from frontdoor.delivery import erasing
from frontdoor.delivery.erasing import Selection
from frontdoor.intake import archive, archive_keys, papers, resealing, sealing
from frontdoor.keeping import place as places
from frontdoor.keeping.backup import backup
from frontdoor.keeping.rebuild import rebuild
from frontdoor.keeping.restore import restore
from frontdoor.prepare import prepare
from tests.conftest import Database
from tests.keeping_house import AFTERWARDS, POLICE, House, differences, empty_house, live_through_a_week
from tests.servers import SharedServer

REBUILT = ("raw", "core", "worklists", "bi", "scores", "indicators")


@dataclass(frozen=True)
class Lived:
    """A house from which two children were erased: one of a file that came again, one of a file that came once."""

    house: House
    copies: Path
    older: str
    newer: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    strange: str
    file: bytes
    was: dict[str, list[str]]


@pytest.fixture(scope="module")
def lived(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    house = House(database.settings)
    live_through_a_week(house)
    copies = tmp_path_factory.mktemp("copies")
    older = backup(house.settings, str(copies)).manifest.backup_id
    keys, values = [], set()
    for feed in ("police", "referral"):
        delivery_id = house.one("select min(delivery_id) from intake.deliveries where feed = %s", feed)
        where = "where _delivery_id = %s and _record_no = 2"
        keys.append(house.one(f"select child_key from raw.{feed}_read {where}", delivery_id))
        sent = house.one(f"select to_jsonb(sent) from raw.{feed} as sent {where}", delivery_id)
        values |= {value for name, value in sent.items() if not name.startswith("_") and value}
    name = house.one("select stored_name from intake.files where file_id = 1")
    with archive.opened(house.settings, name) as kept, kept.open() as sent_as:
        file = sent_as.read()
    # The same bytes in a folder of nobody's were never read: they are of no child that anybody knows, and stay.
    strange = house.one("select stored_name from intake.files where reason_code = 'unknown_agency'")
    before = everything(house)
    with clock.then(AFTERWARDS):
        for key in keys:
            erasing.erase(
                house.settings, Selection(child_keys=(key,)), reason="The child moved.", by_role="team_manager",
                handed_to="duty desk", evidence="call 4411",
            )  # fmt: skip
    house.build()
    after = everything(house) + archived(house, but=strange)
    # What others have too (a school, a street) proves nothing.
    own = tuple(sorted(value for value in {*map(str, values), *keys} if value in before and value not in after))
    assert len(own) > 12
    newer = backup(house.settings, str(copies)).manifest.backup_id
    return Lived(house, copies, older, newer, tuple(keys), own, strange, file, house.content(*REBUILT))


@pytest.fixture
def empty(shared_server: SharedServer, lived: Lived, tmp_path: Path) -> Iterator[House]:
    """An empty home and database, and the archive's key: nothing of the home that was."""
    with empty_house(shared_server, tmp_path / "home", "frontdoor_outlived", key_of=lived.house) as house:
        yield house


def everything(house: House) -> str:
    """Every row of every table, and what Postgres remembers of them to plan by."""
    tables = house.rows(
        "select format('%I.%I', nspname, relname) from pg_class inner join pg_namespace on relnamespace ="
        " pg_namespace.oid where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
    )
    rows = [row for (name,) in tables for (row,) in house.rows(f"select to_jsonb(kept)::text from {name} as kept")]
    stats = [row for (row,) in house.rows("select kept::text from pg_catalog.pg_stats as kept")]
    return "\n".join(filter(None, [*rows, *stats]))


def archived(house: House, *, but: str) -> str:
    """Everything in the archive, opened: files, labels and papers."""
    found = []
    for name in set(archive.each(house.settings)) - {but}:
        with archive.opened(house.settings, name) as kept, kept.open() as file:
            found += [file.read().decode("utf-8", "replace"), json.dumps(kept.label)]
    for kind in papers.KINDS:
        found += [
            json.dumps(papers.read(house.settings, kind, each).said) for each in papers.names(house.settings, kind)
        ]
    return "\n".join(found)


def found(lived: Lived, *texts: str) -> list[str]:
    return [value for value in lived.values if any(value in text for text in texts)]


def content_with(house: House) -> list[tuple[str, str]]:
    return [
        (each.id, each.sentence)
        for each in examine(house.settings)
        if each.id in ("erasure", "archive") and not each.ok
    ]


def brought_back(house: House, lived: Lived, backup_id: str | None = None) -> Any:
    with clock.then(AFTERWARDS):
        return restore(house.settings, str(lived.copies), backup_id)


@pytest.mark.parametrize("survives", ["archive", "home"])
def test_older_copy_beside_what_survives_brings_nobody_back(
    lived: Lived, empty: House, tmp_path: Path, survives: str
) -> None:
    """Of the copies all but the older one are lost; and of home and archive the other."""
    only_older, was = tmp_path / "copies", lived.house.settings
    shutil.copytree(lived.copies, only_older)
    places.at(empty.settings, str(only_older)).manifests.delete(lived.newer)
    if survives == "archive":
        shutil.copytree(was.archive, empty.settings.archive)
    else:
        shutil.copytree(was.home / "erasures", empty.settings.home / "erasures")
        shutil.copy(was.home / "secrets" / "erasure_key", empty.settings.home / "secrets" / "erasure_key")
    with clock.then(AFTERWARDS):
        restore(empty.settings, str(only_older))
    assert not found(lived, everything(empty), archived(empty, but=lived.strange))
    assert empty.one("select count(*) from raw.police_read where child_key = any(%s)", list(lived.keys)) == 0
    assert empty.rows("select state, count(*) from intake.erasures group by 1") == [("done", 2)]
    assert not content_with(empty)
    empty.build()
    assert differences(lived.was, empty.content(*REBUILT)) == {}


@pytest.mark.parametrize("which", ["older", "newer"])
def test_archive_is_lost_as_well_and_a_copy_from_after_the_erasure_tells(
    lived: Lived, empty: House, which: str
) -> None:
    """Also where somebody chooses the older copy of the place. The child is known again when it is sent again."""
    brought_back(empty, lived, getattr(lived, which))
    assert not found(lived, everything(empty), archived(empty, but=lived.strange))
    assert not content_with(empty)
    empty.build()
    assert differences(lived.was, empty.content(*REBUILT)) == {}
    empty.send(POLICE, lived.file, AFTERWARDS, "again.csv")
    with closing(database.connect(empty.settings)) as connection:
        erasing.look_for_returned(connection, empty.settings)
    assert empty.rows("select distinct record_no from intake.erased_came_again") == [(2,)]
    assert [each.ok for each in examine(empty.settings) if each.id == "erasure"] == [False]


def test_requests_say_no_value_and_are_sealed_with_every_new_key(lived: Lived, empty: House) -> None:
    shutil.copytree(lived.house.settings.archive, empty.settings.archive)
    sealed = {path.name: path.read_bytes() for path in empty.settings.archive.rglob("*.erased")}
    assert len(sealed) == 2 and not [each for each in archive.each(empty.settings) if papers.is_one(each)]
    assert not [value for value in lived.values for each in sealed.values() if value.encode() in each]
    brought_back(empty, lived, lived.newer)
    key = archive_keys.add(empty.settings)
    with closing(database.connect(empty.settings)) as connection:
        assert resealing.reseal(connection, empty.settings)[1] == 0
    empty.settings.archive_key.write_text(f"{key.secret.hex()}\n", encoding="ascii")
    stands = erasing.standing(empty.settings)
    assert len(stands.requests) == 2 and not stands.closed and not stands.in_one_place
    shutil.rmtree(empty.settings.home / "erasures")
    assert {each.erasure_id for each in erasing.standing(empty.settings).requests} == stands.archived


@pytest.mark.parametrize("place", ["home", "archive", "both"])
def test_what_one_place_lost_the_other_gives_back(lived: Lived, empty: House, place: str) -> None:
    """A home from before requests were archived, a home that was lost beside its database, and the ledger alone."""
    brought_back(empty, lived, lived.newer)
    if place in ("home", "both"):
        shutil.rmtree(empty.settings.home / "erasures")
        (empty.settings.home / "secrets" / "erasure_key").unlink()
    if place in ("archive", "both"):
        for kind in papers.BY_THEMSELVES:
            for each in list(papers.names(empty.settings, kind)):
                papers.forget(empty.settings, kind, each)
    if place != "both":
        assert any("in one place" in sentence for _, sentence in content_with(empty))
    assert erasing.resume(empty.settings) == []
    stands = erasing.standing(empty.settings)
    assert len(stands.requests) == 2 and not stands.in_one_place
    assert [sorted(each.tombstones) for each in stands.requests] == [
        sorted(each.tombstones) for each in erasing.standing(lived.house.settings).requests
    ]
    assert not content_with(empty)
    told = counted_of(lived.house)
    assert told and counted_of(empty) == told, "what was counted is sealed, too"
    # The key of the digests is in no ledger: where it is lost for good, that is said.
    empty.send(POLICE, lived.file, AFTERWARDS, "again.csv")
    said = [each.sentence for each in examine(empty.settings) if each.id == "erasure"]
    assert ["is lost" in each for each in said] == [place == "both"]


def counted_of(house: House) -> dict[str, Any]:
    """What the newest papers say of each delivery whose counts are fixed."""
    said = [
        papers.read(house.settings, papers.COUNTED, each).said for each in papers.names(house.settings, papers.COUNTED)
    ]
    return {
        f"{each['token']} {each['member_no']}": sorted(each["fixed"])
        for paper in sorted(said, key=lambda one: one["at"])
        for each in paper["deliveries"]
    }


def test_request_that_does_not_open_is_said_and_not_passed_over(lived: Lived, empty: House) -> None:
    shutil.copytree(lived.house.settings.archive, empty.settings.archive)
    (one, _) = sorted(empty.settings.archive.rglob("*.erased"))
    one.write_bytes(one.read_bytes()[:-3])
    prepare(empty.settings, with_marts=False)
    with clock.then(AFTERWARDS):
        assert rebuild(empty.settings, with_marts=False).closed == 1
    assert any("do not open" in sentence for _, sentence in content_with(empty))


def test_archive_that_is_away_keeps_an_erasure_whole_for_later(
    lived: Lived, empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing goes before the request stands in both places."""
    brought_back(empty, lived, lived.newer)
    key = empty.one("select min(child_key) from raw.referral_read")
    rows = "select count(*) from raw.referral_read where child_key = %s"
    was = empty.one(rows, key)
    with monkeypatch.context() as patched, pytest.raises(OSError), clock.then(AFTERWARDS):
        patched.setattr(papers, "write", _away)
        erasing.erase(
            empty.settings, Selection(child_keys=(key,)), reason="The child moved.", by_role="team_manager",
            handed_to="duty desk", evidence="call 4412",
        )  # fmt: skip
    assert empty.one(rows, key) == was > 0
    assert any("not done" in sentence for _, sentence in content_with(empty))
    with clock.then(AFTERWARDS):
        assert len(erasing.resume(empty.settings)) == 1
    assert empty.one(rows, key) == 0 and not content_with(empty)


def _away(*_: Any) -> None:
    raise OSError("the archive is away")


def test_copies_forget_the_child_with_the_next_cycle(lived: Lived, tmp_path: Path) -> None:
    """Everything that lies in the place is unsealed, whether a copy names it or not."""
    copies = tmp_path / "copies"
    shutil.copytree(lived.copies, copies)
    settings = lived.house.settings
    assert len(found(lived, *unsealed(lived, copies))) > 12
    assert backup(settings, str(copies), keep=1).removed == 2
    texts = unsealed(lived, copies)
    assert len(texts) > 20 and not found(lived, *texts)


def unsealed(lived: Lived, copies: Path) -> list[str]:
    """Every file of a place in plain: tables out of the dumps' parts, archived files, notes, manifests."""
    keys, texts = archive_keys.opening(lived.house.settings), []
    for path in sorted(each for each in copies.rglob("*") if each.is_file() and lived.strange not in each.name):
        content, file = path.read_bytes(), os.open(path, os.O_RDONLY)
        try:
            if sealing.key_id_of(content) is not None:
                kept = sealing.Sealed(file, keys)
                with closing(kept.open()) as opened:
                    content = opened.read()
                texts.append(kept.label.decode())
        finally:
            os.close(file)
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        texts.append(content.decode("utf-8", "replace"))
    return texts


@pytest.mark.parametrize("with_home", [False, True])
def test_archive_alone_gives_back_the_state_after_the_erasure(lived: Lived, empty: House, with_home: bool) -> None:
    settings = lived.house.settings
    shutil.copytree(settings.archive, empty.settings.archive)
    if with_home:
        shutil.copytree(settings.home / "erasures", empty.settings.home / "erasures")
        shutil.copy(settings.home / "secrets" / "erasure_key", empty.settings.home / "secrets" / "erasure_key")
    prepare(empty.settings, with_marts=False)
    with clock.then(AFTERWARDS):
        assert rebuild(empty.settings, with_marts=False).closed == 0
    empty.build()
    assert differences(lived.was, empty.content(*REBUILT)) == {}
    files = "select file_id, status, duplicate_of from intake.files order by 1"
    assert empty.rows(files) == lived.house.rows(files)
    assert ("duplicate",) in empty.rows("select status from intake.files")
    ledger = "select delivery_id, status, verdict, records_loaded, records_removed from intake.deliveries order by 1"
    assert empty.rows(ledger) == lived.house.rows(ledger)
    assert not found(lived, everything(empty))
    assert delivery.send(empty.settings) == 0
