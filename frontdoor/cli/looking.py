"""``frontdoor status`` and ``frontdoor doctor``: what there is, what waits, and what is wrong with the platform."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import add_json, describe_file

if TYPE_CHECKING:
    from frontdoor.settings import Settings

FILES_IN_WORDS = 20


def add(commands: Any) -> None:
    """Add ``status`` and ``doctor``."""
    status = commands.add_parser("status", help="what waits, and what became of files")
    status.add_argument("--delivery", type=int, metavar="ID", help="only the file of this delivery")
    status.add_argument("--last", type=int, metavar="N", help="at most so many files, the newest first")
    add_json(status)
    status.set_defaults(run=run_status)

    doctor = commands.add_parser("doctor", help="check that the platform can do its work")
    add_json(doctor)
    doctor.set_defaults(run=run_doctor)


def run_status(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the status."""
    from frontdoor import status

    last = arguments.last if arguments.last is not None else status.FILES_SHOWN if arguments.json else FILES_IN_WORDS
    if last < 0:
        raise UsageMistake("--last wants a number of files, zero or more")
    document = status.report(settings, delivery_id=arguments.delivery, last=last)
    if arguments.delivery is not None and not document["files"]:
        raise UsageMistake(f"there is no delivery {arguments.delivery}")
    if arguments.json:
        emit(document)
        return 0
    where = document["database"]
    say(f"database {where['name']} on {where['host']}:{where['port']}")
    gone = f"does not answer at {settings.airflow_api_url}" if settings.airflow_api_url else "is not running here"
    say(f"airflow  {document['airflow']['url'] if document['airflow'] else gone}")
    say("waiting  " + ", ".join(f"{count} {state}" for state, count in document["pending"].items()))
    if silent := status.silent_senders(settings):
        say(
            f"silent   {silent} senders: see frontdoor silence"
            if silent > 1
            else "silent   1 sender: see frontdoor silence"
        )
    for file in document["files"]:
        for line in describe_file(file):
            say(line)
    return 0


def run_doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the checks; 1 if one failed."""
    from frontdoor.cli import doctor

    checks = doctor.examine(settings)
    is_ok = all(check.ok for check in checks)
    if arguments.json:
        emit({"ok": is_ok, "checks": [{"id": c.id, "ok": c.ok, "sentence": c.sentence} for c in checks]})
    else:
        for check in checks:
            say(f"{'ok  ' if check.ok else 'FAIL'}  {check.id}: {check.sentence}")
    return 0 if is_ok else 1
