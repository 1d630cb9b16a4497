"""What `frontdoor doctor` looks at: can this machine, this database and this mail setting do the platform's work?

Every check answers with a sentence that says what is so and, when it is not well, what to do. None changes anything,
and none lets the text of a database's error out.
"""

import importlib.metadata
import os
import re
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from frontdoor import database
from frontdoor.platform import airflow, airflow_database, broker_checks, server_checks
from frontdoor.platform.airflow import REPOSITORY
from frontdoor.platform.check import Check, either
from frontdoor.settings import Settings

SMTP_PORTS = {"smtp": 25, "smtps": 465}


def doctor(settings: Settings) -> list[Check]:
    """Every check, in the order in which trouble should be mended; one that cannot run is not ok. Raises nothing."""
    looks: list[tuple[str, Callable[[Settings], Iterator[Check]]]] = [
        ("python", _python),
        ("packages", _packages),
        ("folders", _folders),
        ("database", server_checks.of_warehouse),
        ("airflow_database", server_checks.of_airflow),
        ("broker", broker_checks.of_broker),
        ("airflow", _airflow),
        ("mail", _mail),
    ]
    checks: list[Check] = []
    for name, look in looks:
        try:
            checks.extend(look(settings))
        except Exception as error:
            checks.append(Check(name, False, f"This could not be checked: {database.safe_error(error)}."))
    return checks


def _anew(settings: Settings) -> str:
    """How the environment is made anew, here or in an image."""
    return "build the image anew" if _in_containers(settings) else "make setup"


def _in_containers(settings: Settings) -> bool:
    """Whether Airflow's parts are apart, each with what its container gives it, and nobody can say `frontdoor up`."""
    return settings.airflow_api_url is not None


def _python(settings: Settings) -> Iterator[Check]:
    found = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    ill = f"Python is {found}, but must be 3.11 to 3.13: {_anew(settings)}."
    yield either("python", fits, f"Python is {found}.", ill)


def _packages(settings: Settings) -> Iterator[Check]:
    wanted = _locked(REPOSITORY / "requirements.lock")
    wrong = [name for name, version in wanted.items() if _installed(name) != version]
    if wrong:
        named = ", ".join(sorted(wrong)[:5])
        yield Check("packages", False, f"{len(wrong)} packages are not as locked ({named}): {_anew(settings)}.")
    else:
        yield Check("packages", True, f"All {len(wanted)} packages are as requirements.lock says.")


def _folders(settings: Settings) -> Iterator[Check]:
    folders = {
        "home": settings.home,
        "landing": settings.landing,
        "receipts": settings.receipts,
    }
    if settings.archive_url is None:
        folders["archive"] = settings.archive
    if settings.smtp_url is None:
        folders["mail"] = settings.mail_dir
    ill = {f"{name} ({folder})": folder.is_dir() for name, folder in folders.items() if not _is_writable(folder)}
    if ill:
        missing = ", ".join(name for name, is_there in ill.items() if not is_there)
        closed = ", ".join(name for name, is_there in ill.items() if is_there)
        who = f"user {os.geteuid()}, as whom this runs"
        makes = f"mount their volumes, for {who}" if _in_containers(settings) else "`frontdoor up` makes them"
        said = [f"Not there: {missing}; {makes}."] if missing else []
        said += [f"May not be written by {who}: {closed}; chown or chmod them."] if closed else []
        yield Check("folders", False, " ".join(said))
    else:
        yield Check("folders", True, f"{', '.join(folders)}: all can be written.")


def _airflow(settings: Settings) -> Iterator[Check]:
    described = airflow.describe(settings)
    said = airflow.health(described, timeout=3.0) if described else {}
    if not said and _in_containers(settings):
        sentence = (
            f"Airflow does not answer at {settings.airflow_api_url}: does the service api-server run? Files wait for"
        )
        yield Check("airflow", False, f"{sentence} it, or for `frontdoor ingest`.")
        return
    if described is None or not said:
        yield Check("airflow", False, "Airflow is not running here; files wait for `frontdoor up` or `ingest`.")
        return
    unwell = [part for part, state in said.items() if (state or {}).get("status") not in ("healthy", None)]
    if unwell:
        yield Check("airflow", False, f"Airflow answers at {described.url}, but not well: {', '.join(sorted(unwell))}.")
    else:
        yield Check("airflow", True, f"Airflow is well, at {described.url}.")
    unread = _unread_dag_files(settings)
    yield either(
        "dags",
        unread == 0,
        "Airflow reads every DAG file.",
        f"Airflow cannot read {unread} DAG files; its page says why.",
    )


def _mail(settings: Settings) -> Iterator[Check]:
    if settings.contacts is not None and not settings.contacts.is_file():
        yield Check("contacts", False, f"There is no contacts file at {settings.contacts}: alerts find nobody.")
    if settings.smtp_url is None:
        yield Check("mail", True, f"Alerts go to the folder {settings.mail_dir}; FRONTDOOR_SMTP_URL sends them.")
        return
    parts = urlsplit(settings.smtp_url)
    if parts.scheme not in SMTP_PORTS or not parts.hostname:
        yield Check("mail", False, "FRONTDOOR_SMTP_URL must look like smtp://user@host:587 or smtps://user@host.")
        return
    secret = settings.smtp_password_file
    if secret is not None and (not secret.is_file() or stat.S_IMODE(secret.stat().st_mode) & 0o077):
        yield Check("mail", False, f"The password file {secret} must exist and be for its owner alone (chmod 600).")
        return
    port = parts.port or SMTP_PORTS[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=3).close()
    except OSError:
        yield Check(
            "mail", False, f"The mail server {parts.hostname}:{port} does not answer; alerts wait in the outbox."
        )
        return
    yield Check("mail", True, f"The mail server {parts.hostname}:{port} answers.")


def _locked(lock: Path) -> dict[str, str]:
    """Name -> version of what the lock wants on this machine."""
    wanted = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate():
                wanted[requirement.name] = str(requirement.specifier).removeprefix("==")
    return wanted


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _unread_dag_files(settings: Settings) -> int:
    opened = airflow_database.connect(settings)
    with closing(opened), opened.cursor() as cursor:
        cursor.execute("select count(*) from import_error")
        return int((cursor.fetchone() or (0,))[0])
