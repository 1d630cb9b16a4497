"""Simulate a town into a folder: the files of its agencies, the case system's files, and the truth.

landing/<agency>/<feed>/<file>      what agencies send; `truth/files.csv` says when each lands
casework/<month>/<table>.csv        what the case system would send by feeds that do not exist yet
truth/                              see `truth.py`
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from frontdoor.contract import House
from frontdoor.simulator.town import scenario as scenarios
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.post import FEEDS
from frontdoor.simulator.town.scenario import BadTown
from frontdoor.simulator.town.sending import Sending
from frontdoor.simulator.town.sent import SentFile
from frontdoor.simulator.town.spoiling import Spoiling
from frontdoor.simulator.town.town import Town, check
from frontdoor.simulator.town.truth import Truth

# Kept among the truth alone: the front door's own feeds carry these.
NOT_CASEWORK = ("visits",)


@dataclass
class Simulated:
    """What was written."""

    files: int = 0
    records: int = 0
    contacts: int = 0
    visits: int = 0


def simulate(
    house: House,
    scenario: str,
    date_from: date,
    date_to: date,
    children: int,
    seed: int,
    out: Path,
    defects: Mapping[str, float] | None = None,
    on_day: Callable[[Day, list[SentFile]], None] = lambda _day, _files: None,
) -> Simulated:
    """Write a town into an empty or new folder; the same arguments write the same bytes.

    `defects`: how often each of `spoiling.ALL` sits where it can, by name: in a record, a file, or what is sent when.
    `on_day` is told of each day and the files that land after it. Raises UnknownScenario, BadScenario and BadTown
    before anything is written.
    """
    check(date_from, date_to, children)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadTown(f"{out.name} holds something already: a town needs a folder of its own")
    _check_agreements(house, date_from, date_to)
    town = Town(scenarios.load(scenario), date_from, date_to, children, seed, Spoiling(house, seed, defects or {}))
    sending = Sending(house, town)
    _make(out)
    done = Simulated()
    with Truth(out / "truth", town) as truth:
        truth.people()
        for day in town.days():
            truth.day(day)
            _add_casework(out / "casework" / f"{day.on:%Y-%m}", day)
            post = sorted(sending.of_day(day), key=lambda each: (each.landed_at, each.path))
            for sent in post:
                truth.file(sent)
            files = [sent for sent in post if not sent.is_withheld]
            for sent in files:
                _put(out / "landing" / sent.path, sent.content)
                done.files += 1
                done.records += len(sent.told)
            morning = day.on + timedelta(days=1)
            if (week := sending.week_judged_by(morning)) is not None:
                truth.visit_gaps(week, morning)
            done.contacts += len(day.contacts)
            done.visits += len(day.rows.get("visits", ()))
            on_day(day, files)
        truth.staff()
        truth.known_as(sending.known_otherwise())
    return done


def landed(out: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of `truth/files.csv` in the order in which the files land."""
    with (out / "truth" / "files.csv").open(encoding="utf-8", newline="") as file:
        yield from sorted(csv.DictReader(file), key=lambda row: (row["landed_at"], row["path"]))


def _make(out: Path) -> None:
    """Make the folder. Raises BadTown where that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadTown(f"{out.name} cannot be made there: {error.strerror}") from error


def _check_agreements(house: House, date_from: date, date_to: date) -> None:
    """Raise BadTown if an agency has not agreed to send on one of the mornings on which its files land."""
    for agency in FEEDS:
        feed = FEEDS[agency]
        for number in range((date_to - date_from).days + 1):
            lands = date_from + timedelta(days=number + 1)
            if house.agency_feed(agency, feed, feed, lands) is None:
                raise BadTown(f"{agency} has agreed nothing for {feed} on {lands}: choose days on which all send")


def _put(path: Path, content: bytes) -> None:
    """Write a file under a name of its own first, so that nobody who watches the folder reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.rename(path)


def _add_casework(folder: Path, day: Day) -> None:
    for table, rows in day.rows.items():
        if table in NOT_CASEWORK or not rows:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{table}.csv"
        is_new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerows(rows)
