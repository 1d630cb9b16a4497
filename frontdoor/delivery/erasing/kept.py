"""Where requests stand, so that no loss brings back who was erased: in HOME/erasures, and sealed beside the archive.

A request is in both places before anything goes; a backup takes it along from the archive. Either place is enough:
`complete` gives each what only the other has, or only the ledger. It holds no value of a record. What it remembers of
the child is a keyed digest; the key is HOME/secrets/erasure_key, and goes sealed with each request.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from frontdoor.files import write_whole
from frontdoor.intake import archive, archive_keys, papers, sealing
from frontdoor.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """One request. tombstones: (token of the file, part, record); digests: of the child's keys, under a key of ours."""

    erasure_id: str
    reason: str
    by_role: str
    handed_to: str | None
    evidence: str | None
    asked_at: str
    tombstones: tuple[tuple[str, int, int], ...]
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """Every request that can be read, the oldest first; ids by where they stand; and of those that do not open."""

    requests: tuple[Request, ...]
    here: frozenset[str]
    archived: frozenset[str]
    closed: tuple[str, ...]

    @property
    def in_one_place(self) -> list[str]:
        """Ids of those that the loss of one place would lose."""
        return sorted((self.here ^ self.archived) - set(self.closed))


class KeyLost(RuntimeError):
    """Children were erased, and the key by which they would be known again is neither here nor in the archive."""

    is_safe_to_show = True


def write(settings: Settings, request: Request) -> None:
    """Keep a request in both places, whole or not at all. Raises an `OSError` where the archive is away."""
    _write_here(settings, request)
    _archive(settings, request)


def standing(settings: Settings) -> Standing:
    """Look in both places. Raises an `OSError` where the archive is away."""
    here = {each.erasure_id: each for each in _read_here(settings)}
    archived = set(papers.names(settings, papers.ERASED))
    found, closed = dict(here), []
    for erasure_id in sorted(archived - here.keys()):
        opened = _opened(settings, erasure_id)
        if opened is None:
            closed.append(erasure_id)
        else:
            found[erasure_id] = opened[0]
    return Standing(
        requests=tuple(sorted(found.values(), key=lambda each: (each.asked_at, each.erasure_id))),
        here=frozenset(here),
        archived=frozenset(archived),
        closed=tuple(closed),
    )


def complete(connection: Connection, settings: Settings) -> Standing:
    """Give each place what it lacks, the digests' keys too; return what stands then. Raises as `standing`."""
    _bring_keys(settings)
    stands = standing(settings)
    known = {each.erasure_id for each in stands.requests}
    of_ledger = [each for each in _of_ledger(connection) if each.erasure_id not in known | set(stands.closed)]
    if not of_ledger and not stands.in_one_place:
        return stands
    for each in (*stands.requests, *of_ledger):
        if each.erasure_id not in stands.here:
            _write_here(settings, each)
        if each.erasure_id not in stands.archived:
            _archive(settings, each)
    return standing(settings)


def new_digests(settings: Settings, keys: Iterable[str]) -> tuple[str, ...]:
    """Return digests of a child's and its records' keys, to be kept: they say nothing without a key of their own."""
    if not archive_keys.read(_key_file(settings)):
        archive_keys.make(_key_file(settings))
    secret = archive_keys.read(_key_file(settings))[-1].secret
    return tuple(sorted({_digest(secret, key) for key in keys}))


def known_among(settings: Settings, digests: Collection[str], keys: Collection[str]) -> dict[str, list[str]]:
    """Return which of the keys those digests were made of: key -> digests. Raises `KeyLost`, and as `standing`."""
    if digests and not archive_keys.read(_key_file(settings)):
        _bring_keys(settings)
    ours = archive_keys.read(_key_file(settings))
    if digests and not ours:
        raise KeyLost(f"the key by which children who were erased are known again is lost: {_key_file(settings)}")
    found: dict[str, list[str]] = {}
    for key in keys:
        made = (_digest(each.secret, key) for each in ours)
        if known := [digest for digest in made if digest in digests]:
            found[key] = known
    return found


def _digest(secret: bytes, key: str) -> str:
    return hmac.digest(secret, key.encode(), "sha256").hex()


def _key_file(settings: Settings) -> Path:
    return settings.home / "secrets" / "erasure_key"


def _bring_keys(settings: Settings) -> None:
    """Bring the keys of requests that are not here; of all of them, where no key is here."""
    here = {each.erasure_id for each in _read_here(settings)} if archive_keys.read(_key_file(settings)) else set()
    brought: list[sealing.Key] = []
    for erasure_id in sorted(set(papers.names(settings, papers.ERASED)) - here):
        opened = _opened(settings, erasure_id)
        brought += [key for key in opened[1] if key not in brought] if opened else []
    archive_keys.bring(_key_file(settings), brought)


def _archive(settings: Settings, request: Request) -> None:
    keys = [key.secret.hex() for key in archive_keys.read(_key_file(settings))]
    papers.write(settings, papers.ERASED, request.erasure_id, {**asdict(request), "keys": keys})


def _opened(settings: Settings, erasure_id: str) -> tuple[Request, list[sealing.Key]] | None:
    try:
        paper = papers.read(settings, papers.ERASED, erasure_id)
    except (archive.Damaged, archive.KeyMissing) as error:
        log.error("erasure %s cannot be read in the archive: %s", erasure_id, error)
        return None
    if paper is None:
        return None
    said = dict(paper.said)
    return _request(said), [sealing.Key(bytes.fromhex(key)) for key in said.pop("keys")]


def _request(said: Mapping[str, Any]) -> Request:
    named = {key: value for key, value in said.items() if key != "keys"}
    named["tombstones"] = tuple((token, member, record) for token, member, record in named["tombstones"])
    named["digests"] = tuple(named["digests"])
    return Request(**named)


def _folder(settings: Settings) -> Path:
    return settings.home / "erasures"


def _read_here(settings: Settings) -> Iterator[Request]:
    folder = _folder(settings)
    for path in folder.glob("*.json") if folder.is_dir() else ():
        yield _request(json.loads(path.read_text(encoding="utf-8")))


def _write_here(settings: Settings, request: Request) -> None:
    write_whole(_folder(settings) / f"{request.erasure_id}.json", json.dumps(asdict(request)))


def _of_ledger(connection: Connection) -> list[Request]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select
                erasure_id::text, reason, by_role, handed_to, evidence, asked_at,
                array(
                    select jsonb_build_array(taken_token, member_no, record_no) from intake.tombstones
                    where tombstones.erasure_id = erasures.erasure_id order by delivery_id, record_no
                ),
                array(
                    select digest from intake.erased_keys
                    where erased_keys.erasure_id = erasures.erasure_id order by digest
                )
            from intake.erasures
            """
        )
        names = ("erasure_id", "reason", "by_role", "handed_to", "evidence", "asked_at", "tombstones", "digests")
        found = [dict(zip(names, row, strict=True)) for row in cursor]
    return [_request({**said, "asked_at": said["asked_at"].isoformat()}) for said in found]
