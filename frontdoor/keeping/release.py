"""Which release this code is: the version, and the migrations that stand beside it."""

from __future__ import annotations

import frontdoor
from frontdoor.warehouse.schema import MIGRATIONS


def release() -> str:
    """Return the version."""
    return frontdoor.__version__


def migrations() -> set[str]:
    """Return the names of all migrations of this release."""
    return {path.name for path in MIGRATIONS.glob("[0-9]*.sql")}
