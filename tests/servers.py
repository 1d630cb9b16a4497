"""The servers that tests share: the embedded one, and Debian's Postgres 15, as a council might run it.

The second is everything that the first is not: another version, TLS alone and a certificate of its own authority, a
cluster that compares texts the British way (ICU), the log as Postgres comes with it. Its programs come from the Debian
package `postgresql-15`; the cluster is ours, in a temporary folder, run by an unprivileged account.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection

from frontdoor import database
from frontdoor.platform import administration, passfiles, ports, postgres
from frontdoor.platform import postgres_binaries as binaries
from frontdoor.settings import Settings
from tests.certificates import Authority

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
MISSING = f"Debian's package postgresql-15 is not installed ({DEBIAN_15})"
HOST = "localhost"  # what the certificate is made out to
START_SECONDS = 60.0


@dataclass(frozen=True)
class SharedServer:
    """How to reach a server in its home: as its administrator, and as the owner of a database."""

    settings: Settings
    superuser: Mapping[str, str]
    encryption: str = ""

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.superuser['host']}:{self.superuser['port']}"

    @property
    def passfile(self) -> Path:
        """With the passwords of the owner and of bi_reader."""
        return self.settings.home / database.PASSFILE

    def administrator(self, name: str = "postgres") -> Connection:
        """A connection for roles and databases, autocommit on."""
        opened = database.connect_to({**self.superuser, "dbname": name}, "tests")
        opened.autocommit = True
        return opened

    def admin_url(self) -> str:
        """The same for commands."""
        return f"postgresql://postgres@{self.address}/postgres?passfile={self.superuser['passfile']}{self.encryption}"

    def url(self, name: str, role: str = database.OWNER, passfile: Path | None = None) -> str:
        """A FRONTDOOR_DATABASE_URL for that database."""
        return f"postgresql://{role}@{self.address}/{name}?passfile={passfile or self.passfile}{self.encryption}"

    def create_database(self, name: str, template: str) -> None:
        """Make a database that its owner and bi_reader may enter."""
        with closing(self.administrator()) as administrator, administrator.cursor() as cursor:
            readers = (database.BI_READER,)
            postgres.create_database(cursor, name, database.OWNER, template=template, readers=readers)

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is in it."""
        with closing(self.administrator()) as administrator, administrator.cursor() as cursor:
            cursor.execute(f'drop database if exists "{name}" with (force)')


def start_embedded(here: Settings) -> SharedServer:
    """Start the embedded server of that home."""
    server = postgres.start(here, durable=False, preferred_port=0)
    passfile = here.home / "secrets" / "superuser.pgpass"
    login = {"host": server.host, "port": str(server.port), "user": postgres.SUPERUSER, "passfile": str(passfile)}
    return SharedServer(here, login)


def start_debian(here: Settings) -> SharedServer:
    """Start a new Postgres 15 in that home; `postgres.stop` stops it, as it stops the embedded one."""
    data, secret_files = here.home / "postgres", here.home / "secrets"
    secret_files.mkdir(mode=0o700)
    account = binaries.account_for(data)
    data.mkdir(mode=0o700)
    if account:
        os.chown(data, account.uid, account.gid)
    password, port = secrets.token_urlsafe(32), ports.choose_port(0, "", print)
    as_account = binaries.run_as(account, data)
    as_account["env"] = {**as_account["env"], "LC_ALL": "C.UTF-8"}
    here.home.chmod(0o711)  # this version looks for itself by leaving the folder, and must find the way back
    where = ["-D", str(data)]
    initdb = [DEBIAN_15 / "initdb", *where, "--username", "postgres", "--auth", "scram-sha-256", "--no-sync"]
    initdb += ["--pwfile", "/dev/stdin", "--encoding", "UTF8", "--locale-provider", "icu", "--icu-locale", "en-GB"]
    with tempfile.TemporaryFile() as handed:  # a pipe is not reopened by another account
        handed.write(f"{password}\n".encode())
        handed.seek(0)
        if account:
            os.fchown(handed.fileno(), account.uid, account.gid)
        made = subprocess.run(initdb, stdin=handed, capture_output=True, check=False, timeout=120, **as_account)
    assert made.returncode == 0, made.stderr.decode()[-500:]
    authority = Authority()
    authority.write(secret_files / "ca.crt")
    authority.certify(HOST, data / "server.crt", data / "server.key")
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    for name in ("server.crt", "server.key", "pg_hba.conf"):
        (data / name).chmod(0o600)
        if account:
            os.chown(data / name, account.uid, account.gid)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "ssl": "on",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "256MB",
    }
    command = [DEBIAN_15 / "postgres", *where, *(f"--{name}={value}" for name, value in options.items())]
    with (here.home / "postgres.log").open("wb") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **as_account)
    passfile = secret_files / "superuser.pgpass"
    passfiles.write_passfile(passfile, [passfiles.Login(HOST, str(port), "postgres", password)])
    postgres._started_here.append(child)
    encryption = {"sslmode": "verify-full", "sslrootcert": str(secret_files / "ca.crt")}
    login = {"host": HOST, "port": str(port), "user": "postgres", "passfile": str(passfile), **encryption}
    started = SharedServer(here, login, "".join(f"&{name}={value}" for name, value in encryption.items()))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            started.administrator().close()
            return started
        except database.DatabaseUnavailable:
            if child.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def create_roles(server: SharedServer, settings: Settings) -> None:
    """Make the roles of the house as an administrator does it: `frontdoor database create`."""
    administration.create(settings, server.admin_url(), say=lambda _: None)
