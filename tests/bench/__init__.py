"""The bars of the project, measured side by side in one run on this machine: ``make bench``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure beside its bar. ``met`` is None where there is no bar, only a fact worth printing."""

    what: str
    measured: str
    bar: str = ""
    met: bool | None = None
