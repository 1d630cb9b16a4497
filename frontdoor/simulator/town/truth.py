"""What is true of a town, as CSV: people, what happened, what was decided, which record says what, what is wrong in it.

children, households, workers       who there is; a child's number at each agency
known_as                            what an agency holds of a child that is not so, and never mends
contacts                            what was told to the front door, by whom, when, how well; also what no feed carries
files, records, defects             every file with its records; each defect with the record it sits in and the rule
                                    that must find it (none: no rule sees it). Of a return: the list in which it stands
                                    and the row of the case system of which it tells, by table and number
withheld                            the records of the files that never came, as `records` has those of the others
file_defects                        each defect of a whole file, and the rule or the other way that tells of it
visit_gaps                          by week: children under a standard, and those not seen within it, as the case system
                                    knows them when it makes the last list that can come in time, also where none comes
casework/<table>                    every row of the case system
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from frontdoor.simulator.town import records
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.known_as import KnownAs
from frontdoor.simulator.town.people import number_at
from frontdoor.simulator.town.post import SENDERS
from frontdoor.simulator.town.sent import SentFile
from frontdoor.simulator.town.telling import Contact
from frontdoor.simulator.town.town import Town

FILES = ("path", "agency", "feed", "lands_as", "landed_at", "records", "bytes", "sha256")
RECORDS = ("path", "record_no", "reference", "child_id", "contact_no", "part", "tells_of")
DEFECTS = ("defect", "path", "record_no", "rule_id", "part")
FILE_DEFECTS = ("defect", "path", "told_by")
CONTACTS = (
    *("contact_no", "child_id", "source", "agency", "happened_at", "known_at", "sent_at", "harm", "grade", "red_fact"),
    *("has_fact", "left_out", "not_known", "agreement", "was_right", "is_late_recognition"),
)
HOUSEHOLDS = (
    *("household_id", "surname", "address", "postcode", "adult", "relation", "other_adult", "school", "surgery"),
    *("team", "trouble"),
)
OF_CHILD = ("forename", "surname", "dob", "sex", "ethnicity", "nhs_number", "upn", "council_id")
CHILDREN = ("child_id", "household_id", *OF_CHILD, *(f"number_at_{agency}" for agency in SENDERS))
VISIT_GAPS = ("week_start", "team", "children", "not_seen")
KNOWN_AS = ("child_id", "agency", "difference", "property", "told")
# Tables that are there also where nothing of the kind happened.
ALWAYS = {
    **{"files": FILES, "records": RECORDS, "withheld": RECORDS, "defects": DEFECTS, "file_defects": FILE_DEFECTS},
    **{"contacts": CONTACTS, "visit_gaps": VISIT_GAPS, "known_as": KNOWN_AS},
}


class Truth:
    """The truth being written, file by file, while the town lives. A context manager."""

    def __init__(self, folder: Path, town: Town) -> None:
        """Write into this folder."""
        self._folder, self._town = folder, town
        self._open: dict[str, tuple[IO[str], Any, tuple[str, ...]]] = {}

    def __enter__(self) -> Truth:
        for table, header in ALWAYS.items():
            self._begin(table, header)
        return self

    def __exit__(self, *_: object) -> None:
        for file, _, _ in self._open.values():
            file.close()

    def people(self) -> None:
        """Write who lives in the town."""
        for home in self._town.homes:
            self._write("households", HOUSEHOLDS, [getattr(home, name) for name in HOUSEHOLDS])
            for child in home.children:
                of_child = [getattr(child, name) for name in OF_CHILD]
                numbers = [number_at(agency, child) for agency in SENDERS]
                self._write("children", CHILDREN, [child.child_id, home.household_id, *of_child, *numbers])

    def staff(self) -> None:
        """Write who worked, once the last day is over."""
        names = ("worker_id", "role", "team", "joined_on", "left_on")
        for worker in self._town.visiting.workers:
            self._write("workers", names, [getattr(worker, name) for name in names])

    def known_as(self, others: Iterable[KnownAs]) -> None:
        """Write as whom agencies know children, where that is otherwise than they are."""
        for known in others:
            about = (known.child_id, known.agency, known.difference)
            for name, value in known.told.items():
                self._write("known_as", KNOWN_AS, (*about, name, value))

    def day(self, day: Day) -> None:
        """Write what happened on a day."""
        for contact in day.contacts:
            self._write("contacts", CONTACTS, _contact(contact))
        for table, rows in day.rows.items():
            for row in rows:
                self._write(f"casework/{table}", tuple(row), [*row.values()])

    def file(self, sent: SentFile) -> None:
        """Write what is in a file, and what is wrong in it."""
        for way in (sent.told_by or ("",)) if sent.defect else ():
            self._write("file_defects", FILE_DEFECTS, (sent.defect, sent.path, way))
        for told in sent.told:
            number = told.contact.contact_no if told.contact else ""
            table = "withheld" if sent.is_withheld else "records"
            cells = (sent.path, told.record_no, told.reference, told.child_id, number, told.part, told.tells_of)
            self._write(table, RECORDS, cells)
            for defect, rule in told.defects:
                self._write("defects", DEFECTS, (defect, sent.path, told.record_no, rule, told.part))
        if sent.is_withheld:
            return
        landed = sent.landed_at.astimezone(UTC).isoformat()
        size = (len(sent.told), len(sent.content), sent.sha256)
        self._write("files", FILES, (sent.path, sent.agency, sent.feed, sent.lands_as, landed, *size))

    def visit_gaps(self, week_start: date, list_of: date) -> None:
        """Write how many children are not seen when a week is over, as the list made for a morning shows them."""
        visiting, known_before = self._town.visiting, datetime.combine(list_of, datetime.min.time())
        sunday = week_start + timedelta(days=6)
        counts: dict[str, list[int]] = {}
        for plan in visiting.plans:
            is_told = plan.told_from < list_of and any(visit.due_set_at < known_before for visit in plan.visits)
            # An end that the list does not know yet has not happened for those who read it.
            has_ended = plan.ended_on is not None and plan.ended_on < list_of
            if not is_told or has_ended:
                continue
            seen = visiting.last_seen_on(plan, known_before)
            due = visiting.due_on(plan, max(plan.started_on, seen or plan.started_on))
            for team in (plan.team, "all"):
                count = counts.setdefault(team, [0, 0])
                count[0] += 1
                count[1] += sunday > due
        for team, (children, not_seen) in sorted(counts.items()):
            self._write("visit_gaps", VISIT_GAPS, (week_start, team, children, not_seen))

    def _begin(self, table: str, header: tuple[str, ...]) -> None:
        path = self._folder / f"{table}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8", newline="")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        self._open[table] = file, writer, header

    def _write(self, table: str, header: tuple[str, ...], cells: Iterable[Any]) -> None:
        if table not in self._open:
            self._begin(table, header)
        _, writer, known = self._open[table]
        if known != header:
            raise ValueError(f"{table} has rows of two shapes")
        writer.writerow(cells)


def _contact(contact: Contact) -> list[Any]:
    when = (contact.happened_at, contact.known_at, contact.sent_at)
    told: Mapping[str, Any] = {
        "grade": records.grade(contact) or "",
        "red_fact": contact.red_fact or "",
        "has_fact": records.has_fact(contact),
        "left_out": " ".join(contact.left_out),
        "not_known": " ".join(contact.not_known),
    }
    start = (contact.contact_no, contact.child.child_id, contact.source, contact.agency or "", *when, contact.harm)
    return [*start, *told.values(), contact.agreement, contact.is_right, contact.is_late_recognition]
