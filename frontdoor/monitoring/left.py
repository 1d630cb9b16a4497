"""What a receiver of lineage did not take, in HOME/run: what is refused or not answered must hold nothing else up.

By subject (a move, a build, the project): how often it was refused, when it is tried again, how often nobody answered,
and which of its events were taken. Who loses the file tells some events again, and tries others sooner.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from frontdoor import clock
from frontdoor.files import write_whole

log = logging.getLogger(__name__)

# Refused: at once in the next two runs, then after 2, 4, 8 ... minutes.
AT_ONCE = 2
RAREST = timedelta(hours=1)
# That is about a week, after which nothing is told any more.
MOST_TRIES = 170
# Not answered so often: it may be this one to which there is no answer, and the others go first.
MOST_SILENCES = 5

Key = tuple[str, int, str, datetime]


class Left:
    """The content of the file; `write` puts it back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._known: dict[str, dict[str, Any]] = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            self._known = {}

    def rests(self) -> set[str]:
        """Return the subjects that are not to be tried now."""
        now = clock.now()
        return {name for name, each in self._known.items() if datetime.fromisoformat(each["again_at"]) > now}

    def goes_last(self) -> set[str]:
        """Return the subjects that are tried when all others were."""
        return {name for name in self._known if self.silences(name)}

    def silences(self, name: str) -> int:
        """Tell how often there was no answer to a subject, beyond what may be the receiver's fault."""
        return max(0, int(self._known.get(name, {}).get("silences", 0)) - MOST_SILENCES)

    def was_taken(self, name: str, number: int) -> bool:
        """Tell whether the receiver has this event of a subject."""
        return number in self._known.get(name, {}).get("taken", [])

    def took(self, name: str, number: int) -> None:
        """Keep in mind that it has."""
        self._of(name)["taken"].append(number)

    def refused(self, name: str) -> bool:
        """Try a subject later; False when it was tried often enough."""
        each = self._of(name)
        each["tries"] += 1
        wait = timedelta(minutes=2 ** min(each["tries"] - AT_ONCE, 10)) if each["tries"] > AT_ONCE else timedelta()
        each["again_at"] = (clock.now() + min(wait, RAREST)).isoformat()
        return bool(each["tries"] < MOST_TRIES)

    def not_answered(self, name: str) -> None:
        """Count a silence."""
        self._of(name)["silences"] += 1

    def forget(self, name: str) -> None:
        """Forget a subject: all of it was taken, or it was given up."""
        self._known.pop(name, None)

    def write(self, oldest: timedelta) -> None:
        """Put the file back without what is so old that nobody tells it any more."""
        since = (clock.now() - oldest).isoformat()
        kept = {name: each for name, each in self._known.items() if each["again_at"] > since}
        try:
            write_whole(self.path, json.dumps(kept))
        except OSError as error:
            log.warning("which events of lineage were refused could not be kept: %s", type(error).__name__)

    def _of(self, name: str) -> dict[str, Any]:
        return self._known.setdefault(
            name, {"tries": 0, "silences": 0, "again_at": clock.now().isoformat(), "taken": []}
        )


def name_of(key: Key) -> str:
    """Return by what a subject is known here: the project by what it is made of, whenever."""
    subject, number, step, at = key
    return f"{subject}/{step}" if subject == "project" else f"{subject}/{number}/{step}/{at.isoformat()}"
