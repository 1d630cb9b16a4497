"""Postgres' own programs: pg_dump, pg_restore and psql, from the wheel, from Debian's packages or from the path.

All three come out of one folder: what a newer one writes, an older one does not read. A password goes to them in a
file, never on a command line or in the environment.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn

from frontdoor import database
from frontdoor.files import write_whole
from frontdoor.platform import postgres_binaries
from frontdoor.settings import Settings, inherited_environment

PROGRAMS = ("pg_dump", "pg_restore", "psql")
PACKAGES = Path("/usr/lib/postgresql")


class KeepingError(RuntimeError):
    """A copy that was not made, or not brought back; the sentence says why, and holds no value of a record."""

    is_safe_to_show = True


class WrongPlace(KeepingError):
    """A place that copies must not lie in; nothing was written or cleared there."""


@dataclass(frozen=True)
class Tools:
    """A folder with the three programs, and their major version."""

    folder: Path
    major: int

    def command(self, program: str) -> str:
        """The program's path."""
        return str(self.folder / program)


def is_encrypted(settings: Settings) -> bool:
    """Tell whether the address wants an encrypted way, which the wheel's programs do not know."""
    return database.address(settings).get("sslmode", "") in ("require", "verify-ca", "verify-full")


def fitting(server_major: int, at_least: int = 0, *, encrypted: bool = False) -> Tools:
    """Return the programs of the server's own version, or else the next newer ones. Raises `KeepingError`.

    at_least: the version that wrote what is to be read. encrypted: as `is_encrypted` says.
    """
    found = installed(with_wheel=not encrypted)
    enough = [each for each in found if each.major >= max(server_major, at_least)]
    if enough:
        return min(enough, key=lambda each: each.major)
    wanted = max(server_major, at_least)
    newest = max((each.major for each in found), default=None)
    here = f"the newest {', '.join(PROGRAMS)} here are of {newest}" if newest else f"no {PROGRAMS[0]} is here"
    raise KeepingError(f"Postgres {wanted} wants programs of {wanted} or newer, and {here}: postgresql-client-{wanted}")


def installed(*, with_wheel: bool = True) -> list[Tools]:
    """Return what is here, the wheel's first, which is built without encryption."""
    folders: list[Path] = []
    with suppress(database.DatabaseUnavailable):  # the wheel is not there where only a council's own server is used
        folders += [install / "bin" for install in postgres_binaries.versions()] if with_wheel else []
    folders += sorted(PACKAGES.glob("*/bin"))
    on_path = shutil.which("pg_dump")
    folders += [Path(on_path).parent] if on_path else []
    return [
        Tools(folder, major)
        for folder in folders
        if all((folder / program).is_file() for program in PROGRAMS) and (major := _major(folder))
    ]


def _major(folder: Path) -> int | None:
    try:
        told = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)(?:\.|devel|beta|rc)", told.stdout)
    return int(found[1]) if found else None


@contextmanager
def reaching(settings: Settings, name: str, **options: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the address for `--dbname` and the environment; options: of the session."""
    parts = dict(database.address(settings))
    password = parts.pop("password", None)
    scratch = settings.home / "run"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        if password is not None:
            escaped = re.sub(r"([\\:])", r"\\\1", password)
            passfile = Path(folder) / "pgpass"
            write_whole(passfile, f"*:*:*:*:{escaped}\n")
            parts["passfile"] = str(passfile)
        said = " ".join(f"-c {key}={value}" for key, value in {"TimeZone": "UTC", **options}.items())
        yield (
            make_dsn(**{**parts, "application_name": name, "options": said}),
            {**inherited_environment(), "LC_ALL": "C"},
        )
