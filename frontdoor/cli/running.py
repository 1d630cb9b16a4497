"""``frontdoor up`` and ``frontdoor down``: the platform on this machine, in the foreground until Ctrl-C."""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, note, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``up`` and ``down``."""
    up = commands.add_parser("up", help="start Postgres and Airflow here, and keep them running until Ctrl-C")
    up.add_argument("--no-airflow", action="store_true", help="Postgres alone; frontdoor ingest does the work")
    add_json(up)
    up.set_defaults(run=run_up)

    down = commands.add_parser("down", help="stop the platform of this home, whoever started it")
    add_json(down)
    down.set_defaults(run=run_down)


def run_up(arguments: argparse.Namespace, settings: Settings) -> int:
    """Start, prepare, say where, stay."""
    from frontdoor import database, platform

    refuse_beside_another(settings)
    with platform.up(settings, with_airflow=not arguments.no_airflow, say=note) as running:
        url = running.airflow.url if running.airflow else None
        if arguments.json:
            emit({"database": database.as_document(running.server), "airflow": {"url": url} if url else None})
        else:
            for line in where_to_look(settings, running):
                say(line)
            say("Ctrl-C stops it." if running.is_supervisor else "Another process keeps it running.")
        running.wait()
    return 0


def run_down(arguments: argparse.Namespace, settings: Settings) -> int:
    """Stop everything of this home."""
    from frontdoor import platform

    was_running = platform.down(settings)
    if arguments.json:
        emit({"was_running": was_running})
    else:
        say("Stopped." if was_running else "Nothing was running.")
    return 0


def refuse_beside_another(settings: Settings) -> None:
    """Refuse to start what runs already, as parts that were started elsewhere: two Airflows would share one home."""
    if settings.airflow_api_url:
        raise UsageMistake(
            f"FRONTDOOR_AIRFLOW_API_URL says that Airflow runs elsewhere ({settings.airflow_api_url}), and a second one"
            " would work on the same home: look with frontdoor status, or unset it"
        )


def where_to_look(settings: Settings, running: Any) -> list[str]:
    """Return the lines that lead a person to Airflow's page, the mails and the marts."""
    server = running.server
    lines = []
    if running.airflow:
        lines.append(f"Airflow     {running.airflow.url}")
        lines.append(f"            user admin, password in {running.airflow.passwords_file}")
    lines.append(f"receipts    {settings.receipts}/<agency>/")
    lines.append(f"mails       {settings.mail_dir if settings.smtp_url is None else 'by SMTP'}")
    lines.append(f"landing     {settings.landing}/<agency>/<feed>/")
    psql = f"PGPASSFILE={server.passfile} {_psql()} -h {server.host} -p {server.port} -d {server.name}"
    lines.append(f"marts       {psql} -U {server.bi_reader} -c 'select * from bi.indicator_values'")
    lines.append(f"triage      {psql} -U {server.owner} -c 'select * from worklists.triage'")
    return lines


def _psql() -> str:
    """Return psql as the shell finds it, else the one that came with the embedded server."""
    from frontdoor.platform import postgres_binaries

    if shutil.which("psql"):
        return "psql"
    return str(postgres_binaries.find(None) / "bin" / "psql")
