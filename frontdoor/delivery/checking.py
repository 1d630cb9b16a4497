"""The verdict before sending: a file goes the whole way in a database that is thrown away, and nobody is told.

The way is the pipeline's own: taken, loaded, read, judged, by the same functions. Two things are left out because they
cannot be known here: what rules of scope history hold a file against, and whether it is a repeat of another. Nothing is
built, no message leaves the outbox, and no receipt is issued.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from frontdoor import database, intake, receipts
from frontdoor.contract import House, load_house
from frontdoor.delivery import lanes
from frontdoor.intake import archive, journal
from frontdoor.prepare import prepare
from frontdoor.settings import Settings

NOT_KNOWN = ("history",)
# From best to worst.
VERDICTS = ("accepted", "accepted_with_findings", "partly_read", "unreadable")
_LEDGER = (
    *("intake.files", "intake.members", "intake.deliveries", "intake.delivery_events", "alerts.messages"),
    *("quality.findings", "quality.check_results", "quality.dead_letters", "raw.unmapped_labels"),
)


class NotTaken(RuntimeError):
    """The file could not be copied into the throw-away home; nothing was checked."""

    is_safe_to_show = True


@dataclass(frozen=True)
class Checked:
    """What the pipeline would say of a file. ``receipts``: one for each part that it reads.

    ``reason``: why nothing of it is read, where there is no part. ``parts_ignored``: sheets or members of no feed.
    """

    receipts: list[dict[str, Any]] = field(default_factory=list)
    reason: str | None = None
    parts_ignored: int = 0

    @property
    def verdict(self) -> str:
        """The worst verdict of its parts."""
        return max((each["verdict"] for each in self.receipts), key=VERDICTS.index, default=VERDICTS[-1])

    @property
    def must_be_mended(self) -> bool:
        """Whether something critical was found, or something could not be read."""
        return self.verdict in VERDICTS[2:] or any(
            rule["failed"] and rule["severity"] == "critical" for each in self.receipts for rule in each["rules"]
        )


@contextmanager
def checker(settings: Settings) -> Iterator[Checker]:
    """Yield what checks files in an empty database that nobody else uses. Raises `DatabaseUnavailable`."""
    prepare(settings, with_marts=False)
    connection = database.connect(settings, application_name="frontdoor check")
    try:
        yield Checker(connection, settings, load_house())
    finally:
        connection.close()


@dataclass(frozen=True)
class Checker:
    """Checks file after file; none of them knows of another."""

    connection: Connection
    settings: Settings
    house: House

    def check(self, file: Path, agency: str, source: str) -> Checked:
        """Say what would come of a file if this agency sent it by this feed or layout.

        Raises `NotTaken` where there is no room for it, and what the database raises when it is away.
        """
        self._forget()
        self._land(file, agency, source)
        if intake.take(self.connection, self.settings, self.house, agency=agency, source=source) != 1:
            raise NotTaken("The file could not be taken, and was not checked: is there room in the temporary folder?")
        layout = self.house.layouts.get(source)
        for feed in layout.feeds if layout else (source,):
            lanes.advance(self.connection, self.settings, self.house, feed, without=NOT_KNOWN)
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("select delivery_id from intake.deliveries order by delivery_id")
            delivery_ids = [delivery_id for (delivery_id,) in cursor]
            cursor.execute("select reason, (select count(*) from intake.members where feed is null) from intake.files")
            ((reason, ignored),) = cursor.fetchall()
            made = receipts.documents(self.connection, self.house, delivery_ids)
        return Checked([receipts.unsent(each) for each in made], None if made else reason, ignored)

    def _land(self, file: Path, agency: str, source: str) -> None:
        """Put a copy into the landing zone, in one rename, under a name of ours: the sender's may name a child."""
        folder = self.settings.landing / agency / source
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / ".file")
            # A last write older than the rename proves the file whole, also where both fall into one tick of the clock.
            written = (folder / ".file").stat()
            os.utime(folder / ".file", ns=(written.st_atime_ns, written.st_mtime_ns - 1_000_000_000))
            os.rename(folder / ".file", folder / "file")
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise NotTaken(f"The file could not be copied, and was not checked: {why}") from None

    def _forget(self) -> None:
        """Empty ledger, landing tables and archive, where another file was checked before."""
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("select exists (select from intake.files)")
            if cursor.fetchone() != (True,):
                return
            raw = [f"raw.{feed}{kind}" for feed in self.house.feeds for kind in ("", "_read")]
            tables = sql.SQL(", ").join(sql.Identifier(*name.split(".")) for name in (*_LEDGER, *raw))
            cursor.execute(sql.SQL("truncate {} restart identity cascade").format(tables))
        for name in list(archive.each(self.settings)):
            archive.delete(self.settings, name)
        for token in list(journal.tokens(self.settings)):
            journal.forget(self.settings, token)
