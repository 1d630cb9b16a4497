"""What Great Expectations is asked, without asking it. Open frontdoor/quality/engine.py and rules.py."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime

from frontdoor.contract import load_house
from frontdoor.quality.engine import batch_query
from frontdoor.quality.rules import Delivery, plan


def test_importing_quality_does_not_import_great_expectations() -> None:
    asked = "import sys, frontdoor.quality, frontdoor.quality.warm; print('great_expectations' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "False"


def test_a_query_is_put_to_the_batch_alone() -> None:
    query = batch_query("select _delivery_id, _record_no from {batch} as b", "_delivery_id in (1)")
    assert query.count("{batch}") == 1
    assert "from batch as b" in query
    assert query.endswith("where _delivery_id in (1)")


def test_every_rule_of_every_contract_can_be_written_out_today() -> None:
    house = load_house()
    for feed in house.feeds.values():
        senders = [agreed for agreed in house.agency_feeds if agreed.feed == feed.code]
        assert senders, f"nobody sends {feed.code}"
        deliveries = [
            Delivery(n, agreed.agency, agreed.source, date(2026, 11, 3), datetime(2026, 11, 3, tzinfo=UTC), 1, 0)
            for n, agreed in enumerate(senders)
        ]
        (group,) = plan(house, feed, deliveries)
        assert not group.unwritten, f"expectations/{feed.code}/contract.odcs.yaml: {group.unwritten}"
        assert "{" not in "".join(check.fails + check.applies for check in group.checks)
