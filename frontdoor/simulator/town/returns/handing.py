"""On which day the council hands over a return, and what is in it. Each lands in the afternoon, when offices are open.

It tells what the case system knew at midnight, as the list of visits of that morning does. No return is spoiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from frontdoor.contract import House
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.people import Child
from frontdoor.simulator.town.post import COUNCIL
from frontdoor.simulator.town.returns import census, inspection, lines
from frontdoor.simulator.town.returns.casefile import CaseFile
from frontdoor.simulator.town.scenario import BadTown
from frontdoor.simulator.town.sent import SentFile, Told
from frontdoor.simulator.town.town import Town

HANDED_OVER_AT = time(16)
# The lists are asked for again within so many days of an inspection that began.
NEAR = timedelta(days=90)


class Returns:
    """The returns of a town's council."""

    def __init__(self, house: House, town: Town, zone: ZoneInfo) -> None:
        """Look up the days. Raises BadTown where the council has not agreed to send on one of them."""
        self._house, self._town, self._zone = house, town, zone
        lists = {(day, lines.SOURCE) for day in _days_of_lists(town)}
        years = range(town.date_from.year, town.date_to.year + 1)
        censuses = {(census.handed_over_on(year, town.calendar), census.SOURCE) for year in years}
        # What is handed over on a day is what was known before it.
        self.days = sorted(each for each in lists | censuses if town.date_from < each[0] <= town.date_to)
        for day, source in self.days:
            if any(house.agency_feed(COUNCIL, source, feed, day) is None for feed in house.layouts[source].feeds):
                raise BadTown(f"{COUNCIL} has agreed nothing for {source} on {day}: choose days on which all send")
        self._file = CaseFile(town.date_from, with_contacts=any(each in lists for each in self.days))

    def note(self, day: Day) -> None:
        """Take in what happened on a day."""
        if self.days and day.on < self.days[-1][0]:
            self._file.note(day)

    def of_day(self, lands: date) -> Iterator[SentFile]:
        """Yield what is handed over on a day."""
        for source in [source for day, source in self.days if day == lands]:
            made = self._census if source == census.SOURCE else self._lists
            content, told = made(lands, {child.council_id: child for child in self._town.children()})
            name = f"{source}-{lands}.{self._house.layouts[source].format}"
            yield SentFile(COUNCIL, source, name, datetime.combine(lands, HANDED_OVER_AT, self._zone), content, told)

    def _census(self, on: date, children: Mapping[str, Child]) -> tuple[bytes, list[Told]]:
        return census.census(self._house, on, self._file, children, self._town.calendar)

    def _lists(self, on: date, children: Mapping[str, Child]) -> tuple[bytes, list[Told]]:
        return inspection.workbook(self._house, on, self._file, self._town.visiting.plans, children)


def _days_of_lists(town: Town) -> Iterator[date]:
    """Yield the days on which a scenario asks for the lists, if they are near the town's own."""
    for anchor, days in town.scenario.lists.items():
        asked_on = town.scenario.anchors[anchor]
        if town.date_from - NEAR <= asked_on <= town.date_to:
            yield from (town.calendar.after(asked_on, number) for number in days)
