"""What the DAGs do, as task functions: each one call into the house. Return values are counts, never data."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowSkipException

from frontdoor import database
from frontdoor.orchestration.bells import PUBLISHED

Given = ParamSpec("Given")
Result = TypeVar("Result")


def without_values(step: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let only class and SQLSTATE of an error out: Airflow logs its text, which may quote a record or a file name."""

    @wraps(step)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return step(*args, **kwargs)
        except AirflowSkipException:
            raise
        except Exception as error:
            said = database.safe_error(error)
        raise RuntimeError(f"{step.__name__}: {said}; the next run, or the sweep, tries again")

    return guarded


@task(outlets=[PUBLISHED], retries=2, retry_delay=5.0)
@without_values
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
@without_values
def build_marts() -> dict[str, int]:
    """Build everything published and unbuilt; at least move the marts' clock forward."""
    from frontdoor import delivery, settings

    return delivery.build(settings.load(), even_if_nothing=True)


@task(retries=2, retry_delay=5.0)
@without_values
def send_messages() -> int:
    """Drain what is left in the outbox."""
    from frontdoor import delivery, settings

    return delivery.send(settings.load())


@task(outlets=[PUBLISHED], retries=0)
@without_values
def sweep_landing_zone() -> dict[str, int]:
    """Do what no bell announced: take, judge, publish, send, for every source and every folder nobody watches."""
    from frontdoor import delivery, settings
    from frontdoor.keeping import leftovers

    here = settings.load()
    leftovers.clear(here)
    drained = delivery.drain(here)
    if not drained.published and not delivery.has_unbuilt(here):
        raise AirflowSkipException("nothing left lying")
    return drained.counts()


@task(retries=0)
@without_values
def tell_monitoring() -> dict[str, int]:
    """Send figures and lineage to where the settings say."""
    from frontdoor import monitoring, settings

    return monitoring.tell(settings.load())


@task(retries=0)
@without_values
def keep_small() -> int:
    """Let go of old logs, and of what Airflow wrote down of old runs."""
    from frontdoor import settings
    from frontdoor.platform import housekeeping

    return housekeeping.keep_small(settings.load())
