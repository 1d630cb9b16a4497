"""500 files within ten seconds: all published within sixty, none twice, no step by hand."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench import Figure
from tests.bench.running import running_platform

FILES = 500
LANDED_WITHIN_SECONDS = 10.0


def run(scratch: Path) -> list[Figure]:
    """Land them evenly; count from the last one."""
    with running_platform(scratch) as live:
        payloads = [live.sample("wearside_police", "police", 10) for _ in range(FILES)]
        start = time.monotonic()
        hashes = []
        for number, payload in enumerate(payloads):
            hashes.append(live.land("wearside_police", "police", payload))
            time.sleep(max(0.0, start + number * LANDED_WITHIN_SECONDS / FILES - time.monotonic()))
        landing = time.monotonic() - start
        live.wait_until(lambda: live.published(hashes) == FILES, 300, "500 files to be published")
        seconds = time.monotonic() - start
        ((files, deliveries, records),) = live.rows(
            "select count(distinct file_id), count(distinct delivery_id), sum(records_loaded)"
            " from intake.files join intake.deliveries using (file_id) where sha256_received = any(%s)",
            (hashes,),
        )
    once = (files, deliveries, records) == (FILES, FILES, FILES * 10)
    return [
        Figure(
            f"500 files landed in {landing:.1f} s, all published after", f"{seconds:.1f} s", "<= 60 s", seconds <= 60
        ),
        Figure("of them published twice or not at all", "none" if once else "some", "none", once),
    ]
