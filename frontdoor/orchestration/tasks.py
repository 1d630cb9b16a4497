"""What the DAGs do, as task functions: each one call into the house. Return values are counts, never data."""

from __future__ import annotations

from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowSkipException

from frontdoor.orchestration.bells import PUBLISHED


@task(outlets=[PUBLISHED], retries=2, retry_delay=5.0)
def take_judge_publish_send(source: str, **context: Any) -> dict[str, int]:
    """Drain everything that lies in the landing folders of one source, and ring the warehouse's bell.

    Skipped, and so silent, when nothing was published: another run may have taken it.
    """
    from frontdoor import delivery, settings

    events = context.get("triggering_asset_events") or {}
    moved = frozenset(
        (int(inode), int(changed))
        for of_one_asset in events.values()
        for event in of_one_asset
        for inode, changed in ((event.extra or {}).get("payload") or event.extra or {}).get("moved", [])
    )
    drained = delivery.drain(settings.load(), sources=(source,), moved=moved)
    if not drained.published:
        raise AirflowSkipException("nothing to publish")
    return drained.counts()


@task(retries=2, retry_delay=5.0)
def build_marts() -> dict[str, int]:
    """Build everything published and unbuilt; at least move the marts' clock forward."""
    from frontdoor import delivery, settings

    return delivery.build(settings.load(), even_if_nothing=True)


@task(retries=2, retry_delay=5.0)
def send_messages() -> int:
    """Drain what is left in the outbox."""
    from frontdoor import delivery, settings

    return delivery.send(settings.load())


@task(outlets=[PUBLISHED], retries=0)
def sweep_landing_zone() -> dict[str, int]:
    """Do what no bell announced: take, judge, publish, send, for every source and every folder nobody watches."""
    from frontdoor import delivery, settings

    here = settings.load()
    drained = delivery.drain(here)
    if not drained.published and not delivery.has_unbuilt(here):
        raise AirflowSkipException("nothing left lying")
    return drained.counts()
