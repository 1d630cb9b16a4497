"""The only place that runs dbt: in this process, with the manifest kept, and with its mouth shut.

A message of dbt may carry a value of a record (an error of the database quotes what it choked on). So dbt writes no
log file, no run results and nothing to the console; messages are looked at here, in memory, only to tell a lock that
was waited for too long from a model that is wrong, and what leaves this module is node names and states. Target and
logs lie below HOME/dbt.

Most of a small build is dbt's own work on each model, not Postgres's. So a build that finds everything made as the
project says it leaves out the views, and the models which take in news of other feeds than those that sent some.

A model that gave up on a lock, or lost a deadlock, is run again. Models that were skipped because one before them
failed are run once more without it: they then speak of what did arrive, and the safety net of the rest.

dbt takes its connection from the environment (profiles.yml); it is set while dbt runs and put back afterwards.
PGOPTIONS carries what every session of dbt needs: UTC, and no endless waiting for a lock that a reader holds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any

from frontdoor import database
from frontdoor.settings import Settings

log = logging.getLogger(__name__)

PROJECT = Path(__file__).parents[2] / "dbt_project"
WHOLE_PROJECT = "(the whole project)"
SUFFIXES = (".sql", ".yml", ".yaml", ".csv", ".md")
THREADS = 4
LOCK_PAUSES = (0.2, 1.0, 3.0)
# Parts of Postgres's own messages, which are the same for any data; dbt keeps no SQLSTATE.
PASSING_TROUBLE = ("lock timeout", "deadlock detected", "tuple concurrently", "could not obtain lock")
# What an address may say beyond host, port, name and role: the profile has no place for it, libpq reads PGSSLMODE etc.
BY_ENVIRONMENT = (
    *("passfile", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "hostaddr"),
    *("ssl_min_protocol_version", "channel_binding", "require_auth", "gssencmode", "target_session_attrs"),
)
# Where dbt keeps the parsed project. Release 0.1.0 has it in `target`, and could not parse where a newer one had been.
KEPT = "kept"
SESSION = "-c TimeZone=UTC -c lock_timeout=5s -c client_connection_check_interval=2s"

_manifests: dict[tuple[Any, ...], Any] = {}
_environment = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """What became of each node, by name; `feeds_of`: the feeds whose news a node takes in."""

    succeeded: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    feeds_of: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def is_void(self) -> bool:
        """Tell whether dbt did not run at all."""
        return WHOLE_PROJECT in self.failed

    def feeds_failed(self) -> frozenset[str]:
        """The feeds of which some model did not take in the news."""
        return frozenset().union(*(self.feeds_of.get(name, frozenset()) for name in self.failed))


@dataclass(frozen=True)
class Dbt:
    """dbt for one database: where it finds the project, where it may write, how it connects."""

    project: Path
    folder: Path
    variables: Mapping[str, str]

    def run_models(self, only_news_of: Collection[str] | None = None) -> Outcome:
        """Run every model once; see the module for what is run again. Raises nothing that dbt raises.

        `only_news_of`: everything is made as the project says it, and there is news of these feeds alone. What needs
        not be run for them counts as succeeded.
        """
        manifest = self.manifest()
        if manifest is None:
            return Outcome(failed=frozenset({WHOLE_PROJECT}))
        feeds_of = _feeds_of(manifest)
        unneeded: frozenset[str] = frozenset()
        wanted: list[str] = []
        if only_news_of is not None:
            unneeded = _unneeded(manifest, feeds_of, frozenset(only_news_of))
            wanted = sorted(_models(manifest) - unneeded)
        states = self._invoke("run", wanted, is_made=only_news_of is not None)
        if states is None:
            return Outcome(failed=frozenset({WHOLE_PROJECT}))
        for pause in LOCK_PAUSES:
            waiting = {name for name, state in states.items() if state == "try_again"}
            if not waiting:
                break
            sleep(pause)
            again = waiting | {name for name, state in states.items() if state == "skipped"}
            states |= self._invoke("run", sorted(again)) or {}
        skipped = {name for name, state in states.items() if state == "skipped"}
        if skipped:
            states |= self._invoke("run", sorted(skipped)) or {}
        succeeded = frozenset(name for name, state in states.items() if state == "success")
        return Outcome(succeeded | unneeded, frozenset(states) - succeeded, feeds_of)

    def run_tests(self, names: Collection[str]) -> Outcome:
        """Run these data tests. A test that could not be run counts as failed: it is a finding about us."""
        states = self._invoke("test", sorted(names))
        if states is None:
            return Outcome(failed=frozenset({WHOLE_PROJECT}))
        succeeded = frozenset(name for name, state in states.items() if state == "success")
        return Outcome(succeeded, frozenset(states) - succeeded)

    def test_names(self) -> list[str]:
        """The data tests of the project, by name."""
        manifest = self.manifest()
        if manifest is None:
            return []
        return sorted(node.name for node in manifest.nodes.values() if node.resource_type == "test")

    def manifest(self) -> Any:
        """The parsed project, kept in the process until a file of it changes; None when it cannot be parsed."""
        # The parsed project holds the name of the database; what only connections need does not matter to it.
        key = (self.project, self.variables["FRONTDOOR_DBT_NAME"], self.made_of())
        if key not in _manifests:
            parsed = self._call(["parse", *self._options()], None)
            if parsed is None or not parsed.success:
                # What dbt kept of the project of another release leads it astray: once more, from the files alone.
                parsed = self._call(["parse", "--no-partial-parse", *self._options()], None)
            if parsed is None or not parsed.success:
                return None
            _manifests.clear()
            _manifests[key] = parsed.result
        return _manifests[key]

    def made_of(self) -> str:
        """What relations are made of: a fingerprint of the project; of a file that cannot be read, its name alone."""
        found = hashlib.sha256()
        for path in sorted(self.project.rglob("*")):
            if path.suffix in SUFFIXES:
                found.update(f"{path.relative_to(self.project)}\n".encode())
                with suppress(OSError):
                    found.update(path.read_bytes())
        return found.hexdigest()

    def relations(self) -> list[str]:
        """The relations of the models, as ``schema.name``; none when the project cannot be parsed."""
        manifest = self.manifest()
        nodes = manifest.nodes.values() if manifest is not None else ()
        return sorted(f"{node.schema}.{node.alias}" for node in nodes if node.resource_type == "model")

    def _invoke(self, command: str, select: Sequence[str] = (), *, is_made: bool = False) -> dict[str, str] | None:
        """State by node name (success, error, skipped, try_again); None: dbt did not run."""
        manifest = self.manifest()
        if manifest is None:
            return None
        arguments = [command, *self._options(), "--threads", str(THREADS), "--vars", json.dumps({"is_made": is_made})]
        done = self._call([*arguments, *(["--select", *select] if select else [])], manifest)
        if done is None or done.result is None:
            return None
        return {result.node.name: _state(result) for result in done.result.results}

    def _call(self, arguments: list[str], manifest: Any) -> Any:
        """dbt's result; None when dbt cannot be imported, or broke before it ran a node. Raises nothing."""
        try:
            from dbt.cli.main import dbtRunner

            _spare_the_stack()
            with self._connected():
                done = dbtRunner(manifest=manifest).invoke(arguments)
        except Exception as error:
            log.error("dbt %s did not run: %s", arguments[0], database.safe_error(error))
            return None
        if done.exception is not None:
            log.error("dbt %s did not run: %s", arguments[0], database.safe_error(done.exception))
            return None
        return done

    def _options(self) -> list[str]:
        return [
            *("--project-dir", str(self.project), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(self.folder / KEPT), "--log-path", str(self.folder / "log")),
            *("--log-level", "none", "--log-level-file", "none", "--no-write-json", "--no-print", "--quiet"),
            *("--no-send-anonymous-usage-stats", "--no-version-check", "--no-use-colors", "--cache-selected-only"),
        ]

    @contextmanager
    def _connected(self) -> Iterator[None]:
        with _environment:
            before = {name: os.environ.get(name) for name in self.variables}
            os.environ.update(self.variables)
            try:
                yield
            finally:
                for name, value in before.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value


