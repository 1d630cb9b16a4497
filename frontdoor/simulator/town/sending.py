"""The files that agencies send: each in its own format, under its own headers and labels, at the time it always sends.

What was told on a day lies in the landing zone the next morning; schools and housing send on working days only. The
council's list of visits comes as its agreement says: whole on Mondays, or every morning what changed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from frontdoor.contract import AgencyFeed, House
from frontdoor.simulator.defects import RECORD
from frontdoor.simulator.good import Record
from frontdoor.simulator.town import records
from frontdoor.simulator.town.calendar import Calendar
from frontdoor.simulator.town.casework import Day
from frontdoor.simulator.town.chance import stream
from frontdoor.simulator.town.telling import Contact
from frontdoor.simulator.town.visit_list import Listed, State, VisitList
from frontdoor.simulator.town.visiting import Visiting
from frontdoor.simulator.words import Lines, pack, words_of

COUNCIL, MONDAY, SUNDAY = "wearside_council", 1, 7
UNALLOCATED = (("unallocated", "VIS-004"),)
# When each lands, on the clock on the wall, and whether only on working days.
TIMES = {
    "wearside_police": (time(6), False),
    "wearside_partnership": (time(6, 20), False),
    "wearside_health": (time(6, 40), False),
    "wearside_schools": (time(7, 10), True),
    "wearside_housing": (time(8, 10), True),
    COUNCIL: (time(5, 30), False),
}


class Told(NamedTuple):
    """One record in a file: its place from 1, its key, the child, and what is wrong with it by rule."""

    record_no: int
    reference: str
    child_id: str
    contact: Contact | None = None
    defects: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class SentFile:
    """One file: who sends it by which feed, when it lands, its bytes, and the records in it."""

    agency: str
    feed: str
    name: str
    landed_at: datetime
    content: bytes
    told: Sequence[Told]

    @property
    def path(self) -> str:
        """Where it stands, from the folder of all files."""
        return f"{self.agency}/{self.feed}/{self.name}"

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Sending:
    """The post of all agencies of a town."""

    house: House
    calendar: Calendar
    seed: int
    visiting: Visiting
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/London"))
    defects: Mapping[str, float] = field(default_factory=dict)
    _waiting: dict[str, list[Contact]] = field(default_factory=dict)
    _lines: dict[int, tuple[State, bytes]] = field(default_factory=dict)
    _words: dict[tuple[str, date], tuple[AgencyFeed, Lines]] = field(default_factory=dict)
    _visit_list: VisitList = field(init=False)

    def __post_init__(self) -> None:
        """Open the list of visits."""
        self._visit_list = VisitList(self.visiting)

    def of_day(self, day: Day) -> Iterator[SentFile]:
        """Yield the files that land on the morning after a day."""
        for contact in day.contacts:
            if contact.agency:
                self._waiting.setdefault(contact.agency, []).append(contact)
        lands = day.on + timedelta(days=1)
        if not self._is_list_whole(lands) or lands.isoweekday() == MONDAY:
            yield from self._visits(lands)
        for agency, (at, is_office) in TIMES.items():
            if agency == COUNCIL or (is_office and not self.calendar.is_working(lands)):
                continue
            waiting = self._waiting.get(agency, [])
            ready = [contact for contact in waiting if contact.sent_at.date() < lands]
            if ready:
                self._waiting[agency] = [contact for contact in waiting if contact.sent_at.date() >= lands]
                yield self._contacts(agency, sorted(ready, key=lambda each: (each.sent_at, each.contact_no)), lands, at)

    def _contacts(self, agency: str, contacts: Sequence[Contact], lands: date, at: time) -> SentFile:
        feed = contacts[0].feed
        agreed, words = self._words_of(agency, feed, lands)
        kind = self.house.agencies[agency].kind
        told: list[Told] = []
        blocks = [words.header()]
        key = "notification_ref" if feed == "police" else "contact_reference"
        for contact in contacts:
            made, wrong = self._spoiled(contact, kind)
            for record, rules in zip(made, wrong, strict=True):
                blocks.append((words.between(len(told)) + "".join(words.line(record, contact.contact_no))).encode())
                told.append(Told(len(told) + 1, str(record[key]), contact.child.child_id, contact, rules))
        return self._file(agency, feed, lands, at, agreed, [*blocks, words.footer()], told)

    def _spoiled(self, contact: Contact, kind: str) -> tuple[list[Record], list[Sequence[tuple[str, str]]]]:
        """The records of a contact and what is wrong with each; at most one defect, in a record with nothing else."""
        chance = stream(self.seed, "record", contact.contact_no)
        record, wrong = records.of_contact(contact, chance, kind), records.rules_of(contact)
        for name, share in self.defects.items() if not wrong else ():
            if not chance.happens(share):
                continue
            defect = RECORD[name]
            made = defect.change(record, contact.feed, chance)
            if made is not None:
                rules = [(name, rule) for rule in defect.rules[contact.feed] or ("",)]
                return made, [
                    rules if at == len(made) or not defect.only_last else [] for at in range(1, len(made) + 1)
                ]
        return [record], [wrong]

    def week_judged_by(self, lands: date) -> date | None:
        """The first day of the week that a morning's list is the last to tell of before it is judged, if it is that."""
        if self._is_list_whole(lands):
            return lands if lands.isoweekday() == MONDAY else None
        return lands - timedelta(days=6) if lands.isoweekday() == SUNDAY else None

    def _is_list_whole(self, on: date) -> bool:
        agreed, _ = self._words_of(COUNCIL, "visit", on)
        return agreed.delivery_mode == "snapshot"

    def _visits(self, lands: date) -> Iterator[SentFile]:
        agreed, words = self._words_of(COUNCIL, "visit", lands)
        is_whole = agreed.delivery_mode == "snapshot"
        listed = self._visit_list.of(lands, is_whole=is_whole)
        if not listed and not is_whole:
            return
        blocks = [words.header(), *(self._line(words, each, lands, is_kept=is_whole) for each in listed)]
        told = [
            Told(number, f"V{visit.visit_no}", plan.child.child_id, None, UNALLOCATED if each.is_unallocated else ())
            for number, each in enumerate(listed, start=1)
            for plan, visit, _ in (each,)
        ]
        yield self._file(COUNCIL, "visit", lands, TIMES[COUNCIL][0], agreed, blocks, told)

    def _line(self, words: Lines, listed: Listed, lands: date, *, is_kept: bool) -> bytes:
        """The line of a visit; one that is kept is put into words again only when something in it changed."""
        plan, visit, state = listed
        known, line = self._lines.get(visit.visit_no, (None, b""))
        if known != state:
            chance = stream(self.seed, "told", visit.visit_no)
            record = records.of_visit(plan, visit, chance, datetime.combine(lands, time(0)))
            line = "".join(words.line(record, visit.visit_no)).encode()
            if is_kept:
                self._lines[visit.visit_no] = state, line
        return line

    def _words_of(self, agency: str, feed: str, on: date) -> tuple[AgencyFeed, Lines]:
        agreed = self.house.agency_feed(agency, feed, feed, on)
        if agreed is None:
            raise ValueError(f"nothing is agreed for {agency} and {feed} on {on}")
        key = (agency, agreed.valid_from)
        if key not in self._words:
            contract, headers = self.house.feeds[feed], {*agreed.headers.values()}
            columns = [each.name for each in contract.properties if not headers or each.name in headers]
            self._words[key] = agreed, words_of(contract, agreed, columns, on, self.seed)
        return self._words[key]

    def _file(
        self,
        agency: str,
        feed: str,
        lands: date,
        at: time,
        agreed: AgencyFeed,
        blocks: Sequence[bytes],
        told: Sequence[Told],
    ) -> SentFile:
        content = io.BytesIO()
        pack(content, self.house.feeds[feed], agreed, blocks)
        ending = agreed.format if agreed.archive == "none" else agreed.archive
        landed_at = datetime.combine(lands, at, self.zone)
        return SentFile(agency, feed, f"{feed}-{lands}.{ending}", landed_at, content.getvalue(), told)
