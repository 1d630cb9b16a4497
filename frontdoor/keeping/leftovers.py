"""What a copy that was killed left on this disk: a dump in plain, which no erasure would find."""

from __future__ import annotations

from contextlib import closing

from frontdoor import database
from frontdoor.files import remove_folder
from frontdoor.keeping import backup, restore
from frontdoor.settings import Settings

# Where each works, under the lock that it holds meanwhile.
PLACES = {backup.SCRATCH: "backup", restore.SCRATCH: "restore"}


def clear(settings: Settings) -> int:
    """Let go of what nobody works on any more; return of how many copies that was."""
    left = {
        lock: settings.home / "run" / name for name, lock in PLACES.items() if (settings.home / "run" / name).exists()
    }
    cleared = 0
    if left:
        with closing(database.connect(settings, application_name="frontdoor leftovers")) as connection:
            for lock, folder in left.items():
                with database.advisory_lock(connection, lock, wait=False) as is_ours:
                    if is_ours:
                        cleared += remove_folder(folder)
    return cleared
