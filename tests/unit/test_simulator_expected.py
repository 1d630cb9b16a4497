"""A steady town the size of Sunderland keeps what its agencies agreed. Mend: expected: in expectations/*/agencies, post.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from frontdoor import reference
from frontdoor.contract import load_house
from frontdoor.quality.expected import Arrival, Day, days_due, settled_by
from frontdoor.quality.laying import agreements
from frontdoor.simulator.town.simulate import landed, simulate

# Over Christmas, New Year and a change of the clocks.
FROM, TO = date(2024, 10, 14), date(2025, 1, 12)


def test_steady_town_is_never_silent(tmp_path: Path) -> None:
    house, out = load_house(), tmp_path / "town"
    simulate(house, "steady", FROM, TO, 54_000, 3, out)
    files = list(landed(out))
    asked = agreements(house)
    assert {(agency, feed) for agency, feed, _ in asked} >= {
        ("wearside_police", "police"),
        ("wearside_council", "visit"),
    }
    for agency, feed, source in asked:
        zone = ZoneInfo(house.agencies[agency].timezone)
        first, last = (datetime.combine(on + timedelta(days=1), time(), UTC) for on in (FROM, TO))

        def expected(on: date, key: tuple[str, str, str] = (agency, source, feed)):  # type: ignore[no-untyped-def]
            agreed = house.agency_feed(*key, on)
            return agreed.expected if agreed else None

        days = {day.expected_on: day for day in days_due(expected, zone, reference.is_working_day, first, last)}
        assert len(days) > 10, f"{agency} agreed on no days"
        for file in (row for row in files if (row["agency"], row["feed"]) == (agency, feed)):
            arrival = Arrival(1, datetime.fromisoformat(file["landed_at"]), is_snapshot=False, is_usable=True)
            for on, state in settled_by(arrival, list(days.values()), zone).items():
                days[on] = Day(on, days[on].due_at, state)
        assert {day.state for day in days.values()} == {"received"}, [day for day in days.values() if day.is_open]
