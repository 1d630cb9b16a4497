"""What lies in a place: every copy, and whether it is still what was put there. Wants no database and no key."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from frontdoor.intake.volumes import Volume
from frontdoor.keeping import place as places
from frontdoor.keeping.manifest import Manifest, Part
from frontdoor.keeping.spoken import PLACE, read_of
from frontdoor.settings import Settings


@dataclass(frozen=True)
class Listed:
    """One copy. manifest: None where it cannot be read. lacking: what of it is gone, or of another length."""

    backup_id: str
    manifest: Manifest | None
    lacking: int


@dataclass(frozen=True)
class Verified:
    """A copy of which every byte was read. damaged: what is not as it was put there, by its path in the place."""

    manifest: Manifest
    read_bytes: int
    damaged: list[str]


def listed(settings: Settings, where: str) -> list[Listed]:
    """Return every copy in that place, the newest first. Raises `KeepingError`."""
    place = places.at(settings, where)
    manifests, _ = place.readable()
    dumped, archived = place.database.sizes(), place.archive.sizes()
    found = []
    for backup_id in reversed(place.backups()):
        manifest = manifests.get(backup_id)
        lacking = _other_length(manifest.parts, dumped) + _other_length(manifest.files, archived) if manifest else 0
        found.append(Listed(backup_id, manifest, lacking))
    return found


def verify(settings: Settings, where: str, backup_id: str | None = None) -> Verified:
    """Read all of the newest copy in that place, or of that one. Raises `KeepingError`."""
    place = places.at(settings, where)
    manifest = place.chosen(backup_id)
    damaged, size = [], 0
    for folder, volume, kept in (
        ("database", place.database, manifest.parts),
        ("archive", place.archive, manifest.files),
    ):
        damaged += [f"{folder}/{each.kept_as[:2]}/{each.kept_as}" for each in kept if not _is_whole(volume, each)]
        size += sum(each.size_bytes for each in kept)
    return Verified(manifest, size, damaged)


def _is_whole(volume: Volume, each: Part) -> bool:
    """Tell whether it lies there as it was put there."""
    try:
        file = volume.open(each.kept_as)
    except FileNotFoundError:
        return False
    try:
        return measured(file) == (each.sha256, each.size_bytes)
    finally:
        os.close(file)


def measured(file: int) -> tuple[str, int]:
    """Return the SHA-256 and the length of what an open file (a descriptor) holds."""
    digest, size = hashlib.sha256(), 0
    for block in read_of(PLACE, places.blocks_of(file)):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def _other_length(parts: list[Part], there: dict[str, int]) -> int:
    return sum(there.get(each.kept_as) != each.size_bytes for each in parts)
