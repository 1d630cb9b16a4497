"""Which release this code is: the version, and the migrations that stand beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from frontdoor.warehouse.schema import MIGRATIONS

_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def release() -> str:
    """Return the version in pyproject.toml."""
    try:
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])
    except OSError:
        return "unknown"


def migrations() -> set[str]:
    """Return the names of all migrations of this release."""
    return {path.name for path in MIGRATIONS.glob("[0-9]*.sql")}
