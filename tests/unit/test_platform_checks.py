"""What the doctor says of the broker, and advises where everything is in containers.

Failing? frontdoor/platform/broker_checks.py, checks.py.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from frontdoor.platform import broker_checks, checks
from frontdoor.settings import Settings

PASSWORD = "a:secret"


@pytest.fixture
def broker() -> Iterator[str]:
    """An address at which something listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


def found(settings: Settings, url: str, tmp_path: Path, password: str | None = PASSWORD) -> dict[str, tuple[bool, str]]:
    file = tmp_path / "password"
    if password:
        file.write_text(f"{password}\n")
    asked = replace(settings, airflow_broker_url=url, airflow_broker_password_file=file)
    said = {check.id: (check.ok, check.sentence) for check in broker_checks.of_broker(asked)}
    assert PASSWORD not in str(said) and "a%3Asecret" not in str(said)
    return said


def celery(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[str]:
    """Stand in for Celery, which the image alone has; return the addresses that it is given."""
    given: list[str] = []

    def made(*, broker: str, set_as_current: bool) -> Any:
        given.append(broker)
        return SimpleNamespace(conf=SimpleNamespace(), control=SimpleNamespace(ping=answer))

    monkeypatch.setitem(sys.modules, "celery", SimpleNamespace(Celery=made))
    return given


def test_platform_without_a_broker_is_not_asked_for_one(settings: Settings) -> None:
    assert list(broker_checks.of_broker(settings)) == []


def test_broker_that_is_not_there_is_named_and_what_to_do(settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = nobody.getsockname()[1]
        said = found(settings, f"redis://127.0.0.1:{port}/0", tmp_path)
        of_all = {
            check.id: check.ok
            for check in checks.doctor(replace(settings, airflow_broker_url=f"redis://127.0.0.1:{port}"))
        }
    ((is_well, sentence),) = said.values()
    assert not is_well and f"127.0.0.1:{port} does not answer" in sentence and "frontdoor ingest" in sentence
    assert of_all["broker"] is False


@pytest.mark.parametrize("url", ["redis://", "somewhere", "file:///somewhere", f"nonsense://x:{PASSWORD}@host"])
def test_address_that_is_none_is_not_repeated(settings: Settings, tmp_path: Path, url: str) -> None:
    assert found(settings, url, tmp_path) == {
        "broker": (False, "FRONTDOOR_AIRFLOW_BROKER_URL must look like redis://HOST:6379/0.")
    }


def test_password_file_that_is_missing_is_named(
    settings: Settings, tmp_path: Path, broker: str, monkeypatch: Any
) -> None:
    celery(monkeypatch, lambda timeout: [])
    is_well, sentence = found(settings, broker, tmp_path, password=None)["broker"]
    assert not is_well and "FRONTDOOR_AIRFLOW_BROKER_PASSWORD_FILE cannot be read" in sentence


def test_broker_that_refuses_us_is_told_from_one_that_is_away(
    settings: Settings, tmp_path: Path, broker: str, monkeypatch: Any
) -> None:
    def refuse(timeout: float) -> Any:
        raise ConnectionError(f"WRONGPASS {PASSWORD}")

    celery(monkeypatch, refuse)
    is_well, sentence = found(settings, broker, tmp_path)["broker"]
    assert not is_well and "answers, but not to us (ConnectionError)" in sentence


@pytest.mark.parametrize(("workers", "is_well"), [(0, False), (1, True), (2, True)])
def test_workers_are_counted_and_none_is_ill(
    settings: Settings, tmp_path: Path, broker: str, monkeypatch: Any, workers: int, is_well: bool
) -> None:
    given = celery(monkeypatch, lambda timeout: [{"celery@host": {"ok": "pong"}}] * workers)
    said = found(settings, broker, tmp_path)
    assert said["broker"][0] and said["workers"][0] == is_well
    assert ("frontdoor serve worker" in said["workers"][1]) == (not is_well)
    assert given == [broker.replace("//", "//:a%3Asecret@")]


def test_advice_in_containers_is_what_can_be_done_there(settings: Settings, monkeypatch: Any) -> None:
    """Nobody there has a make, or may say `frontdoor up`."""
    monkeypatch.setattr(checks, "_locked", lambda lock: {"nothing-of-that-name": "1.0"})
    monkeypatch.setattr(checks.sys, "version_info", (3, 9, 1))
    contained = replace(settings, airflow_api_url="http://127.0.0.1:9", receipts=settings.home / "nowhere")
    ids = ("python", "packages", "folders", "airflow")
    here, there = (
        {each.id: each for each in checks.doctor(asked) if each.id in ids}
        for asked in (replace(contained, airflow_api_url=None), contained)
    )
    assert not any(check.ok for check in (*here.values(), *there.values()))
    told_here, told_there = (" ".join(check.sentence for check in said.values()) for said in (here, there))
    assert told_here.count("make setup") == 2 and told_here.count("frontdoor up") == 2
    assert "make setup" not in told_there and "frontdoor up" not in told_there
    assert "build the image anew" in told_there and "http://127.0.0.1:9" in told_there
