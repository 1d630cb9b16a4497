"""Files that several write at once are whole, and are there once. Mend: frontdoor/files.py.

Threads stand for containers: those have one process id, too.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest

from frontdoor import files, prepare
from frontdoor.alerts.channels import mail_folder
from frontdoor.contract import editing, expectations_folder, load_house
from frontdoor.intake import archive_keys
from frontdoor.monitoring import pushing
from frontdoor.monitoring.figures import Measured
from frontdoor.settings import load


def at_once(do: Callable[[str], None], times: int = 30) -> None:
    start = threading.Barrier(4, timeout=20)

    def many(text: str) -> None:
        for _ in range(times):
            start.wait()
            do(text)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, "abcd"))


def test_several_that_make_one_secret_at_once_all_read_the_first_ones(tmp_path: Path) -> None:
    for number in range(15):
        path, start = tmp_path / f"{number}", threading.Barrier(4, timeout=20)

        def make(text: str, path: Path = path, start: threading.Barrier = start) -> str:
            start.wait()
            files.write_first(path, text)
            return path.read_text()

        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(make, "abcd"))) == 1
        assert path.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 15  # nothing unfinished is left


def test_several_that_write_one_secret_at_once_leave_one_of_theirs_whole(tmp_path: Path) -> None:
    path, start = tmp_path / "passfile", threading.Barrier(4, timeout=20)

    def write(text: str) -> None:
        for _ in range(15):
            start.wait()
            files.write_whole(path, text * 1000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert path.read_text() in {each * 1000 for each in "abcd"}
    assert list(tmp_path.iterdir()) == [path]


def test_keys_of_the_archive_made_at_once_are_one_key_without_a_spare(tmp_path: Path) -> None:
    for number in range(50):
        here = load({"FRONTDOOR_HOME": str(tmp_path / f"{number}")})
        start, found = threading.Barrier(4, timeout=20), []

        def seal(_: int, start: threading.Barrier = start, found: list[str] = found, here: object = here) -> None:
            start.wait()
            found.append(archive_keys.sealing(here, lambda: True).key_id)  # type: ignore[arg-type]

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(seal, range(4)))
        assert len(set(found)) == 1 and len(found) == 4
        assert [path.name for path in here.archive_key.parent.iterdir()] == [here.archive_key.name]


def test_figures_written_at_once_are_whole_and_others_may_read_them(tmp_path: Path) -> None:
    at_once(lambda _: pushing.push(f"file:{tmp_path}/frontdoor.prom", Measured((), {})))
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("frontdoor.prom", 0o644)]


def test_mail_handed_over_at_once_is_one_file(tmp_path: Path) -> None:
    hand_over, mail = mail_folder.opened(tmp_path / "mail"), EmailMessage()
    mail["Subject"] = "one"
    at_once(lambda _: hand_over(UUID(int=1), mail))
    assert [path.name for path in (tmp_path / "mail").iterdir()] == [f"{UUID(int=1)}.eml"]


def test_agreement_edited_at_once_is_whole(tmp_path: Path) -> None:
    house, text = load_house(), (expectations_folder() / "police/agencies/wearside_police.yaml").read_text()
    at_once(lambda _: editing.write(house, tmp_path / "wearside_police.yaml", "police", text), times=3)
    assert [path.name for path in tmp_path.iterdir()] == ["wearside_police.yaml"]


def test_declarations_kept_at_once_are_whole(tmp_path: Path) -> None:
    here = load({"FRONTDOOR_HOME": str(tmp_path)})
    at_once(lambda _: prepare._keep(here), times=5)
    assert [path.name for path in tmp_path.iterdir()] == [prepare.LAST_WHOLE]
    kept = {path.relative_to(tmp_path / prepare.LAST_WHOLE) for path in (tmp_path / prepare.LAST_WHOLE).rglob("*")}
    assert kept == {path.relative_to(expectations_folder()) for path in expectations_folder().rglob("*")}


@pytest.mark.parametrize("write", [files.write_whole, files.write_first])
def test_what_cannot_be_put_in_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(PermissionError):
        write(tmp_path / "file", "x")
    assert list(tmp_path.iterdir()) == []


def test_folder_goes_although_somebody_writes_into_it_for_a_moment_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, late = tmp_path / "dump", iter("ab")
    folder.mkdir()
    (folder / "table.gz").write_bytes(b"plain")
    rmtree = shutil.rmtree

    def with_a_writer_beside_it(path: Path, *, ignore_errors: bool) -> None:
        rmtree(path, ignore_errors=ignore_errors)
        if name := next(late, None):
            path.mkdir()
            (path / name).write_bytes(b"plain")

    monkeypatch.setattr(files.shutil, "rmtree", with_a_writer_beside_it)
    assert files.remove_folder(folder)
    assert next(late, None) is None and not folder.exists()
    assert files.remove_folder(folder)


def test_folder_that_stays_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(files, "REMOVED_WITHIN_SECONDS", 0.1)
    assert not files.remove_folder(tmp_path)
