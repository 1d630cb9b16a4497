"""Tell lineage to a file (a line an event) or an endpoint; what the receiver took is remembered, and the rest waits.

An event that is refused holds no other: it is left (`left`) and tried again more and more rarely, for a week.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from frontdoor import clock, database
from frontdoor.files import write_whole
from frontdoor.monitoring import steps
from frontdoor.monitoring.left import Key, Left, name_of

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.database import Server
    from frontdoor.monitoring.lineage import Model
    from frontdoor.settings import Settings

log = logging.getLogger(__name__)

# A receiver has three seconds for an event, and all of them half a minute: what is left is told a minute later.
PATIENCE = 3.0
IN_ALL = 30.0
AT_A_TIME = 100
# So many events in a row that were not answered: then it is the receiver, and not the events.
AWAY = 3
ENDPOINT = "api/v1/lineage"
# Answers that speak of us or of the moment and not of the event: who we are, the address, too much at once.
NOT_OF_THE_EVENT = (401, 403, 404, 405, 407, 408, 425, 429)


class Refused(RuntimeError):
    """The receiver does not want this event; it may want the next."""


class Receiver(Protocol):
    """What takes events; raises when it does not, `Refused` where that is for the event's sake."""

    def take(self, event: Any) -> None:
        """Take this event."""


@dataclass(frozen=True)
class _Subject:
    key: Key
    events: list[Any]


def tell(connection: Connection, settings: Settings, target: str) -> int:
    """Tell what was not told yet, the oldest first, for at most `IN_ALL` seconds; return how many events were taken.

    Raises when the database is away; of what the receiver did not take the log says how much. Told twice is only what
    it took while we died.
    """
    with database.advisory_lock(connection, "monitoring", "lineage", wait=False) as is_ours:
        if not is_ours:
            return 0
        left = Left(settings.home / "run" / "lineage_left.json")
        try:
            return _tell(connection, settings, _receiver(target), left)
        finally:
            left.write(steps.REMEMBERED)


def _tell(connection: Connection, settings: Settings, receiver: Receiver, left: Left) -> int:
    until, passed = clock.monotonic() + IN_ALL, left.rests()
    count = refused = silent = 0
    said: Exception | None = None
    while silent < AWAY and (subjects := _next(connection, settings, passed)):
        for subject in subjects:
            name, missing = name_of(subject.key), 0
            passed.add(name)
            for number, event in enumerate(subject.events):
                if left.was_taken(name, number):
                    continue
                if clock.monotonic() >= until:
                    _say(count, refused, said)
                    return count
                try:
                    receiver.take(event)
                except Refused:
                    missing, refused, silent = missing + 1, refused + 1, 0
                except Exception as error:
                    missing, silent, said = missing + 1, silent + 1, error
                    if silent == AWAY:
                        break
                else:
                    count, silent = count + 1, 0
                    left.took(name, number)
            if not missing or not left.tried_in_vain(name):
                steps.remember(connection, [subject.key])
                left.forget(name)
            if silent == AWAY:
                break
    _say(count, refused, said)
    return count


def _say(count: int, refused: int, said: Exception | None) -> None:
    if refused:
        log.warning("%s events of lineage were refused and are left, %s were told", refused, count)
    if said is not None:
        log.warning("the receiver of lineage does not answer, what is left waits: %s", database.safe_error(said))


def _next(connection: Connection, settings: Settings, passed: set[str]) -> list[_Subject]:
    """The oldest that was not told, but for those passed over."""
    from frontdoor.monitoring import lineage

    server, most = database.locate(settings), AT_A_TIME + len(passed)
    moves = [move for move in steps.moves(connection, most) if name_of(move.key) not in passed]
    builds = [built for built in steps.builds(connection, most) if name_of(built.key) not in passed]
    subjects = [_Subject(move.key, list(lineage.of_move(move, server))) for move in moves[:AT_A_TIME]]
    if builds:
        models, fingerprint = _models(settings)
        project = _of_project(models, fingerprint, server)
        if models and name_of(project.key) not in passed and not steps.is_told(connection, fingerprint):
            subjects.append(project)
        subjects += [_Subject(built.key, [lineage.of_build(built, models, server)]) for built in builds[:AT_A_TIME]]
    return subjects


def _of_project(models: list[Model], fingerprint: str, server: Server) -> _Subject:
    from frontdoor.monitoring import lineage

    at = clock.now()
    return _Subject(("project", 0, fingerprint, at), [lineage.of_model(model, at, server) for model in models])


class _File:
    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, event: Any) -> None:
        from openlineage.client.serde import Serde

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{Serde.to_json(event)}\n")


class _Endpoint:
    def __init__(self, url: str) -> None:
        from openlineage.client.transport.http import HttpConfig, HttpTransport

        path = urlsplit(url).path.strip("/")
        base = url.removesuffix("/").removesuffix(path) if path else url
        self.transport = HttpTransport(
            HttpConfig(url=base, endpoint=path or ENDPOINT, timeout=PATIENCE, retry={"total": 0})
        )

    def take(self, event: Any) -> None:
        from requests import HTTPError

        try:
            self.transport.emit(event).raise_for_status()
        except HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if 400 <= status < 500 and status not in NOT_OF_THE_EVENT:
                raise Refused from None
            raise


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
