"""What unit tests share."""

from collections.abc import Iterator
from typing import IO

import pytest

from frontdoor.intake.readers import rows


@pytest.fixture(autouse=True, scope="module")
def tallies_are_closed() -> Iterator[None]:
    """Close what the readers of these tests noted, which the loading does elsewhere."""
    files: list[IO[str]] = []

    def spool() -> IO[str]:
        files.append(make())
        return files[-1]

    make = rows._spool
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_spool", spool)
        yield
    for file in files:
        file.close()
