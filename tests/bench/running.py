"""A running platform for a benchmark, stopped at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frontdoor import platform
from frontdoor import settings as settings_module
from tests.live import Live


@contextmanager
def running_platform(scratch: Path) -> Iterator[Live]:
    """Yield a platform that has already seen one small file of each feed, as an idle platform has."""
    settings = settings_module.load({"FRONTDOOR_HOME": str(scratch / "home")})
    with platform.up(settings) as running:
        live = Live(settings, running)
        for agency, feed in (
            ("wearside_police", "police"),
            ("wearside_schools", "referral"),
            ("wearside_council", "visit"),
        ):
            sha256 = live.land(agency, feed, live.sample(agency, feed, 5))
            live.wait_until(lambda sha256=sha256: live.published([sha256]) == 1, 120, f"a first {feed} file")
        live.wait_until(lambda: not _unbuilt(live), 120, "the first build")
        yield live


def _unbuilt(live: Live) -> int:
    return int(
        live.rows("select count(*) from intake.deliveries where built_in is null and status <> 'dead_letter'")[0][0]
    )
