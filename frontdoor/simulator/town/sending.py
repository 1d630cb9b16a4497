"""The files that agencies send: each in its own format, under its own headers and labels, at the time it always sends.

The council's list of visits comes as its agreement says: whole on Mondays, or every morning what changed. Its returns
come by themselves (`returns/`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from frontdoor.contract import AgencyFeed, House
from frontdoor.simulator.good import Record
from frontdoor.simulator.town import records
from frontdoor.simulator.town.chance import stream
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.known_as import KnownAs, known_as
from frontdoor.simulator.town.post import COUNCIL, TIMES
from frontdoor.simulator.town.returns.handing import Returns
from frontdoor.simulator.town.sent import SentFile, Told
from frontdoor.simulator.town.spoiling import TECHNICAL_IDS, Rules, Spoiling, is_another_child, is_apart
from frontdoor.simulator.town.telling import Contact
from frontdoor.simulator.town.town import Town
from frontdoor.simulator.town.visit_list import Listed, State, VisitList
from frontdoor.simulator.words import Lines, pack, words_of

MONDAY, SUNDAY = 1, 7
UNALLOCATED = (("unallocated", "VIS-004"),)


class Written(NamedTuple):
    """A record as it goes into a file: of which contact, about which child of the town, and what is wrong with it."""

    contact: Contact
    child_id: str
    record: Record
    rules: Rules


@dataclass
class Sending:
    """The post of all agencies of a town."""

    house: House
    town: Town
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/London"))
    _known_as: dict[tuple[str, str], KnownAs | None] = field(default_factory=dict)
    _waiting: dict[str, list[Contact]] = field(default_factory=dict)
    _sent_before: dict[str, list[Written]] = field(default_factory=dict)
    _sent_later: dict[str, list[Written]] = field(default_factory=dict)
    _lines: dict[int, tuple[State, bytes]] = field(default_factory=dict)
    _words: dict[tuple[str, date], tuple[AgencyFeed, Lines]] = field(default_factory=dict)
    _visit_list: VisitList = field(init=False)
    _spoiling: Spoiling = field(init=False)
    returns: Returns = field(init=False)

    def __post_init__(self) -> None:
        """Open the list of visits, and what returns are made of."""
        self.returns = Returns(self.house, self.town, self.zone)
        self._visit_list = VisitList(self.town.visiting)
        self._spoiling = self.town.post.spoiling or Spoiling(self.house, self.town.seed, {})

    def of_day(self, day: Day) -> Iterator[SentFile]:
        """Yield the files that land on the day after a day."""
        self.returns.note(day)
        for contact in day.contacts:
            if contact.agency:
                self._waiting.setdefault(contact.agency, []).append(contact)
        lands = day.on + timedelta(days=1)
        yield from self._spoiling.of_morning(lands, self._written(lands))
        yield from self.returns.of_day(lands)

    def _written(self, lands: date) -> Iterator[SentFile]:
        if not self._is_list_whole(lands) or lands.isoweekday() == MONDAY:
            yield from self._visits(lands)
        leaves_on = self.town.post.leaves_on
        for agency, (at, _) in TIMES.items():
            if agency == COUNCIL or not self.town.post.sends_on(agency, lands):
                continue
            waiting = self._waiting.get(agency, [])
            ready = [contact for contact in waiting if leaves_on(contact) < lands]
            if ready:
                self._waiting[agency] = [contact for contact in waiting if leaves_on(contact) >= lands]
                yield self._contacts(agency, sorted(ready, key=lambda each: (each.sent_at, each.contact_no)), lands, at)

    def _contacts(self, agency: str, contacts: Sequence[Contact], lands: date, at: time) -> SentFile:
        feed = contacts[0].feed
        agreed, words = self._words_of(agency, feed, lands)
        told: list[Told] = []
        blocks = [words.header()]
        key = "notification_ref" if feed == "police" else "contact_reference"
        for contact, child_id, record, rules in self._records(agency, feed, contacts, lands):
            blocks.append((words.between(len(told)) + "".join(words.line(record, contact.contact_no))).encode())
            told.append(Told(len(told) + 1, str(record[key]), child_id, contact, rules))
        return self._file(agency, feed, lands, at, agreed, [*blocks, words.footer()], told)

    def _records(self, agency: str, feed: str, contacts: Sequence[Contact], lands: date) -> list[Written]:
        """The records of a sender's file, with those that were held back or come again."""
        held = self._sent_later.get(agency, [])
        made = [each for each in held if each.record["sent_at"].date() < lands]
        self._sent_later[agency] = [each for each in held if each.record["sent_at"].date() >= lands]
        kind, is_silent = self.house.agencies[agency].kind, self._spoiling.is_silent(agency, feed, lands)
        for contact in contacts:
            record = records.of_contact(contact, stream(self.town.seed, "record", contact.name), kind)
            known = self._as_known(agency, contact)
            record = known.on(record) if known else record
            spoiled = self._spoiling.of_contact(contact, record, records.rules_of(contact))
            for each, rules in spoiled:
                child_id = "" if is_another_child(record, each) else contact.child.child_id
                written = Written(contact, child_id, each, rules)
                if each["sent_at"].date() < lands and not is_apart(rules):
                    made.append(written)
                elif not is_silent:
                    # What refers to a record that never came is held back with it.
                    self._sent_later[agency].append(written)
        if is_silent:
            return made
        # What is wrong with a record may be another thing when it comes again, so only good ones do.
        before = [each for each in self._sent_before.get(agency, []) if not each.rules]
        again = self._spoiling.come_again(agency, feed, lands, [each.record for each in before])
        if again is not None:
            made += [
                each._replace(record=record, rules=((TECHNICAL_IDS, ""),))
                for each, record in zip(before, again, strict=True)
            ]
        self._sent_before[agency] = made
        return made

    def _as_known(self, agency: str, contact: Contact) -> KnownAs | None:
        key = (agency, contact.child.child_id)
        if key not in self._known_as:
            first_day = self.town.date_from
            share = self.town.scenario.value("known_differently_share", first_day)
            self._known_as[key] = known_as(self.town.seed, contact.child, agency, share, first_day)
        return self._known_as[key]

    def known_otherwise(self) -> list[KnownAs]:
        """Whom agencies told of otherwise than they are, so far."""
        return [known for known in self._known_as.values() if known]

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
        told = [_told(number, each) for number, each in enumerate(listed, start=1)]
        yield self._file(COUNCIL, "visit", lands, TIMES[COUNCIL][0], agreed, blocks, told)

    def _line(self, words: Lines, listed: Listed, lands: date, *, is_kept: bool) -> bytes:
        """The line of a visit; one that is kept is put into words again only when something in it changed."""
        plan, visit, state = listed
        known, line = self._lines.get(visit.visit_no, (None, b""))
        if known != state:
            chance = stream(self.town.seed, "told", visit.visit_no)
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
            self._words[key] = agreed, words_of(contract, agreed, columns, on, self.town.seed)
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


def _told(number: int, listed: Listed) -> Told:
    defects = UNALLOCATED if listed.is_unallocated else ()
    return Told(number, f"V{listed.visit.visit_no}", listed.plan.child.child_id, None, defects)
