"""Ring a feed's bell when files are whole in its landing folders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from frontdoor import settings
from frontdoor.intake import bucket
from frontdoor.intake.watch import Notice, together, watch


class LandingTrigger(BaseEventTrigger):
    """Senses whole files of one source; moves nothing, reads nothing, names nothing.

    All sources share one look at the landing zone. The event only wakes the DAG: what is to be done stands in the
    landing zone and in ``intake.deliveries``, so an event lost, doubled or merged costs time and nothing else.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and its one argument."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"source": self.source}

    def shared_stream_key(self) -> Hashable:
        """Every source watches the same zone."""
        return ("frontdoor-landing",)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Notice]:
        """Yield notices of all sources, for as long as the triggerer lives."""
        del kwargs
        here = settings.load()
        here_and_there = watch(Path(here.landing), here.settle_seconds)
        if here.landing_url is not None:
            here_and_there = together([here_and_there, bucket.watch(here)])
        async for notice in here_and_there:
            yield notice

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Pass on what concerns this source."""
        async for notice in shared_stream:
            if notice.source == self.source:
                yield TriggerEvent({"moved": [list(evidence) for evidence in notice.moved]})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch alone, where a triggerer does not share streams."""
        async for event in self.filter_shared_stream(self.open_shared_stream({})):
            yield event
