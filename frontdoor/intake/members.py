"""What a file of one source supplies: its parts, and the feed that each part goes to.

A file of a feed is one part. A file of a layout is one part per feed that the layout supplies.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from frontdoor.contract import AgencyFeed, House
from frontdoor.intake.ledger import Part


def parts_of(house: House, agency: str, source: str, received_at: datetime) -> list[Part]:
    """Return the parts of a file from a known agency, under the contract and agency file in force at receipt."""
    feeds = house.layouts[source].feeds if source in house.layouts else (source,)
    parts = []
    for number, feed in enumerate(feeds, start=1):
        agreed = agreed_on(house, agency, source, feed, received_at)
        name = feed if source in house.layouts else "file"
        parts.append(Part(number, name, feed, house.feeds[feed].version, agreed.version if agreed else "none"))
    return parts


def agreed_on(house: House, agency: str, source: str, feed: str, at: datetime) -> AgencyFeed | None:
    """Return how this agency sends this feed on that day; failing that, as it last agreed: no gap holds a child."""
    on = at.astimezone(ZoneInfo(house.agencies[agency].timezone)).date()
    if agreed := house.agency_feed(agency, source, feed, on):
        return agreed
    versions = [each for each in house.agency_feeds if (each.agency, each.source, each.feed) == (agency, source, feed)]
    return min(versions, key=lambda each: _distance(each, on), default=None)


def _distance(agreed: AgencyFeed, on: date) -> int:
    return abs((on - (agreed.valid_from if on < agreed.valid_from else agreed.valid_to or on)).days)
