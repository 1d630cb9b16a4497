"""Where the archive lies: a folder, or a place in an object store that workers on several hosts can read (fsspec).

A volume keeps named bytes whole or not at all. What it is given is sealed already: also the passing copies that an
object store needs here hold nothing that can be read, and have no name.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from frontdoor.files import sync_folder
from frontdoor.settings import Settings

Told = TypeVar("Told")

# The packages that fsspec needs for a kind of address; `make stores` installs those of the lock.
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}
_OF_AWS = "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else its library takes"
_OF_AZURE = "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and a credential"
TOLD_BY = {"s3": _OF_AWS, "s3a": _OF_AWS, "abfs": _OF_AZURE, "abfss": _OF_AZURE, "az": _OF_AZURE}
# Parts of a large object in flight at once, 50 MB each: the store's own default of ten would fill the memory.
OPTIONS: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": 2}, "s3a": {"max_concurrency": 2}}


class VolumeAway(OSError):
    """An object store that does not answer, refuses us, or needs a package that is not installed."""

    is_safe_to_show = True


def why(error: OSError) -> str:
    """Return what may be said of a failure: never the error's own text, which quotes the name of a file."""
    if isinstance(error, VolumeAway):
        return str(error)
    # A store's own library tells these two by their class alone.
    number = error.errno or {PermissionError: errno.EACCES, FileNotFoundError: errno.ENOENT}.get(type(error))
    return os.strerror(number) if number and number > 0 else type(error).__name__


class Volume(Protocol):
    """A place that keeps named bytes."""

    def write(self, name: str, fill: Callable[[int], Told]) -> Told:
        """Keep what `fill` writes to the descriptor that it is given, over what was there; return what it returns."""

    def open(self, name: str) -> int:
        """Return a descriptor of the bytes, which the caller closes. Raises `FileNotFoundError`."""

    def head(self, name: str, size: int) -> bytes | None:
        """Return the first bytes; None where nothing has that name."""

    def delete(self, name: str) -> bool:
        """Let go of the bytes; False where there are none."""

    def names(self) -> Iterator[str]:
        """Yield the name of everything that is kept, in no order."""

    def sizes(self) -> dict[str, int]:
        """Return the length of everything that is kept, by name."""

    def sweep(self) -> None:
        """Let go of what kills left unfinished; nobody may be writing."""


def of_archive(settings: Settings) -> Volume:
    """Return the volume of the archive."""
    if settings.archive_url is None:
        return Folder(settings.archive)
    return Store(settings.archive_url, settings.home / "run" / "passing")


