"""The assets that wake DAGs. A bell carries no work: it says that there may be some."""

from __future__ import annotations

from airflow.sdk import Asset, AssetWatcher

from frontdoor.orchestration.triggers import LandingTrigger

# Rung after a delivery was published: there is something to build.
PUBLISHED = Asset(name="published", uri="frontdoor://published")


def landed(source: str) -> Asset:
    """Return the bell of one landing folder, rung by the trigger that watches it."""
    return Asset(
        name=f"landed_{source}",
        uri=f"frontdoor://landed/{source}",
        watchers=[AssetWatcher(name=f"landing_{source}", trigger=LandingTrigger(source=source))],
    )
