"""The profile `workers`: the scheduler sends tasks through Redis, and two workers take them."""

from __future__ import annotations

import time

from tests.containers.asked_of_both import *  # noqa: F403  the same is asked of either profile
from tests.containers.images import podman
from tests.containers.stack import LiveStack, Stack
from tests.e2e.test_a_file_lands import *  # noqa: F403  and all that is asked of a running platform

PROFILE = "workers"
PUBLISHED_BY_THE_OTHER_WITHIN_SECONDS = 90


def test_worker_killed_while_it_loads_is_replaced_by_the_other(stack: Stack, live: LiveStack) -> None:
    records = 30_000
    sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", records))
    workers = {stack.address(service): service for service in ("worker-1", "worker-2")}
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
    hashes = [live.land("wearside_police", "police", live.sample("wearside_police", "police", 5)) for _ in range(4)]
    live.wait_until(lambda: live.published(hashes) == 4, 60, "four files to be published")
    said = {service: podman("logs", "--tail", "2000", stack.container(service)) for service in ("worker-1", "worker-2")}
    assert any("execute_workload" in text or "Executing workload" in text for text in said.values())
    names = [
        name for (name,) in live.rows("select distinct surname from raw.police where surname is not null limit 20")
    ]
    assert names
    assert not [name for name in names for text in said.values() if name in text]


def test_worker_on_another_host_does_what_is_left_when_those_here_are_gone(stack: Stack, live: LiveStack) -> None:
    here = [stack.container(service) for service in ("worker-1", "worker-2")]
    with stack.worker_elsewhere() as elsewhere:
        podman("kill", "--signal", "KILL", *here)
        try:
            sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", 20))
            took = live.wait_until(lambda: live.published([sha256]) == 1, 120, "the worker elsewhere")
            print(f"published by a worker elsewhere {took:.0f} s after it landed")
            live.wait_until(lambda: live.in_triage(sha256) == 20, 60, "its records in triage")
            assert not any(map(stack.main_process, ("worker-1", "worker-2"))), "they came back, so nothing was shown"
            assert "execute_workload" in podman("logs", elsewhere)
        finally:
            podman("start", *here)
    stack.wait_until_well(120)
