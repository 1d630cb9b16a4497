"""The image itself: small, as locked, with the system's libpq, and with nothing in it that is secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.containers import images
from tests.containers.images import podman

LARGEST_BYTES = 1.5e9


@pytest.fixture(scope="module", autouse=True)
def built() -> Iterator[None]:
    """The image, built."""
    images.build()
    yield


def _run(*command: str) -> str:
    return podman("run", "--rm", "--network", "none", "--entrypoint", command[0], images.HOUSE, *command[1:])


def test_image_is_smaller_than_one_and_a_half_gigabytes() -> None:
    size = images.size_bytes(images.HOUSE)
    print(f"the image: {size / 1e9:.2f} GB")
    assert 2e8 < size < LARGEST_BYTES


def test_installed_versions_are_those_of_the_lock() -> None:
    lock = (images.ROOT / "docker" / "requirements.lock").read_text(encoding="utf-8")
    # A package may stand there in one version for an older Python and in another for a newer one.
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", lock, re.MULTILINE))
    listed = json.loads(
        _run(
            *("/opt/frontdoor/venv/bin/python", "-c"),
            "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))",
        )
    )
    installed = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in listed.items()}
    assert len(installed) > 150
    own = {"pip", "setuptools"}  # of the environment itself
    assert {(name, version) for name, version in installed.items() if name not in own} - locked == set()


def test_driver_is_built_against_the_system_s_libpq() -> None:
    linked = _run(
        "sh", "-c", "ldd $(/opt/frontdoor/venv/bin/python -c 'import psycopg2._psycopg as p; print(p.__file__)')"
    )
    assert re.search(r"libpq\.so\.5 => (/usr)?/lib/", linked)


def test_declarations_can_be_linted_in_the_image() -> None:
    assert json.loads(_run("/opt/frontdoor/venv/bin/frontdoor", "contract", "lint", "--json"))["ok"] is True


def test_image_runs_as_nobody_of_this_machine_and_holds_no_history_or_data() -> None:
    found = json.loads(podman("image", "inspect", images.HOUSE))[0]
    assert found["Config"]["User"] == "10001:10001"
    listed = _run("find", "/opt/frontdoor/app", "/var/lib/frontdoor", "-type", "f").split()
    kinds = {path.split("/opt/frontdoor/app/")[-1].split("/")[0] for path in listed}
    assert kinds == {"frontdoor", "dags", "dbt_project", "expectations", "docker", "requirements.lock"}
    assert not [path for path in listed if re.search(r"pgpass|\.env$|(?<!make_)secret|\.git/", path)]
