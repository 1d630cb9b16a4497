"""Sealed papers beside the files in the archive: what must outlive the database and this home, as small documents.

    .taken      who sent a file, when, and what we call it (`intake.journal`)
    .erased     a request to erase a child (`delivery.erasing.kept`)
    .counted    what was counted of records that are gone since (`delivery.counted`)
    .past       what the ledger says of a file that is past its time (`delivery.past`)

A paper is written wholly or not at all, over what was there. It is no file that was sent: `archive.each` names none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from frontdoor.intake import archive_keys, sealing, volumes
from frontdoor.settings import Settings

TAKEN, ERASED, COUNTED, PAST = ".taken", ".erased", ".counted", ".past"
KINDS = (TAKEN, ERASED, COUNTED, PAST)
# A note follows its file, and a backup takes it for each file that it names; these belong to no file.
BY_THEMSELVES = (ERASED, COUNTED, PAST)


@dataclass(frozen=True)
class Paper:
    """One that was opened: what it says, and the key that sealed it."""

    said: dict[str, Any]
    key_id: str


def is_one(name: str, *kinds: str) -> bool:
    """Tell a paper (of these kinds, or of any) from a file, by what the archive calls it."""
    return name.endswith(kinds or KINDS)


def names(settings: Settings, kind: str) -> Iterator[str]:
    """Yield what every paper of a kind is about, in no order."""
    every = volumes.of_archive(settings).names()
    yield from (name.removesuffix(kind) for name in every if name.endswith(kind))


def write(settings: Settings, kind: str, about: str, said: Mapping[str, Any]) -> None:
    """Write a paper, sealed with the key of today."""
    key = archive_keys.sealing(settings, lambda: False)
    text = json.dumps(dict(said)).encode()

    def fill(copy: int) -> None:
        for part in sealing.seal([text], key):
            volumes.write_all(copy, part)

    volumes.of_archive(settings).write(about + kind, fill)


def read(settings: Settings, kind: str, about: str) -> Paper | None:
    """Open a paper; None where there is none. Raises `Damaged` or `KeyMissing`."""
    try:
        file = volumes.of_archive(settings).open(about + kind)
    except FileNotFoundError:
        return None
    try:
        sealed = sealing.Sealed(file, archive_keys.opening(settings))
        with closing(sealed.open()) as content:
            return Paper(json.loads(content.read()), sealed.key_id)
    finally:
        os.close(file)


def forget(settings: Settings, kind: str, about: str) -> bool:
    """Let go of a paper; False where there is none."""
    return volumes.of_archive(settings).delete(about + kind)


def seal_anew(settings: Settings) -> int:
    """Seal papers that belong to no file with the key of today; return how many do not open."""
    key, closed = archive_keys.sealing(settings, lambda: False), 0
    for kind in BY_THEMSELVES:
        for about in list(names(settings, kind)):
            try:
                paper = read(settings, kind, about)
            except (sealing.Damaged, sealing.KeyMissing):
                closed += 1
                continue
            if paper and paper.key_id != key.key_id:
                write(settings, kind, about, paper.said)
    return closed
