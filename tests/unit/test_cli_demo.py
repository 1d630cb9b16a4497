"""The demonstration's samples and its table. Mend: frontdoor/cli/demo.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from frontdoor.cli import demo
from frontdoor.cli.delivering import Landed
from frontdoor.contract import load_house

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_every_feed_is_shown_good_and_poor_by_an_agency_that_sends_it() -> None:
    house = load_house()
    found = demo.samples(house)
    assert {sample.feed for sample in found} == set(house.feeds)
    for feed in house.feeds:
        good, poor = (sample for sample in found if sample.feed == feed)
        assert house.accepts(good.agency, feed)
        assert demo._content(house, good, seed=1) != demo._content(house, poor, seed=1)
        assert demo._content(house, good, seed=1) != demo._content(house, good, seed=2)


def test_table_counts_seconds_from_the_landing_and_fits_a_page(capsys: Any) -> None:
    landed = Landed("wearside_schools", "referral", "x", AT, "", 1, 0)
    delivery = {
        "delivery_id": 12345,
        "agency_code": "wearside_schools",
        "feed": "referral",
        "verdict": "accepted_with_findings",
        "records_loaded": 39,
        "records_in": 40,
        "findings": {"critical": 1, "warning": 2, "info": 0},
        "published_at": AT + timedelta(seconds=1.26),
        "built_at": AT + timedelta(seconds=3),
        "alerted_at": None,
    }
    demo._print_table([(landed, {}, delivery)])
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line for line in lines if "12345" in line)
    assert row.split("  ")[-1].strip() == "-"
    for cell in ("accepted with findings", "39 of 40", " 3 ", "1.3 s", "3.0 s"):
        assert cell in row
    assert max(map(len, lines)) <= 120
