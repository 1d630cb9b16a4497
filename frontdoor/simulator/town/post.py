"""When what is told reaches the council: on which morning a sender's file lands, and which of them never come.

What was told on a day lies in the landing zone the next morning; schools and housing send on working days only. What
has no feed is told by telephone, and written down on the next working day.
"""

from __future__ import annotations

from datetime import date, time, timedelta

from frontdoor.simulator.town.calendar import Calendar
from frontdoor.simulator.town.spoiling import Spoiling
from frontdoor.simulator.town.telling import Contact

COUNCIL = "wearside_council"
# When each lands, on the clock on the wall, and whether only on working days.
TIMES = {
    "wearside_police": (time(6), False),
    "wearside_partnership": (time(6, 20), False),
    "wearside_health": (time(6, 40), False),
    "wearside_schools": (time(7, 10), True),
    "wearside_housing": (time(8, 10), True),
    COUNCIL: (time(5, 30), False),
}
FEEDS = {
    **{"wearside_police": "police", "wearside_partnership": "police", "wearside_health": "referral"},
    **{"wearside_schools": "referral", "wearside_housing": "referral", COUNCIL: "visit"},
}
# Who tells of children, under numbers of their own.
SENDERS = tuple(agency for agency in TIMES if agency != COUNCIL)


class Post:
    """The mornings of a town's senders. `spoiling`: what goes wrong with them, if anything does."""

    def __init__(self, calendar: Calendar, spoiling: Spoiling | None) -> None:
        """Know nothing of any contact."""
        self._calendar, self.spoiling = calendar, spoiling

    def leaves_on(self, contact: Contact) -> date:
        """The day on which a contact leaves its sender."""
        return self.spoiling.leaves_on(contact) if self.spoiling else contact.sent_at.date()

    def sends_on(self, agency: str, morning: date) -> bool:
        """Whether a sender's file lands on a morning, if there is anything to tell."""
        _, is_office = TIMES[agency]
        return not is_office or self._calendar.is_working(morning)

    def lands_on(self, contact: Contact) -> date | None:
        """The day on which the council has a contact; none where its sender's file never comes."""
        left, agency = self.leaves_on(contact), contact.agency
        if agency is None:
            return self._calendar.after(left, 1)
        morning = left + timedelta(days=1)
        while not self.sends_on(agency, morning):
            morning += timedelta(days=1)
        is_lost = self.spoiling is not None and self.spoiling.is_silent(agency, contact.feed, morning)
        return None if is_lost else morning
