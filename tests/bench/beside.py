"""A small police file that lands while a million referral rows load, is read, judged and built: how long to triage?"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from frontdoor.contract import load_house
from frontdoor.simulator.sample import write_sample
from tests.bench import Figure
from tests.bench.running import running_platform

RECORDS = 1_000_000
LIMIT_SECONDS = 1800


def run(scratch: Path) -> list[Figure]:
    """Land a police file every twenty seconds from the large one's landing until it is built."""
    with running_platform(scratch) as live:
        large = live.settings.landing / "wearside_schools" / "referral" / ".large"
        write_sample(large, load_house(), "wearside_schools", "referral", RECORDS, seed=1)
        started = time.monotonic()
        large.rename(large.with_name("large.csv"))
        waits: list[tuple[str, float]] = []
        state = "landed"
        while state != "built" and time.monotonic() - started < LIMIT_SECONDS:
            sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", 100))
            waits.append((state, live.wait_until(lambda sha256=sha256: live.in_triage(sha256) == 100, 300, "triage")))
            time.sleep(max(0.0, 20 - waits[-1][1]))
            found = live.rows(
                "select case when built_in is not null then 'built' else status end from intake.deliveries"
                " where feed = 'referral' order by size_bytes desc limit 1"
            )
            state = str(found[0][0]) if found else "landed"
        whole = time.monotonic() - started
    worst = max(seconds for _, seconds in waits)
    by_state = ", ".join(
        f"{state} {max(s for was, s in waits if was == state):.1f}" for state in dict.fromkeys(was for was, _ in waits)
    )
    return [
        Figure(
            "100 police records landed while 1,000,000 referral rows load, to triage: slowest",
            f"{worst:.1f} s (median {statistics.median(s for _, s in waits):.1f} s of {len(waits)})",
            "<= 30 s",
            worst <= 30,
        ),
        Figure("slowest by what the large delivery was doing (seconds)", by_state),
        Figure("the large delivery itself, landed to built", f"{whole:.0f} s"),
    ]