def dbt_for(settings: Settings, project: Path = PROJECT) -> Dbt:
    """dbt for the database of these settings, connecting as everything else does."""
    parts = database.address(settings)
    variables = {
        "FRONTDOOR_DBT_HOST": parts["host"],
        "FRONTDOOR_DBT_PORT": parts["port"],
        "FRONTDOOR_DBT_NAME": parts["dbname"],
        "FRONTDOOR_DBT_USER": parts["user"],
        "PGOPTIONS": SESSION,
        "DO_NOT_TRACK": "1",
    }
    said = {name: value for name, value in parts.items() if name in BY_ENVIRONMENT}
    variables |= {f"PG{name.replace('_', '').upper()}": value for name, value in said.items()}
    if "password" in parts:
        variables["DBT_ENV_SECRET_FRONTDOOR"] = parts["password"]
    return Dbt(project=project, folder=settings.home / "dbt", variables=variables)


def _spare_the_stack() -> None:
    """Keep dbt from reading its whole call stack, sources and all, for each of its flags: a third of a second a run.

    It looks there for the name of the module that a warning about the flag would show, and shows none. Until dbt asks
    only when it has something to warn of (dbt_common.behavior_flags).
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered

    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")


def _state(result: Any) -> str:
    status = str(result.status)
    if status in ("success", "pass", "warn"):
        return "success"
    if status == "skipped":
        return "skipped"
    message = str(result.message or "")
    return "try_again" if any(sign in message for sign in PASSING_TROUBLE) else "error"


def _models(manifest: Any) -> frozenset[str]:
    return frozenset(node.name for node in manifest.nodes.values() if node.resource_type == "model")


def _unneeded(manifest: Any, feeds_of: Mapping[str, frozenset[str]], feeds: frozenset[str]) -> frozenset[str]:
    """Models that need not be run for news of these feeds alone, where all relations stand."""
    return frozenset(
        node.name
        for node in manifest.nodes.values()
        if node.resource_type == "model"
        and (node.config.materialized == "view" or (feeds_of.get(node.name) and not feeds_of[node.name] & feeds))
    )


def _feeds_of(manifest: Any) -> dict[str, frozenset[str]]:
    """Node name -> the feeds whose raw tables lie above it."""
    feeds: dict[str, frozenset[str]] = {}

    def above(unique_id: str) -> frozenset[str]:
        if unique_id not in feeds:
            feeds[unique_id] = frozenset()
            source = manifest.sources.get(unique_id)
            if source is not None and source.schema == "raw":
                feeds[unique_id] = frozenset({source.identifier.removesuffix("_read")})
            else:
                parents = manifest.parent_map.get(unique_id, [])
                feeds[unique_id] = frozenset().union(*(above(parent) for parent in parents))
        return feeds[unique_id]

    return {
        node.name: above(unique_id)
        for unique_id, node in manifest.nodes.items()
        if node.resource_type == "model" and _takes_in_news(node)
    }


def _takes_in_news(node: Any) -> bool:
    """Tell whether a failure of the node must be made good with the same news: the next build makes the others
    whole."""
    return node.schema in ("staging", "core", "worklists") and node.config.incremental_strategy != "replace_all"
