"""``frontdoor metrics``: what is measured, as it is now."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import emit
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``metrics``."""
    metrics = commands.add_parser("metrics", help="the figures of the alert rules, in Prometheus' text format")
    add_json(metrics)
    metrics.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Measure and print."""
    from frontdoor import database
    from frontdoor.monitoring import figures, prometheus

    with closing(database.connect(settings, application_name="frontdoor metrics")) as connection:
        measured = figures.measure(connection, settings)
    if arguments.json:
        samples = [{"name": s.name, "labels": dict(s.labels), "value": s.value} for s in measured.samples]
        emit({"metrics": samples})
    else:
        sys.stdout.write(prometheus.text(measured))
    return 0
