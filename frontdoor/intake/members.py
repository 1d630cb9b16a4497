"""Which feed each member of a file goes to, and under which versions of contract and agency file.

A member of a file of a feed goes to that feed. A member of a file of a layout goes to each feed that the layout
supplies from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from frontdoor.contract import AgencyFeed, House
from frontdoor.intake.contents import Member
from frontdoor.intake.ledger import Part


def parts_of(house: House, agency: str, source: str, received_at: datetime, found: Sequence[Member]) -> list[Part]:
    """Return the parts of a file from a known agency, under the contract and agency file in force at receipt."""
    is_layout = source in house.layouts
    feeds = house.layouts[source].feeds if is_layout else (source,)
    parts: list[Part] = []
    for member in found:
        for feed in feeds:
            agreed = agreed_on(house, agency, source, feed, received_at)
            name = feed if is_layout else _name_of(member)
            version = agreed.version if agreed else "none"
            parts.append(
                Part(
                    len(parts) + 1,
                    name,
                    member.place,
                    feed,
                    house.feeds[feed].version,
                    version,
                    member.refusal,
                    member.size_bytes,
                )
            )
    return parts


def _name_of(member: Member) -> str:
    return " ".join(f"{what} {number}" for what, number in member.place.items()) or "file"


def agreed_on(house: House, agency: str, source: str, feed: str, at: datetime) -> AgencyFeed | None:
    """Return how this agency sends this feed on that day; failing that, as it last agreed: no gap holds a child."""
    on = at.astimezone(ZoneInfo(house.agencies[agency].timezone)).date()
    if agreed := house.agency_feed(agency, source, feed, on):
        return agreed
    versions = [each for each in house.agency_feeds if (each.agency, each.source, each.feed) == (agency, source, feed)]
    return min(versions, key=lambda each: _distance(each, on), default=None)


def _distance(agreed: AgencyFeed, on: date) -> int:
    return abs((on - (agreed.valid_from if on < agreed.valid_from else agreed.valid_to or on)).days)
