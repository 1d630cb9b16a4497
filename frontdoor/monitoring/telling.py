"""Tell lineage to a file (a line an event) or an endpoint; what the receiver took is remembered, and the rest waits."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from frontdoor import clock, database
from frontdoor.files import write_whole
from frontdoor.monitoring import steps

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.monitoring.lineage import Model
    from frontdoor.settings import Settings

# A receiver has three seconds for an event, and all of them half a minute: what is left is told a minute later.
PATIENCE = 3.0
IN_ALL = 30.0
AT_A_TIME = 100
ENDPOINT = "api/v1/lineage"


class Receiver(Protocol):
    """What takes events; raises when it does not."""

    def take(self, events: list[Any]) -> None:
        """Take these events, in this order."""


def tell(connection: Connection, settings: Settings, target: str) -> int:
    """Tell all that was not told yet, the oldest first; return how many events.

    Raises what the receiver raises, after remembering what it took. Told twice is only what it took while we died.
    """
    from frontdoor.monitoring import lineage

    with database.advisory_lock(connection, "monitoring", "lineage", wait=False) as is_ours:
        if not is_ours:
            return 0
        receiver, server, count = _receiver(target), database.locate(settings), 0
        until = clock.monotonic() + IN_ALL
        while clock.monotonic() < until:
            moves, builds = steps.moves(connection, AT_A_TIME), steps.builds(connection, AT_A_TIME)
            if not moves and not builds:
                break
            keys = [*(move.key for move in moves), *(built.key for built in builds)]
            events: list[Any] = [event for move in moves for event in lineage.of_move(move, server)]
            if builds:
                models, fingerprint = _models(settings)
                if models and not steps.is_told(connection, fingerprint):
                    at = clock.now()
                    events += [lineage.of_model(model, at, server) for model in models]
                    keys.append(("project", 0, fingerprint, at))
                events += [lineage.of_build(built, models, server) for built in builds]
            receiver.take(events)
            steps.remember(connection, keys)
            count += len(events)
        return count


class _File:
    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, events: list[Any]) -> None:
        from openlineage.client.serde import Serde

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{Serde.to_json(event)}\n" for event in events))


class _Endpoint:
    def __init__(self, url: str) -> None:
        from openlineage.client.transport.http import HttpConfig, HttpTransport

        path = urlsplit(url).path.strip("/")
        base = url.removesuffix("/").removesuffix(path) if path else url
        self.transport = HttpTransport(
            HttpConfig(url=base, endpoint=path or ENDPOINT, timeout=PATIENCE, retry={"total": 0})
        )

    def take(self, events: list[Any]) -> None:
        for event in events:
            answer = self.transport.emit(event)
            answer.raise_for_status()


def _receiver(target: str) -> Receiver:
    return _File(Path(target.removeprefix("file:"))) if target.startswith("file:") else _Endpoint(target)


def _models(settings: Settings) -> tuple[list[Model], str]:
    """The models of the project and its fingerprint; none where dbt cannot read the project.

    Kept in a file: to ask dbt takes seconds, and it is asked in a folder of its own, not to disturb a build.
    """
    from dataclasses import replace

    from frontdoor.monitoring.lineage import Model
    from frontdoor.warehouse.dbt_runner import dbt_for

    dbt = dbt_for(settings)
    fingerprint, kept = dbt.made_of(), settings.home / "run" / "models.json"
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if known.get("made_of") != fingerprint:
        manifest = replace(dbt, folder=settings.home / "dbt" / "lineage").manifest()
        if manifest is None:
            return [], fingerprint
        known = {"made_of": fingerprint, "models": [list(each) for each in _of_manifest(manifest)]}
        write_whole(kept, json.dumps(known))
    return [Model(name, relation, tuple(made_from)) for name, relation, made_from in known["models"]], fingerprint


def _of_manifest(manifest: Any) -> Iterable[tuple[str, str, list[str]]]:
    relations = {key: f"{node.schema}.{node.alias}" for key, node in manifest.nodes.items()}
    relations |= {key: f"{source.schema}.{source.identifier}" for key, source in manifest.sources.items()}
    for key, node in sorted(manifest.nodes.items()):
        if node.resource_type == "model":
            parents = manifest.parent_map.get(key, [])
            yield node.name, relations[key], sorted({relations[each] for each in parents if each in relations})
