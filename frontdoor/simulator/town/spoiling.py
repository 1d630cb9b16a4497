"""Defects of a town's post: in a record, in a file, and in what is sent when.

A record or a file gets at most one. Each is drawn from a stream of its own: nothing else in the town moves by it, but
that the council decides late what came late, and never what never came. A file that came broken is asked for at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from frontdoor.contract import House
from frontdoor.simulator.defects import DELIVERY, FILE, RECORD
from frontdoor.simulator.defects.deliveries import DAYS_OF_SILENCE, SATURDAY, Sent, rules_of_late
from frontdoor.simulator.good import Record
from frontdoor.simulator.town.chance import stream
from frontdoor.simulator.town.scenario import BadTown
from frontdoor.simulator.town.sent import DEAD_LETTER, DUPLICATE, SentFile
from frontdoor.simulator.town.telling import Contact

TECHNICAL_IDS, WITHOUT_RECORDS = "technical_ids_reissued", ("empty_file", "header_only")
Rules = Sequence[tuple[str, str]]
# No record of a visit is spoiled: what is late or lacks a worker there is the town's own doing.
OF_RECORDS = tuple(name for name, defect in RECORD.items() if {*defect.rules} - {"visit"})
GROUPS: Mapping[str, tuple[str, ...]] = {"records": OF_RECORDS, "files": tuple(FILE), "deliveries": tuple(DELIVERY)}
ALL = tuple(name for names in GROUPS.values() for name in names)


class Spoiling:
    """The defects of a town. `shares`: name -> how often one sits where it can."""

    def __init__(self, house: House, seed: int, shares: Mapping[str, float]) -> None:
        """Know nothing of what was sent before. Raises BadTown for a name or a share that cannot be."""
        for name, share in shares.items():
            if name not in ALL:
                raise BadTown(f"no defect {name}; there are: {', '.join((*GROUPS, *ALL))}")
            if not 0 <= share <= 1:
                raise BadTown(f"{name}: a share is from 0 to 1")
        self._house, self._seed, self._shares = house, seed, dict(shares)
        self._of_records = [name for name in shares if name in RECORD]
        self._of_files = [name for name in shares if name in FILE]
        self._planted: set[tuple[str, int]] = set()
        self._coming_again: list[SentFile] = []
        self._coming_now: set[tuple[str, str]] = set()
        self._last: dict[tuple[str, str], SentFile] = {}
        self._known: set[tuple[str, str, str]] = set()

    def of_contact(self, contact: Contact, record: Record, wrong: Rules) -> list[tuple[Record, Rules]]:
        """The records that stand in a contact's place, what is wrong with each; a good one gets one defect at most."""
        if self.leaves_on(contact) != contact.sent_at.date():
            return self._late(contact, record, wrong)
        for name in self._of_records if not wrong else ():
            # One notice has each defect once: of two records that name no child nobody could say which is which.
            if (name, contact.incident_no) in self._planted or not self._draws(name, contact.name):
                continue
            defect = RECORD[name]
            made = defect.change(record, contact.feed, stream(self._seed, name, "of", contact.name))
            if made is not None:
                self._planted.add((name, contact.incident_no))
                rules: Rules = [(name, rule) for rule in defect.rules[contact.feed] or ("",)]
                return [*((each, [] if defect.only_last else rules) for each in made[:-1]), (made[-1], rules)]
        return [(record, wrong)]

    def leaves_on(self, contact: Contact) -> date:
        """The day on which a notice leaves: the Monday after a weekend of which the sender sends everything late."""
        day = contact.sent_at.date()
        if contact.feed != "police" or day.isoweekday() < SATURDAY:
            return day
        monday = day + timedelta(days=8 - day.isoweekday())
        return monday if self._draws("late_batch", contact.agency, monday) else day

    def _late(self, contact: Contact, record: Record, wrong: Rules) -> list[tuple[Record, Rules]]:
        chance = stream(self._seed, "late batch", contact.name)
        (late,) = DELIVERY["late_batch"].records([record], contact.feed, chance) or [record]
        others = [each for each in wrong if each[0] != "told_late"]
        return [(late, [*others, *(("late_batch", rule) for rule in rules_of_late(late) or ("",))])]

    def is_silent(self, agency: str, feed: str, on: date) -> bool:
        """Whether nothing comes from a sender on a morning: for some days from the one on which it falls silent."""
        mornings = (on - timedelta(days=days) for days in range(DAYS_OF_SILENCE))
        return any(self._draws("silence", agency, feed, morning) for morning in mornings)

    def come_again(self, agency: str, feed: str, on: date, before: Sequence[Record]) -> list[Record] | None:
        """The records of the sender's file before, should they come again under new technical ids.

        Not beside that file itself: what a file says that came between makes of its bytes a new statement.
        """
        if not before or (agency, feed) in self._coming_now or not self._draws(TECHNICAL_IDS, agency, on):
            return None
        return DELIVERY[TECHNICAL_IDS].records([*before], feed, stream(self._seed, "ids", agency, on))

    def of_morning(self, on: date, files: Iterable[SentFile]) -> Iterator[SentFile]:
        """Yield what really lands on a morning, of these files and of those that come again."""
        coming = [each for each in self._coming_again if each.landed_at.date() <= on]
        self._coming_again = [each for each in self._coming_again if each.landed_at.date() > on]
        self._coming_now = {(each.agency, each.feed) for each in coming}
        for sent in [*self._of_files_alone(on, files), *coming]:
            bytes_of_sender = (sent.agency, sent.feed, sent.sha256)
            if self.is_silent(sent.agency, sent.feed, on):
                yield replace(sent, content=b"", defect="silence", told_by=(), is_withheld=True)
            elif sent.defect in WITHOUT_RECORDS:
                # However often nothing comes, it is no repeat of anything.
                yield sent
            elif bytes_of_sender in self._known:
                yield replace(sent, told=(), told_by=(DUPLICATE,))
            else:
                self._known.add(bytes_of_sender)
                yield sent

    def _of_files_alone(self, on: date, files: Iterable[SentFile]) -> Iterator[SentFile]:
        for sent in files:
            if self.is_silent(sent.agency, sent.feed, on):
                yield sent
                continue
            self._last[sent.agency, sent.feed] = made = self._of_deliveries(on, self._of_file(on, sent))
            yield made

    def _of_file(self, on: date, sent: SentFile) -> SentFile:
        for name in self._of_files:
            agreed = self._house.agency_feed(sent.agency, sent.feed, sent.feed, on)
            if agreed is None or not self._draws(name, sent.path):
                continue
            made = FILE[name].change(sent.content, agreed, stream(self._seed, name, "of", sent.path))
            if made is not None and made != sent.content:
                told_by = (*FILE[name].rules, *((DEAD_LETTER,) if FILE[name].is_dead_letter else ()))
                return replace(sent, content=made, defect=name, told_by=told_by)
        return sent

    def _of_deliveries(self, on: date, sent: SentFile) -> SentFile:
        if sent.defect:
            return sent
        last = self._last.get((sent.agency, sent.feed))
        if last is not None and last.lands_as != sent.name and self._draws("same_name_new_content", sent.path):
            return replace(sent, name_in_landing=last.lands_as, defect="same_name_new_content")
        name = "same_file_new_name"
        if self._draws(name, sent.path):
            chance = stream(self._seed, "again", sent.path)
            made = DELIVERY[name].files([Sent(on, sent.name, sent.content)], chance) or []
            again = [
                replace(sent, name=each.name, landed_at=sent.landed_at + (each.day - on), told=(), defect=name)
                for each in made
                if each.name != sent.name
            ]
            self._coming_again += again
        return sent

    def _draws(self, name: str, *of: object) -> bool:
        share = self._shares.get(name, 0)
        return bool(share) and stream(self._seed, name, *of).happens(share)


def is_apart(rules: Rules) -> bool:
    """Whether what is wrong with a record is so only in a later file than that of the record before it."""
    return any(RECORD[name].is_apart for name, _ in rules if name in RECORD)


def is_another_child(record: Record, spoiled: Record) -> bool:
    """Whether a spoiled record is about a second child, who is nobody in town; a name or a date alone may be wrong."""
    return all(record.get(name) != spoiled.get(name) for name in ("forename", "dob"))
