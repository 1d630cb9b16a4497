"""A kill at any instant loses nothing and doubles nothing. Real processes, real signals.

Mend: the step that was cut is in frontdoor/delivery; what restarts processes is in frontdoor/platform/.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from typing import Any

import psutil
import pytest

from frontdoor import delivery
from frontdoor.contract import load_house
from frontdoor.prepare import prepare
from frontdoor.simulator.sample import sample_records
from tests.live import Live

ALL_PUBLISHED_WITHIN_SECONDS = 120


def _client_processes(live: Live, condition: str) -> list[int]:
    """Return the ids of the processes whose database session satisfies a condition on pg_stat_activity."""
    ports = {port for (port,) in live.rows(f"select client_port from pg_stat_activity where {condition}")}
    return [
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.pid and connection.laddr and connection.laddr.port in ports and connection.pid != os.getpid()
    ]


def test_task_killed_while_it_loads_is_done_again_from_the_start_of_that_file(live: Live) -> None:
    records = 40_000
    sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", records))
    killed: list[int] = []

    def loading() -> bool:
        killed[:] = _client_processes(live, "query ilike 'copy%police%' and state = 'active'")
        return bool(killed)

    live.wait_until(loading, 60, "the task to be loading")
    os.kill(killed[0], signal.SIGKILL)
    live.wait_until(lambda: live.published([sha256]) == 1, ALL_PUBLISHED_WITHIN_SECONDS, "the file to be published")
    ((loaded, distinct, attempts),) = live.rows(
        "select count(*), count(distinct _record_no), max(attempts) from raw.police"
        " join intake.deliveries on delivery_id = _delivery_id join intake.files using (file_id) where sha256_received = %s",
        (sha256,),
    )
    assert (loaded, distinct) == (records, records)
    assert attempts >= 2, "the kill came too late to test anything"


def test_scheduler_killed_while_fifty_files_land_leaves_the_same_as_an_undisturbed_run(
    live: Live, database: Any
) -> None:
    house = load_house()
    payloads = [
        sample_records(
            house, "wearside_police", "police", 20, seed=9_000 + n, break_rule="POL-020" if n % 5 == 0 else None
        )
        for n in range(50)
    ]
    hashes = [hashlib.sha256(payload).hexdigest() for payload in payloads]
    scheduler = live.process_id("scheduler")
    for number, payload in enumerate(payloads):
        live.land("wearside_police", "police", payload, name=f"burst-{number:02}.csv")
        if number == 25:
            os.kill(scheduler, signal.SIGKILL)
        time.sleep(0.05)
    live.wait_until(lambda: live.published(hashes) == 50, ALL_PUBLISHED_WITHIN_SECONDS, "50 files to be published")
    assert live.process_id("scheduler") != scheduler
    live.wait_until(lambda: _unsent(live, hashes) == 0, 60, "their messages to be sent")
    live.wait_until(lambda: sum(live.in_triage(each) for each in hashes) == 50 * 20, 60, "their records in triage")

    prepare(database.settings)
    for number, payload in enumerate(payloads):
        folder = database.settings.landing / "wearside_police" / "police"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f".{number}").write_bytes(payload)
        time.sleep(0.005)
        os.rename(folder / f".{number}", folder / f"burst-{number:02}.csv")
    time.sleep(database.settings.settle_seconds + 0.1)
    delivery.ingest(database.settings)

    undisturbed = Live(database.settings, None)
    for what, sql in _BUSINESS.items():
        here, there = live.rows(sql, {"hashes": hashes}), undisturbed.rows(sql, {"hashes": hashes})
        assert there, f"{what}: the undisturbed run has none"
        assert sorted(map(repr, here)) == sorted(map(repr, there)), what


def _unsent(live: Live, hashes: list[str]) -> int:
    return int(
        live.rows(
            "select count(*) from alerts.messages join intake.deliveries using (delivery_id)"
            " join intake.files on files.file_id = deliveries.file_id where sha256_received = any(%s) and sent_at is null",
            (hashes,),
        )[0][0]
    )


_OF_THESE = "join intake.deliveries using (delivery_id) join intake.files on files.file_id = deliveries.file_id"
# Ids and times differ from run to run; what a person reads does not.
_BUSINESS = {
    "raw records": """
        select sha256_received, _record_no, to_jsonb(police) - '{_delivery_id,_received_at}'::text[]
        from raw.police join intake.deliveries on delivery_id = _delivery_id join intake.files using (file_id)
        where sha256_received = any(%(hashes)s)
    """,
    "findings": f"""
        select sha256_received, record_no, rule_id, state
        from quality.findings {_OF_THESE}
        where sha256_received = any(%(hashes)s)
    """,
    "triage": f"""
        select sha256_received, record_no, sender_reference, is_open, is_withdrawn, defects, defect_count, worst_severity
        from worklists.triage {_OF_THESE}
        where sha256_received = any(%(hashes)s)
    """,
    "messages": f"""
        select sha256_received, recipient_role, regexp_replace(body, '[0-9a-f-]{{36}}|[dD]elivery [0-9]+|[0-9]{{2}}:[0-9]{{2}}|[A-Z]?[a-z]* ?[0-9]+ [A-Z][a-z]+ [0-9]{{4}}', '#', 'g')
        from alerts.messages {_OF_THESE}
        where sha256_received = any(%(hashes)s)
    """,
}


@pytest.mark.parametrize("process", ["triggerer", "dag-processor"])
def test_other_processes_killed_are_back_within_seconds(live: Live, process: str) -> None:
    before = live.process_id(process)
    meanwhile, afterwards = (live.sample("wearside_police", "police", 5) for _ in range(2))
    os.kill(before, signal.SIGKILL)
    # Nobody hears the bell of a file that lands now.
    hashes = [live.land("wearside_police", "police", meanwhile)]
    live.wait_until(lambda: live.process_id(process) not in (None, before), 30, f"a new {process}")
    hashes.append(live.land("wearside_police", "police", afterwards))
    live.wait_until(lambda: live.published(hashes) == 2, ALL_PUBLISHED_WITHIN_SECONDS, "both files to be published")
