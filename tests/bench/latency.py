"""From a file renamed into the landing zone to its row in triage and its message in the mail folder, 20 times."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from tests.bench import Figure
from tests.bench.running import running_platform
from tests.live import Live

TIMES = 20


def run(scratch: Path) -> list[Figure]:
    """Measure on an idle platform; say where the time goes from the ledger's own time stamps."""
    with running_platform(scratch) as live:
        runs = [_one(live) for _ in range(TIMES)]
    whole = [one["triage and message"] for one in runs]
    message = [one["message"] for one in runs]
    steps = ", ".join(f"{step} {statistics.median(one[step] for one in runs):.2f}" for step in runs[0])
    return [
        Figure(
            "landed to triage and message, median of 20",
            f"{statistics.median(whole):.2f} s",
            "<= 5 s",
            statistics.median(whole) <= 5,
        ),
        Figure("the same, 95th", f"{_p95(whole):.2f} s", "<= 8 s", _p95(whole) <= 8),
        Figure(
            "landed to message alone, median",
            f"{statistics.median(message):.2f} s",
            "<= 2 s",
            statistics.median(message) <= 2,
        ),
        Figure("where the time goes (medians, seconds after landing)", steps),
    ]


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _one(live: Live) -> dict[str, float]:
    payload = live.sample("wearside_police", "police", 100, break_rule="POL-020")
    landed = time.time()
    sha256 = live.land("wearside_police", "police", payload)
    live.wait_until(lambda: live.in_triage(sha256) == 100, 60, "triage")
    in_triage = time.time() - landed

    def message_files() -> list[Path]:
        ids = live.rows(
            "select message_id::text from alerts.messages join intake.deliveries using (delivery_id)"
            " join intake.files on files.file_id = deliveries.file_id where sha256_received = %s",
            (sha256,),
        )
        return [path for (message_id,) in ids if (path := live.settings.mail_dir / f"{message_id}.eml").exists()]

    live.wait_until(lambda: bool(message_files()), 60, "the message")
    in_box = max(path.stat().st_mtime for path in message_files()) - landed
    ((received, loaded, checked, published),) = live.rows(
        "select extract(epoch from deliveries.received_at), extract(epoch from loaded_at), extract(epoch from checked_at),"
        " extract(epoch from published_at) from intake.deliveries join intake.files using (file_id) where sha256_received = %s",
        (sha256,),
    )
    # The platform is idle again before the next file: its build has ended.
    live.wait_until(
        lambda: not live.rows("select 1 from warehouse.builds where status = 'running'"), 60, "the build to end"
    )
    time.sleep(2)
    return {
        "taken": float(received) - landed,
        "loaded": float(loaded) - landed,
        "checked": float(checked) - landed,
        "published": float(published) - landed,
        "message": in_box,
        "triage": in_triage,
        "triage and message": max(in_triage, in_box),
    }
