"""Which members a file holds, and where; cheap enough to be asked when the file is taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from frontdoor.intake.content import Content, Place
from frontdoor.intake.contents import probe


@dataclass(frozen=True)
class Member:
    """Something in a file that can hold records; `refusal`: why nothing of it can be read (a key of the reasons)."""

    place: Place
    refusal: str | None = None


def look_into(path: Path, form: str | None) -> list[Member]:
    """Return the members of a file in their order, at least one. `form`: the format of the layout, if it is one's."""
    return [Member({}, probe.refusal(Content(path), form))]
