"""``frontdoor database``: a Postgres that exists, made ready by its administrator once and by us at each upgrade."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor import clock
from frontdoor.cli.output import UsageMistake, emit, note, progress, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``database`` with ``create`` and ``migrate``."""
    database = commands.add_parser("database", help="a Postgres of your own")
    actions = database.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="as its administrator: roles, databases and passfiles, where missing")
    how = create.add_mutually_exclusive_group(required=True)
    how.add_argument("--admin-url", metavar="URL", help="of the server's administrator, without a password")
    how.add_argument("--print-sql", action="store_true", help="change nothing: the same for psql")
    create.add_argument("--admin-password-file", type=Path, metavar="FILE", help="default: the passfile of URL or psql")
    create.add_argument("--only", choices=("frontdoor", "airflow"), help="where the two lie on different servers")
    create.add_argument("--same-server", action="store_true", help="the settings' server, by another name")
    create.add_argument("--if-here", action="store_true", help="make only what the settings name of this server")
    create.add_argument("--wait", type=float, default=0.0, metavar="S", help="for what is still being made")
    create.add_argument("--new-passwords", action="store_true", help="where the passfiles of existing roles are lost")
    add_json(create)
    create.set_defaults(run=run_create)

    migrate = actions.add_parser("migrate", help="bring schemas, reference rows and marts up to this version")
    migrate.add_argument("--wait", type=float, default=0.0, metavar="S", help="until there is a database of that name")
    add_json(migrate)
    migrate.set_defaults(run=run_migrate)


def run_create(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make what the settings want of a server, or print how."""
    from frontdoor.platform import administration, server_plan

    asked = {"frontdoor": settings.database_url, "airflow": settings.airflow_database_url}
    if not any(url for name, url in asked.items() if arguments.only in (None, name)):
        setting = "FRONTDOOR_AIRFLOW_DATABASE_URL" if arguments.only == "airflow" else "FRONTDOOR_DATABASE_URL"
        raise UsageMistake(f"{setting} says what to make: postgresql://ROLE@HOST:5432/NAME")
    if arguments.print_sql:
        sql = server_plan.script(settings, arguments.only)
        emit({"sql": sql}) if arguments.json else say(sql.rstrip())
        return 0
    url, only = _without_password(arguments.admin_url), arguments.only
    if arguments.if_here:
        set_here = [name for name, url_of in asked.items() if url_of and only in (None, name)]
        to_make = [name for name in set_here if not administration.names_another_server(settings, url, name)]
        if not to_make:
            emit({"done": []}) if arguments.json else say("Nothing is made here: the settings name another server.")
            return 0
        only = only or (to_make[0] if len(to_make) < len(set_here) else None)
    done = administration.create(
        settings,
        url,
        admin_password=_password(arguments.admin_password_file, arguments.wait),
        only=only,
        new_passwords=arguments.new_passwords,
        same_server=arguments.same_server,
        wait_seconds=arguments.wait,
        say=note,
    )
    if arguments.json:
        emit({"done": done})
        return 0
    for purpose in done:
        say(purpose)
    say("Ready for: frontdoor database migrate")
    return 0


def run_migrate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Prepare for today's contracts; a wrong declaration leaves the last whole ones in force, and is said."""
    from frontdoor import database
    from frontdoor.platform import serving
    from frontdoor.prepare import prepare_to_run

    with progress("Making the database ready ..."), ThreadPoolExecutor(max_workers=1) as beside:
        database.wait_for(settings, arguments.wait)
        of_airflow = beside.submit(serving.make_ready, settings) if settings.airflow_database_url else None
        prepare_to_run(settings)
        if of_airflow is not None:
            of_airflow.result()
    server = database.locate(settings)
    if arguments.json:
        emit({"database": database.as_document(server)})
    else:
        say(f"Database {server.name} on {server.host}:{server.port} is ready.")
    return 0


def _without_password(url: str) -> str:
    from urllib.parse import parse_qs, urlsplit

    try:
        parts = urlsplit(url)
        if parts.password is None and "password" not in parse_qs(parts.query):
            return url
    except ValueError:
        return url  # whoever reads it next says what it must look like
    raise UsageMistake("--admin-url holds a password, which every process here can read: --admin-password-file")


def _password(path: Path | None, wait_seconds: float) -> str | None:
    if path is None:
        return None
    deadline = clock.monotonic() + wait_seconds
    while not path.exists() and clock.monotonic() < deadline:  # whoever makes it may be starting, too
        time.sleep(0.2)
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise UsageMistake("--admin-password-file cannot be read") from None
