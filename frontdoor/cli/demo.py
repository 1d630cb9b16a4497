"""``frontdoor demo`` (``make run``): a platform, sample files of every feed, and what came of them.

The samples are invented; some break a rule on purpose, so that there is something to see. Each run sends new ones, so a
second run continues from what is there.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli import delivering, running
from frontdoor.cli.output import UsageMistake, note, say

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.contract import House
    from frontdoor.settings import Settings

WAIT_SECONDS = 300.0
RECORDS = 40
PAGE_WIDTH = 120
SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class Sample:
    """One file of the demonstration; one record in it breaks the first of these rules that can be broken."""

    agency: str
    feed: str
    break_one_of: tuple[str, ...]


def add(commands: Any) -> None:
    """Add ``demo``."""
    parser = commands.add_parser("demo", help="start the platform, deliver sample files, show what came of them")
    parser.add_argument("--once", action="store_true", help="stop everything and exit instead of staying up")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show the whole way once; then stay up, or stop."""
    from frontdoor import platform

    running.refuse_beside_another(settings)
    if settings.database_url:
        raise UsageMistake(
            "demo delivers invented records, and never into a database that FRONTDOOR_DATABASE_URL names: unset it, or"
            " use frontdoor deliver"
        )
    note("Starting Postgres and Airflow; the first time takes about a minute.")
    with platform.up(settings, say=note) as here:
        is_done = _show(settings)
        for line in running.where_to_look(settings, here):
            say(line)
        if arguments.once:
            note("Stopping everything.")
        else:
            say("")
            say("Ctrl-C stops it." if here.is_supervisor else "Another process keeps it running.")
            here.wait()
    return 0 if is_done else 1


def _show(settings: Settings) -> bool:
    """Deliver the samples, wait for them, print the table; tell whether all got through."""
    from frontdoor import database, status
    from frontdoor.contract import load_house

    house = load_house()
    with closing(database.connect(settings, application_name="frontdoor demo")) as connection:
        connection.autocommit = True
        landed = _deliver(settings, house, connection)
        file_ids = _follow(connection, landed)
        found = {file["file_id"]: file for file in status.files(connection, file_ids=file_ids.values())}
    rows = [
        (each, found[file_ids[each]], one)
        for each in landed
        if each in file_ids
        for one in _deliveries(found, file_ids[each])
    ]
    _print_table(rows)
    late = [each for each in landed if each not in file_ids] + [each for each, _, one in rows if not one["built_at"]]
    for each in late:
        note(
            f"{each.agency}/{each.source} is not through after {WAIT_SECONDS:.0f} s; see frontdoor status and HOME/log"
        )
    return not late


def samples(house: House) -> list[Sample]:
    """Return a good and a poor file per feed, each from the agency whose files are the plainest to look at."""
    found = []
    for feed in house.feeds.values():
        senders = [each for each in house.agency_feeds if each.source == feed.code]
        if not senders:
            continue
        sender = min(senders, key=lambda each: (each.archive != "none", each.format != "csv", each.agency)).agency
        rules = [rule for rule in feed.rules if rule.applies(house.agencies[sender], feed.code)]
        rules.sort(key=lambda rule: (SEVERITIES.index(rule.severity), rule.rule_id))
        to_sender = tuple(rule.rule_id for rule in rules if rule.scope == "record" and rule.recipient_role == "liaison")
        found += [Sample(sender, feed.code, ()), Sample(sender, feed.code, to_sender)]
    return found


def _deliver(settings: Settings, house: House, connection: Connection) -> list[delivering.Landed]:
    mark = delivering.newest_file(connection)
    landed = []
    with tempfile.TemporaryDirectory() as folder:
        for number, sample in enumerate(samples(house), start=1):
            # Seeds never come twice in one database: the same bytes again would be a duplicate.
            file = Path(folder) / f"sample-{mark}-{number}.csv"
            file.write_bytes(_content(house, sample, seed=mark * 100 + number))
            landed.append(delivering.put(settings, file, sample.agency, sample.feed, ledger_mark=mark))
            note(f"delivered {RECORDS} records of {sample.feed} as {sample.agency}")
    return landed


def _content(house: House, sample: Sample, seed: int) -> bytes:
    from frontdoor.simulator.sample import sample_records

    for rule_id in sample.break_one_of:
        with suppress(ValueError):  # not every rule can fail in an invented file
            return sample_records(house, sample.agency, sample.feed, RECORDS, seed=seed, break_rule=rule_id)
    return sample_records(house, sample.agency, sample.feed, RECORDS, seed=seed)


def _follow(connection: Connection, landed: list[delivering.Landed]) -> dict[delivering.Landed, int]:
    """Wait until every file is published, built and told of; return their numbers in the ledger."""
    from frontdoor import clock, status

    file_ids: dict[delivering.Landed, int] = {}
    done: set[delivering.Landed] = set()
    until = clock.monotonic() + WAIT_SECONDS
    for _ in _ticks(lambda: len(done), len(landed)):
        for each in landed:
            file_id = file_ids.get(each) or delivering.ledger_row(connection, each)
            if file_id is not None:
                file_ids[each] = file_id
                if status.is_done(connection, file_id):
                    done.add(each)
        if len(done) == len(landed) or clock.monotonic() > until:
            break
        time.sleep(delivering.LOOK_EVERY_SECONDS)
    return file_ids


def _ticks(done: Any, total: int) -> Iterator[None]:
    """Yield for ever; show how far it is: a bar on a terminal, a line for each file elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("through the front door", total=total)
            while True:
                yield
                bar.update(task, completed=done())
    said = 0
    while True:
        yield
        if done() != said:
            said = done()
            note(f"{said} of {total} files are through")


def _deliveries(found: dict[int, dict[str, Any]], file_id: int) -> list[dict[str, Any]]:
    return list(found[file_id]["deliveries"])


def _print_table(rows: list[tuple[delivering.Landed, dict[str, Any], dict[str, Any]]]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What came of the sample files", title_justify="left", box=SIMPLE)
    for heading in ("delivery", "from", "feed", "verdict"):
        table.add_column(heading, no_wrap=True)
    for heading in ("records", "findings", "published", "mart", "alert"):
        table.add_column(heading, justify="right", no_wrap=True)
    for landed, _, delivery in rows:
        table.add_row(
            str(delivery["delivery_id"]),
            delivery["agency_code"],
            delivery["feed"],
            (delivery["verdict"] or "not judged").replace("_", " "),
            f"{delivery['records_loaded']} of {delivery['records_in']}",
            str(sum(delivery["findings"].values())),
            *(_seconds(landed.at, delivery[state]) for state in ("published_at", "built_at", "alerted_at")),
        )
    if sys.stdout.isatty():
        Console().print(table)
    else:
        text = io.StringIO()
        Console(file=text, width=PAGE_WIDTH).print(table)
        say("\n".join(line.rstrip() for line in text.getvalue().splitlines()))
    say("Seconds from the rename into the landing zone. No finding holds a record back: all of them are on the list.")
    say("")


def _seconds(start: datetime, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.1f} s" if end else "-"
