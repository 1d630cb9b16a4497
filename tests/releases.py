"""Releases of which the code is kept: ``tests/integration/upgrade/<version>.tar.xz``, made by CONTRIBUTING's recipe."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

ARCHIVES = Path(__file__).parent / "integration" / "upgrade"
MIGRATIONS = "frontdoor/warehouse/migrations/"


def versions() -> list[str]:
    """The versions, the oldest first."""
    found = [path.name.removesuffix(".tar.xz") for path in ARCHIVES.glob("*.tar.xz")]
    return sorted(found, key=lambda version: tuple(int(part) for part in version.split(".")))


def unpack(version: str, folder: Path) -> Path:
    """The code of a release, in `folder`."""
    with tarfile.open(ARCHIVES / f"{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def migrations(version: str) -> dict[str, str]:
    """Name -> text of the migrations of a release."""
    with tarfile.open(ARCHIVES / f"{version}.tar.xz") as archive:
        found = {}
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.name.startswith(MIGRATIONS) else None
            if file is not None:
                found[Path(member.name).name] = file.read().decode()
        return found


def of_code(version: str) -> str:
    """The version that a release gives itself: in the package; until 0.1 in pyproject.toml."""
    with tarfile.open(ARCHIVES / f"{version}.tar.xz") as archive:
        for name, pattern in (("frontdoor/__init__.py", "__version__"), ("pyproject.toml", "version")):
            file = archive.extractfile(name)
            assert file is not None
            if found := re.search(rf'^{pattern} = "(.+)"$', file.read().decode(), re.MULTILINE):
                return found[1]
    raise LookupError(version)
