"""The profile `workers`: the scheduler sends tasks through Redis, and two workers take them."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from tests.containers.asked_of_both import *  # noqa: F403  the same is asked of either profile
from tests.containers.images import podman
from tests.containers.stack import LiveStack, Stack
from tests.e2e.test_a_file_lands import *  # noqa: F403  and all that is asked of a running platform

PROFILE = "workers"
WORKERS = ("worker-1", "worker-2")
FEEDS = [("wearside_police", "police"), ("wearside_schools", "referral"), ("wearside_council", "visit")]
CANARY = "Quillfeather"
PUBLISHED_BY_THE_OTHER_WITHIN_SECONDS = 90


def test_worker_killed_while_it_loads_is_replaced_by_the_other(stack: Stack, live: LiveStack) -> None:
    records = 30_000
    sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", records))
    workers = {stack.address(service): service for service in WORKERS}
    loading: list[str] = []

    def is_loading() -> bool:
        loading[:] = [
            address
            for (address,) in live.rows(
                "select host(client_addr) from pg_stat_activity where query ilike 'copy%%police%%' and state = 'active'"
            )
        ]
        return bool(loading)

    live.wait_until(is_loading, 60, "a worker to be loading")
    killed = workers[loading[0]]
    podman("kill", "--signal", "KILL", stack.container(killed))  # unlike a crash this one is not started again
    since = time.monotonic()
    try:
        assert stack.main_process(killed) == 0
        live.wait_until(
            lambda: live.published([sha256]) == 1, PUBLISHED_BY_THE_OTHER_WITHIN_SECONDS, "the other worker"
        )
        print(f"published by the other worker {time.monotonic() - since:.0f} s after the kill")
        assert stack.main_process(killed) == 0, "it came back, so nothing was shown"
    finally:
        podman("start", stack.container(killed))
    ((loaded, distinct, attempts),) = live.rows(
        "select count(*), count(distinct _record_no), max(attempts) from raw.police"
        " join intake.deliveries on delivery_id = _delivery_id join intake.files using (file_id) where sha256_received = %s",
        (sha256,),
    )
    assert (loaded, distinct) == (records, records)
    assert attempts >= 2, "the kill came too late to test anything"


def test_both_workers_take_tasks_and_are_told_ids_alone(stack: Stack, live: LiveStack) -> None:
    said: dict[str, str] = {}

    def have_both_worked() -> bool:
        said.update({each: podman("logs", stack.container(each)) for each in WORKERS})
        return all("execute_workload" in text for text in said.values())

    login = 'REDISCLI_AUTH="$(sed -n "s/^requirepass //p" /secrets/redis.conf)"'
    listening = ["podman", "exec", stack.container("redis"), "sh", "-c", f"{login} timeout 45 redis-cli monitor"]
    with subprocess.Popen(listening, stdout=subprocess.PIPE, text=True) as broker:
        hashes = [live.land(*feed, live.sample(*feed, 5), name=f"{CANARY}-{n}.csv") for n, feed in enumerate(FEEDS * 2)]
        live.wait_until(lambda: live.published(hashes) == len(hashes), 60, "the files to be published")
        live.wait_until(have_both_worked, 60, "both workers to take a task")
        told = broker.communicate()[0]
    assert "feed_police" in told and "feed_referral" in told, "nothing was heard of what Redis is told"
    metadata = stack.execute("postgres", "pg_dump", "--username", "postgres", "--data-only", "airflow")
    assert "feed_police" in metadata and "celery_taskmeta" in metadata
    names = live.rows(
        "select distinct forename from raw.referral where length(forename) > 3 union select distinct surname from raw.referral"
        " where length(surname) > 3 union select distinct child_ref from raw.police where length(child_ref) > 3"
    )
    assert len(names) > 10
    for text in (told, metadata, *said.values()):
        assert CANARY not in text
        assert not [name for (name,) in names if re.search(rf"\b{re.escape(name)}\b", text)]


def test_workers_have_imported_what_tasks_want_before_they_fork(stack: Stack, live: LiveStack) -> None:
    def has_imported(service: str) -> bool:
        """Pandas comes with Great Expectations, and with nothing that Airflow imports by itself."""
        return any("/pandas/_libs/" in Path(f"/proc/{pid}/maps").read_text() for pid in stack.processes(service))

    assert all(map(has_imported, WORKERS))
    assert not has_imported("triggerer")


def test_worker_on_another_host_does_what_is_left_when_those_here_are_gone(stack: Stack, live: LiveStack) -> None:
    here = [stack.container(service) for service in WORKERS]
    with stack.worker_elsewhere() as elsewhere:
        podman("kill", "--signal", "KILL", *here)
        try:
            sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", 20))
            took = live.wait_until(lambda: live.published([sha256]) == 1, 120, "the worker elsewhere")
            print(f"published by a worker elsewhere {took:.0f} s after it landed")
            live.wait_until(lambda: live.in_triage(sha256) == 20, 60, "its records in triage")
            assert not any(map(stack.main_process, WORKERS)), "they came back, so nothing was shown"
            assert "execute_workload" in podman("logs", elsewhere)
        finally:
            podman("start", *here)
    stack.wait_until_well(120)
