"""What a copy holds: hashes, counts, and the point up to which everything is in it. No value of a record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from frontdoor.keeping.tools import KeepingError

FORMAT = 1


class Unreadable(KeepingError):
    """A manifest that is damaged, or of a release to come: what it names is not known."""


@dataclass(frozen=True)
class Part:
    """Something that is kept: its name here, the hash and length of its bytes as they lie here.

    name: in the archive, or in the dump.
    """

    name: str
    kept_as: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """One copy. taken_at: of the snapshot. migrations: those applied. counts: rows by table. key_ids: wanted to open.

    last_published: delivery_id and published_at of the last delivery in it, or None. lost_before: archived files that
    the ledger names and that the archive itself did not hold. landing: files that waited to be taken, in no copy.
    """

    backup_id: str
    taken_at: str
    release: str
    server_major: int
    tools_major: int
    migrations: list[str]
    parts: list[Part]
    files: list[Part]
    counts: dict[str, int]
    key_ids: list[str]
    dump_key_id: str
    last_published: dict[str, Any] | None
    last_delivery_id: int
    lost_before: list[str]
    landing: int
    unsent: int
    format: int = FORMAT

    @property
    def at(self) -> datetime:
        """The instant of the snapshot."""
        return datetime.fromisoformat(self.taken_at)


def write(manifest: Manifest) -> bytes:
    """Return the document."""
    return json.dumps(asdict(manifest), indent=1).encode() + b"\n"


def read(document: bytes) -> Manifest:
    """Read a document. Raises `Unreadable` where it is none, or of a release to come."""
    try:
        told = json.loads(document)
        if told["format"] > FORMAT:
            raise Unreadable("a newer release made this backup: restore it with that release")
        told["parts"] = [Part(**each) for each in told["parts"]]
        told["files"] = [Part(**each) for each in told["files"]]
        return Manifest(**told)
    except (ValueError, KeyError, TypeError):
        raise Unreadable("the manifest of this backup cannot be read") from None
