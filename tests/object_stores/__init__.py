"""Object stores on loopback, whose addresses the platform is then given: S3's kind (moto), and Azure's (Azurite).

Their packages: make stores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import ModuleType

from tests.object_stores import azure, s3

KINDS = ("s3", "azure")
# The beginnings of all variables that say where a store is and who we are to it.
SETTINGS = ("AWS_", "AZURE_")


@dataclass(frozen=True)
class ObjectStore:
    """An empty bucket, or container, that this process and children of it can reach at `url`, by `SETTINGS`."""

    url: str
    of: ModuleType

    def away(self) -> AbstractContextManager[None]:
        """Let nothing answer at its address."""
        context: AbstractContextManager[None] = self.of.away()
        return context

    def as_file(self) -> str:
        """What its library wants to know, as a file of FSSPEC_CONFIG_DIR says it."""
        return json.dumps(self.of.told())

    def put(self, url: str | None, key: str, content: bytes, *, folder: bool = False) -> None:
        """Put an object under `url`, which lies in this store, with the maker's own library and not with ours.

        folder: the placeholder by which such a store keeps a folder.
        """
        bucket, _, prefix = (url or "").split("://", 1)[1].partition("/")
        self.of.put(bucket, f"{prefix}/{key}", content, folder)


@contextmanager
def object_store(kind: str) -> Iterator[ObjectStore]:
    """Yield one of `KINDS`; the test that asks is skipped where its packages are not installed."""
    module = {"s3": s3, "azure": azure}[kind]
    with module.bucket() as url:
        yield ObjectStore(url, module)
