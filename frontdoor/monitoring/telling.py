"""Tell lineage to a file (a line an event) or an endpoint; what the receiver took is remembered, and the rest waits.

An event that is refused holds no other: it is left (`left`) and tried again more and more rarely, for a week.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
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
# So many events in a row that it could not take: then it is the receiver, and not the events. To wait for an answer
# once is enough.
AWAY = 3
ENDPOINT = "api/v1/lineage"
# Answers that speak of us or of the moment and not of the event: who we are, the address, too much at once.
NOT_OF_THE_EVENT = (401, 403, 404, 405, 407, 408, 425, 429)


class Refused(RuntimeError):
    """The receiver does not want this event; it may want the next."""


class Failed(RuntimeError):
    """The receiver answered that it could not take this event."""


class Receiver(Protocol):
    """What takes events; raises when it does not, `Refused` where that is for the event's sake."""

    def take(self, event: Any) -> None:
        """Take this event."""


@dataclass(frozen=True)
class _Subject:
    key: Key
    events: list[Any]

    @property
    def name(self) -> str:
        return name_of(self.key)


@dataclass
class _Run:
    until: float
    count: int = 0
    refused: int = 0
    # In a row.
    silences: int = 0
    said: Exception | None = None

    def is_over(self) -> bool:
        return self.silences >= AWAY or clock.monotonic() >= self.until


def tell(connection: Connection, settings: Settings, target: str) -> int:
    """Tell what was not told yet, the oldest first, for at most `IN_ALL` seconds; return how many events were taken.

    Raises when the database is away; of what the receiver did not take the log says how much. Told twice is only what
    it took while we died.
    """
    with database.advisory_lock(connection, "monitoring", "lineage", wait=False) as is_ours:
        if not is_ours:
            return 0
        left, run = Left(settings.home / "run" / "lineage_left.json"), _Run(clock.monotonic() + IN_ALL)
        try:
            receiver = _receiver(target)
            for subject in _subjects(connection, settings, left):
                if _is_settled(receiver, subject, left, run):
                    steps.remember(connection, [subject.key])
                    left.forget(subject.name)
                if run.is_over():
                    break
        finally:
            left.write(steps.REMEMBERED)
        if run.refused:
            log.warning("%s events of lineage were refused and are left, %s were told", run.refused, run.count)
        if run.said is not None:
            log.warning("the receiver of lineage does not answer, the rest waits: %s", database.safe_error(run.said))
        return run.count


def _is_settled(receiver: Receiver, subject: _Subject, left: Left, run: _Run) -> bool:
    """Tell the events of a subject that the receiver has not got; return whether none is to be told again."""
    is_refused = is_missing = False
    for number, event in enumerate(subject.events):
        if left.was_taken(subject.name, number):
            continue
        if run.is_over():
            return False
        try:
            receiver.take(event)
        except Refused:
            is_refused, run.refused, run.silences = True, run.refused + 1, 0
        except Exception as error:
            is_missing = True
            left.not_answered(subject.name)
            run.said, run.silences = error, run.silences + (1 if isinstance(error, Failed) else AWAY)
        else:
            left.took(subject.name, number)
            run.count, run.silences = run.count + 1, 0
    return not is_missing and (not is_refused or not left.refused(subject.name))


def _subjects(connection: Connection, settings: Settings, left: Left) -> Iterator[_Subject]:
    """Yield what was not told and does not rest, the oldest first; that to which nobody answered before, at the end."""
    resting, last = left.rests(), left.goes_last()
    passed = resting | last
    while subjects := _next(connection, settings, passed):
        for subject in subjects:
            passed.add(subject.name)
            yield subject
    subjects = _next(connection, settings, passed - last | resting)
    yield from sorted(subjects, key=lambda each: left.silences(each.name))


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
        if models and project.name not in passed and not steps.is_told(connection, fingerprint):
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
            raise Failed(f"it answers {status}") from None


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