@dataclass(frozen=True)
class Folder:
    """A folder: written under a temporary name, forced to disk, renamed, and the folder forced to disk."""

    path: Path

    def write(self, name: str, fill: Callable[[int], Told]) -> Told:
        """Keep what is filled in. What a kill leaves unfinished is written over by the next under the same name."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.path / f".{name}"
        copy = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            told = fill(copy)
            os.fsync(copy)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()  # a full disk has no room for half a file
            raise
        finally:
            os.close(copy)
        place = self._place(name)
        if not place.parent.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.path)
        os.replace(unfinished, place)
        sync_folder(place.parent)
        return told

    def open(self, name: str) -> int:
        """Open the file."""
        return os.open(self._place(name), os.O_RDONLY)

    def head(self, name: str, size: int) -> bytes | None:
        """Read its beginning."""
        try:
            with self._place(name).open("rb") as file:
                return file.read(size)
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> bool:
        """Delete the file, and what an unfinished attempt left of it."""
        place = self._place(name)
        (self.path / f".{name}").unlink(missing_ok=True)
        try:
            place.unlink()
        except FileNotFoundError:
            return False
        sync_folder(place.parent)
        return True

    def names(self) -> Iterator[str]:
        """List the folders."""
        if self.path.is_dir():
            for folder in self.path.iterdir():
                if folder.is_dir():
                    yield from (each.name for each in folder.iterdir())

    def sizes(self) -> dict[str, int]:
        """Look at the files."""
        found = {}
        for name in self.names():
            with suppress(FileNotFoundError):  # gone since
                found[name] = self._place(name).stat().st_size
        return found

    def sweep(self) -> None:
        """Delete the files under temporary names."""
        for unfinished in self.path.glob(".*"):
            if unfinished.is_file():
                unfinished.unlink()

    def _place(self, name: str) -> Path:
        return self.path / name[:2] / name


@dataclass(frozen=True)
class Store:
    """A place in an object store. `passing`: a folder here for copies on their way, which have no name."""

    url: str
    passing: Path

    def write(self, name: str, fill: Callable[[int], Told]) -> Told:
        """Keep what is filled in: an object is there when all of it has arrived."""
        with self._nameless() as copy:
            told = fill(copy)
            with answering():
                system, root = connect(self.url)
                os.lseek(copy, 0, os.SEEK_SET)
                system.put_file(f"/dev/fd/{copy}", self._place(root, name))
                system.invalidate_cache()
                if system.size(self._place(root, name)) != os.fstat(copy).st_size:
                    raise VolumeAway("the object is not as long as what was sent")
        return told

    def open(self, name: str) -> int:
        """Bring the object here, into a file without a name."""
        with answering():
            system, root = connect(self.url)
            with self._nameless() as copy:
                with system.open(self._place(root, name), "rb", cache_type="readahead") as file:
                    while block := file.read(2**20):
                        write_all(copy, block)
                return os.dup(copy)

    def head(self, name: str, size: int) -> bytes | None:
        """Ask for its beginning."""
        try:
            with answering():
                system, root = connect(self.url)
                return bytes(system.cat_file(self._place(root, name), 0, size))
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> bool:
        """Delete the object."""
        try:
            with answering():
                system, root = connect(self.url)
                system.invalidate_cache()
                was_there = bool(system.exists(self._place(root, name)))
                if was_there:
                    system.rm_file(self._place(root, name))
                return was_there
        except FileNotFoundError:
            return False

    def names(self) -> Iterator[str]:
        """List the store."""
        yield from self.sizes()

    def sizes(self) -> dict[str, int]:
        """List the store, which tells lengths at the same price."""
        with answering():
            system, root = connect(self.url)
            system.invalidate_cache()
            found = system.find(root, detail=True)
        return {path.rsplit("/", 1)[-1]: int(told["size"] or 0) for path, told in found.items()}

    def sweep(self) -> None:
        """Nothing: what is on its way has no name, and an object is there when all of it is."""

    @contextmanager
    def _nameless(self) -> Iterator[int]:
        self.passing.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.passing, buffering=0) as file:
            yield file.fileno()

    def _place(self, root: str, name: str) -> str:
        return f"{root}/{name[:2]}/{name}"


def connect(url: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it.

    Raises `VolumeAway` where a package is missing, or what the store's own library must be told (which account it is).
    """
    import fsspec  # a tenth of a second that a folder does not need

    scheme = url.split("://", 1)[0]
    if scheme not in PACKAGES:
        raise VolumeAway(f"nothing here can read {scheme}:// addresses")
    try:
        system, root = fsspec.core.url_to_fs(url, **OPTIONS.get(scheme, {}))
    except ImportError:
        raise VolumeAway(f"{scheme}:// needs the package {PACKAGES[scheme]}: make stores") from None
    except ValueError:  # what it says may quote a secret
        raise VolumeAway(f"{PACKAGES[scheme]} is not told how to reach {scheme}://: {TOLD_BY[scheme]}") from None
    _give_up_sooner(system)
    return system, root.rstrip("/")


def _give_up_sooner(system: Any) -> None:
    """Let Azure's library say within seconds that nobody answers: by itself it tries for nearly three minutes.

    adlfs hands no options on to it; look here again when it does.
    """
    with suppress(AttributeError):
        policy = system.service_client._config.retry_policy
        policy.total_retries, policy.initial_backoff, policy.increment_base = 2, 1, 2


def must_be_there(url: str, system: Any, root: str) -> None:
    """Raise `VolumeAway` for a place that was listed as empty and does not exist, as after a slip in its address.

    Azure's library makes no difference between the two; S3's raises by itself, and may be allowed to list alone.
    """
    container = root.partition("/")[0]
    if PACKAGES[url.split("://", 1)[0]] == "adlfs" and not system.exists(container):
        raise VolumeAway(f"there is no container {container}")


@contextmanager
def answering() -> Iterator[None]:
    """Turn whatever a store's own library raises into an error that says: later, perhaps."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise VolumeAway(f"the object store did not do it ({type(error).__name__})") from None


def write_all(file: int, block: bytes) -> None:
    """Write a block to a descriptor, whole."""
    view = memoryview(block)
    while view:
        view = view[os.write(file, view) :]
