"""Failures of the backup's place and of the archive, in words: which of them, what could not be done, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from frontdoor.intake.volumes import Told, Volume, why
from frontdoor.keeping.tools import KeepingError

PLACE, ARCHIVE = "the backup's place", "the archive"


@contextmanager
def spoken(role: str, wish: str, *, may_be_absent: bool = False) -> Iterator[None]:
    """Turn what the system says of a failure into a sentence on that role.

    may_be_absent: what is not there is no failure of it, and stays a `FileNotFoundError`.
    """
    try:
        yield
    except OSError as error:
        if may_be_absent and isinstance(error, FileNotFoundError):
            raise
        raise KeepingError(f"{role} cannot be {wish}: {why(error)}") from None


def read_of(role: str, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks; one that cannot be read is not blamed on where it was to be written."""
    with spoken(role, "read"):
        yield from blocks


@dataclass(frozen=True)
class Spoken:
    """A volume that says its failures so."""

    volume: Volume
    role: str

    def write(self, name: str, fill: Callable[[int], Told]) -> Told:
        """Write."""
        with spoken(self.role, "written"):
            return self.volume.write(name, fill)

    def open(self, name: str) -> int:
        """Open. Raises `FileNotFoundError`."""
        with spoken(self.role, "read", may_be_absent=True):
            return self.volume.open(name)

    def head(self, name: str, size: int) -> bytes | None:
        """Read the beginning."""
        with spoken(self.role, "read"):
            return self.volume.head(name, size)

    def delete(self, name: str) -> bool:
        """Delete."""
        with spoken(self.role, "cleared"):
            return self.volume.delete(name)

    def names(self) -> Iterator[str]:
        """List."""
        with spoken(self.role, "read"):
            yield from self.volume.names()

    def sizes(self) -> dict[str, int]:
        """List with lengths."""
        with spoken(self.role, "read"):
            return self.volume.sizes()

    def sweep(self) -> None:
        """Let go of what kills left unfinished."""
        with spoken(self.role, "cleared"):
            self.volume.sweep()
