"""A signed nil return: a file that says ``nil_signed_by: duty sergeant``, and holds no record.

In delimited text and in a sheet the words stand in a line above the headers, or are all that there is; in JSON they
stand beside an empty list, or are the only object. In a line they may be one cell or two. A filler signs nothing. What
is kept is the role as it was typed, short; who holds it is the sender's to know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from frontdoor import reference
from frontdoor.intake.readers.headers import normalised

NAME = "nil_signed_by"
# Records came although the file says that there are none.
WITH_RECORDS = "FIL-042"
LONGEST_ROLE = 60
# The name and the role, in which a comma may stand; a line with more in it is taken for a record.
MOST_CELLS = 3
_SAID = re.compile(r"[\s\ufeff#\"']*nil[ _-]signed[ _-]by\b[\s:=,;|]*(.*?)[\s\"']*", re.IGNORECASE | re.DOTALL)


def signed_by(cells: Sequence[str]) -> str | None:
    """Return the role that signs in a line; "" where the line asks for one and none is given; None: another line."""
    said = [cell for cell in cells if cell.strip()]
    found = _SAID.fullmatch(said[0]) if said else None
    if found is None or len(said) > MOST_CELLS:
        return None
    return role(", ".join(each.strip() for each in (found[1], *said[1:]) if each))


def role(text: str) -> str:
    """Return a role as it is kept; "" for what names none."""
    said = " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LONGEST_ROLE].strip()
    is_filler = said.casefold() in reference.fillers_for(NAME, "string")
    return said if normalised(said) and any(map(str.isalpha, said)) and not is_filler else ""
