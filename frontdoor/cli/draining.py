"""``frontdoor ingest`` and ``frontdoor replay``: the work itself, in this process, beside or without Airflow."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, progress, say
from frontdoor.cli.shared import a_database, add_json, agency_and_source

if TYPE_CHECKING:
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``ingest`` and ``replay``."""
    ingest = commands.add_parser("ingest", help="take, judge, publish, build and send, until nothing is left")
    add_json(ingest)
    ingest.set_defaults(run=run_ingest)

    replay = commands.add_parser("replay", help="judge and publish deliveries again, under today's contracts")
    replay.add_argument("--delivery", type=int, metavar="ID", help="one delivery")
    replay.add_argument("--agency", metavar="A", help="with --feed: all deliveries of an agency")
    replay.add_argument("--feed", metavar="F", help="the feed or layout by which they came")
    replay.add_argument("--notify", action="store_true", help="also tell the sender again; otherwise nobody is told")
    add_json(replay)
    replay.set_defaults(run=run_replay)


def run_ingest(arguments: argparse.Namespace, settings: Settings) -> int:
    """Drain everything once."""
    from frontdoor import delivery, monitoring
    from frontdoor.prepare import prepare_to_run

    with a_database(settings), progress("working through everything that waits"):
        prepare_to_run(settings)
        done = delivery.ingest(settings)
        monitoring.tell(settings)
    if arguments.json:
        emit(done)
    else:
        say(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in done.items()))
    return 0


def run_replay(arguments: argparse.Namespace, settings: Settings) -> int:
    """Judge and publish again what was published, and load what was given up."""
    by_agency = arguments.agency is not None or arguments.feed is not None
    if (arguments.delivery is None) == (not by_agency) or (by_agency and not (arguments.agency and arguments.feed)):
        raise UsageMistake("replay wants --delivery ID, or --agency A with --feed F")
    from frontdoor import database, delivery
    from frontdoor.contract import load_house

    connection = database.connect(settings)
    try:
        with connection.cursor() as cursor:
            if by_agency:
                agency, source = agency_and_source(load_house(), arguments.agency, arguments.feed)
                cursor.execute(
                    "select delivery_id from intake.deliveries where agency_code = %s and %s in (source, feed)",
                    (agency, source),
                )
            else:
                cursor.execute(
                    "select delivery_id from intake.deliveries where delivery_id = %s", (arguments.delivery,)
                )
            delivery_ids = delivery.replayable(connection, [each for (each,) in cursor.fetchall()])
    finally:
        connection.close()
    if not delivery_ids and not by_agency:
        raise UsageMistake(f"there is no delivery {arguments.delivery} that was published or given up")
    with progress(f"judging {len(delivery_ids)} deliveries again"):
        replayed = delivery.replay(settings, delivery_ids, notify=arguments.notify)
        built = delivery.build(settings)
    document = {"replayed": replayed, "delivery_ids": delivery_ids, **built}
    emit(document) if arguments.json else say(f"replayed {replayed} deliveries; the marts are built from them anew")
    return 0
