"""Postgres itself is killed at the worst moments, and an upload stalls and goes on: nothing is lost, nothing doubled.

Mend: what restarts the server is frontdoor/platform/supervisor.py; what was cut is told by the moment: intake/load.py (copy),
quality/ (judge), warehouse/builds.py (build), alerts/sending.py (send).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from frontdoor import database
from tests.live import Live

ALL_DONE_WITHIN_SECONDS = 120
# Enough that the moment lasts until it is seen: a COPY is the shortest of them.
RECORDS, RECORDS_TO_COPY = 12_000, 30_000

_DELIVERY = "intake.deliveries join intake.files using (file_id) where sha256_received = %(sha256)s"
# What is going on when the server is killed, as the server itself tells it.
MOMENTS = {
    "mid-copy": "select exists (select from pg_stat_activity where state = 'active' and query ilike 'copy%%raw%%police%%')",
    "mid-judge": f"select exists (select from {_DELIVERY} and deliveries.status = 'loaded')",
    "mid-build": f"""
        select exists (select from {_DELIVERY} and deliveries.status = 'published' and built_in is null)
        and exists (select from warehouse.builds where ended_at is null)
    """,
    # The mail folder is out of the way meanwhile, so that the message waits in the outbox.
    "mid-send": f"""
        select exists (
            select from alerts.messages where sent_at is null and attempts > 0
            and delivery_id in (select delivery_id from {_DELIVERY})
        )
    """,
}


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_server_killed_loses_and_doubles_nothing(live: Live, moment: str) -> None:
    records = RECORDS_TO_COPY if moment == "mid-copy" else RECORDS
    payload = live.sample("wearside_police", "police", records, break_rule="POL-020")
    with _mail_folder_away(live) if moment == "mid-send" else nullcontext():
        sha256 = live.land("wearside_police", "police", payload)
        live.wait_until(lambda: _is_true(live, MOMENTS[moment], sha256), 90, moment)
        server = live.process_id("database")
        assert server
        os.kill(server, signal.SIGKILL)
    live.wait_until(
        _again(lambda: live.published([sha256]) == 1),
        ALL_DONE_WITHIN_SECONDS,
        "the file to be published after the kill",
    )
    live.wait_until(
        _again(lambda: live.in_triage(sha256) == records), ALL_DONE_WITHIN_SECONDS, "every record in triage"
    )
    live.wait_until(_again(lambda: _messages(live, sha256)[0] == (1, 1)), 60, "its one message to be sent")
    assert live.process_id("database") != server
    ((loaded, distinct),) = live.rows(
        "select count(*), count(distinct _record_no) from raw.police"
        " join intake.deliveries on delivery_id = _delivery_id join intake.files using (file_id) where sha256_received = %s",
        (sha256,),
    )
    assert (loaded, distinct) == (records, records)
    ((findings,),) = live.rows(
        "select count(*) from quality.findings"
        f" where rule_id = 'POL-020' and delivery_id in (select delivery_id from {_DELIVERY})",
        {"sha256": sha256},
    )
    assert findings == 1


def test_upload_that_stalls_and_goes_on_after_it_was_taken_arrives_whole(live: Live) -> None:
    payload = live.sample("wearside_police", "police", 200)
    head, tail = payload[: len(payload) // 2], payload[len(payload) // 2 :]
    folder = live.settings.landing / "wearside_police" / "police"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stalled.csv").open("wb", buffering=0) as upload:
        upload.write(head)
        # Nobody may wait for ever for a writer who forgot the file: after a minute without a byte it is taken as it is.
        live.wait_until(lambda: _taken(live, len(head)) == 1, 150, "the stalled half to be taken")
        upload.write(tail)
    live.wait_until(lambda: _taken(live, len(payload)) == 1, ALL_DONE_WITHIN_SECONDS, "the whole file to be taken")
    # Those of the first half are listed as they came first: the whole file repeats them.
    listed = (
        "select count(distinct notification_ref) from raw.police"
        " join intake.deliveries on delivery_id = _delivery_id and size_bytes = %s"
        " where notification_ref in (select sender_reference from worklists.triage)"
    )
    live.wait_until(
        lambda: live.rows(listed, (len(payload),))[0][0] == 200, ALL_DONE_WITHIN_SECONDS, "all its records in triage"
    )


def _again(true: Callable[[], bool]) -> Callable[[], bool]:
    """Ask again while the server is away."""

    def asked() -> bool:
        try:
            return true()
        except Exception as error:
            if not database.is_away(error):
                raise
            time.sleep(0.2)
            return False

    return asked


@contextmanager
def _mail_folder_away(live: Live) -> Iterator[None]:
    folder = live.settings.mail_dir
    aside = folder.with_name("mail.aside")
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(aside)
    folder.write_text("A file where the folder should be.")
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


def _is_true(live: Live, question: str, sha256: str) -> bool:
    return bool(live.rows(question, {"sha256": sha256})[0][0])


def _messages(live: Live, sha256: str) -> list[tuple[int, int]]:
    return live.rows(
        "select count(*), count(sent_at) from alerts.messages"
        f" where delivery_id in (select delivery_id from {_DELIVERY})",
        {"sha256": sha256},
    )


def _taken(live: Live, size: int) -> int:
    return int(
        live.rows("select count(*) from intake.files where size_bytes = %s and source = 'police'", (size,))[0][0]
    )
