"""What is asked of either profile: up in time, small, closed to others, and nothing lost whatever is killed.

Mend: the services stand in docker/compose.yaml, each part's start and health in frontdoor/platform/serving.py.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from contextlib import suppress

import psutil

from tests.containers import images
from tests.containers.images import podman
from tests.containers.stack import LiveStack, Stack

FIRST_PUBLISHED_WITHIN_SECONDS = 180
IDLE_MEMORY_BYTES = 2.5 * 2**30
ALL_PUBLISHED_WITHIN_SECONDS = 240
FILES, RECORDS = 50, 20


def test_first_delivery_is_published_within_three_minutes_of_up(stack: Stack, live: LiveStack) -> None:
    sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", 25))
    live.wait_until(lambda: live.published([sha256]) == 1, 120, "the first file to be published")
    took = time.monotonic() - stack.started_at
    print(f"{stack.profile}: from `up` to the first published delivery {took:.0f} s")
    assert took < FIRST_PUBLISHED_WITHIN_SECONDS
    live.wait_until(lambda: live.in_triage(sha256) == 25, 60, "its records in triage")


def test_idle_memory_is_below_two_and_a_half_gigabytes(stack: Stack, live: LiveStack) -> None:
    live.wait_until(
        lambda: live.rows("select count(*) from warehouse.builds where ended_at is null") == [(0,)], 60, "rest"
    )
    held = stack.memory_bytes()
    print(f"{stack.profile}: {held / 2**30:.2f} GB in all, shared pages counted once")
    assert 2**28 < held < IDLE_MEMORY_BYTES


def test_nothing_listens_but_the_page_on_loopback(stack: Stack, live: LiveStack) -> None:
    published = {
        (each["HostIp"], port)
        for service in stack.services()
        for port, where in (
            json.loads(podman("inspect", stack.container(service)))[0]["HostConfig"]["PortBindings"] or {}
        ).items()
        for each in where
    }
    assert published == {("127.0.0.1", "8080/tcp")}
    listening = {
        c.laddr.ip
        for c in psutil.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN and c.laddr.port == stack.port
    }
    assert listening == {"127.0.0.1"}


def test_page_wants_a_login(stack: Stack, live: LiveStack) -> None:
    password = json.loads((stack.volume("secrets") / "airflow_admin.json").read_text(encoding="utf-8"))["admin"]

    def answer(given: str) -> int:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{stack.port}/auth/token",
            data=json.dumps({"username": "admin", "password": given}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as answered:
                return int(answered.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert answer(password) == 201
    assert answer("wrong") == 401


def test_parts_run_without_rights_and_cannot_write_into_their_image(stack: Stack, live: LiveStack) -> None:
    for service in set(stack.services()) - {"postgres", "redis"}:
        assert stack.execute(service, "id", "-u") == "10001", service
        said = stack.execute(
            service, "sh", "-c", "touch /opt/frontdoor/app/x /usr/x /x 2>&1; grep CapEff /proc/self/status", check=False
        )
        assert said.count("Read-only file system") == 3, service
        assert said.endswith("0000000000000000"), service


def test_secrets_stand_in_files_alone(stack: Stack, live: LiveStack) -> None:
    volumes = ("secrets", "secrets_admin", "secrets_postgres", "secrets_redis")
    files = [path for name in volumes for path in stack.volume(name).rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path.name
    kept = [stack.volume("secrets_admin") / "password", stack.volume("secrets") / "broker_password"]
    secrets = [path.read_text(encoding="utf-8") for path in kept]
    secrets += [line.rpartition(":")[2] for line in (stack.volume("secrets") / "pgpass").read_text().split()]
    shown = "".join(podman("inspect", stack.container(service)) for service in stack.services())
    shown += podman("history", "--no-trunc", images.HOUSE)
    shown += "".join(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    assert not [n for n, secret in enumerate(secrets) if len(secret) < 16 or secret in shown]


def test_every_session_of_postgres_is_encrypted(stack: Stack, live: LiveStack) -> None:
    # Asked by its administrator: others see of another role's sessions only that they are there.
    said = stack.execute(
        *("postgres", "psql", "--username", "postgres", "--no-psqlrc", "--tuples-only", "--no-align", "--command"),
        "select usename, ssl from pg_stat_ssl join pg_stat_activity using (pid)"
        " where backend_type = 'client backend' and client_addr is not null",
    )
    sessions = {tuple(line.split("|")) for line in said.split()}
    assert ("airflow", "t") in sessions
    assert {is_encrypted for _, is_encrypted in sessions} == {"t"}


def test_doctor_is_content(stack: Stack, live: LiveStack) -> None:
    ill: list[str] = []

    def is_content() -> bool:
        # It gives Airflow three seconds to answer: on a busy machine it is asked again. Nobody holds a role here.
        said = json.loads(stack.execute("triggerer", "frontdoor", "doctor", "--json", check=False))
        ill[:] = [each["sentence"] for each in said["checks"] if not each["ok"] and "role" not in each["id"]]
        return not ill

    deadline = time.monotonic() + 60
    while not is_content() and time.monotonic() < deadline:
        time.sleep(2)
    assert not ill


def test_backup_is_made_from_within_a_part_and_comes_back_there(stack: Stack, live: LiveStack) -> None:
    sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", 5))
    live.wait_until(lambda: live.published([sha256]) == 1, 120, "a file to be published")
    made = json.loads(stack.execute("triggerer", "frontdoor", "backup", "--out", "/var/lib/frontdoor/copies", "--json"))
    assert made["rows"] > 0 and made["files"] > 0
    as_administrator = ("postgres", "psql", "--username", "postgres", "--no-psqlrc", "--quiet", "--command")
    stack.execute(*as_administrator, "create database brought_back owner frontdoor")
    url = stack.execute("triggerer", "printenv", "FRONTDOOR_DATABASE_URL").replace("/frontdoor?", "/brought_back?")
    home = (
        *("env", "FRONTDOOR_HOME=/var/lib/frontdoor/brought_back", f"FRONTDOOR_DATABASE_URL={url}"),
        "FRONTDOOR_ARCHIVE_KEY_FILE=/var/lib/frontdoor/secrets/archive_key",
        *("FRONTDOOR_LANDING=", "FRONTDOOR_RECEIPTS=/var/lib/frontdoor/brought_back/receipts"),
    )
    try:
        said = stack.execute("triggerer", *home, "frontdoor", "restore", "/var/lib/frontdoor/copies", "--json")
        done = json.loads(said)
        assert (done["backup_id"], done["damaged_files"]) == (made["backup_id"], [])
        assert done["brought_files"] == made["files"]
    finally:
        stack.execute("triggerer", "rm", "-rf", "/var/lib/frontdoor/brought_back")
        stack.execute(*as_administrator, "drop database if exists brought_back with (force)")


def test_tests_of_the_marts_run_in_the_image(stack: Stack, live: LiveStack) -> None:
    tested: list[tuple[int, list[str]]] = []

    def have_run() -> bool:
        tested[:] = live.rows("select tests_count, tests_failed from warehouse.builds where tests_at is not null")
        return bool(tested)

    live.wait_until(have_run, 120, "a build to be tested")
    assert all(count > 50 and failed == [] for count, failed in tested), tested


def test_part_that_hangs_is_seen_to_be_ill_and_well_again_when_it_goes_on(stack: Stack, live: LiveStack) -> None:
    parts = sorted(set(stack.services()) - {"postgres", "redis"})
    assert all(map(stack.is_well, parts))
    stopped = [pid for part in parts for pid in stack.processes(part)]
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        ill: set[str] = set()

        def all_are_ill() -> bool:
            ill.update(part for part in parts if part not in ill and not stack.is_well(part))
            return ill == set(parts)

        live.wait_until(all_are_ill, 90, f"every part to be seen as ill; of {parts} only {ill}")
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    stack.wait_until_well(120)


def test_each_service_killed_in_turn_while_fifty_files_land_loses_and_doubles_nothing(
    stack: Stack, live: LiveStack
) -> None:
    payloads = [
        live.sample("wearside_police", "police", RECORDS, break_rule="POL-020" if n % 5 == 0 else None)
        for n in range(FILES)
    ]
    victims = stack.services()
    hashes = []
    for number, payload in enumerate(payloads):
        hashes.append(live.land("wearside_police", "police", payload, name=f"turn-{number:02}.csv"))
        if number % 5 == 0 and victims:
            stack.kill(victims.pop())
        time.sleep(1.0)
    assert not victims, "too few files to kill each service in turn"
    took = live.wait_until(lambda: live.published(hashes) == FILES, ALL_PUBLISHED_WITHIN_SECONDS, "all to be published")
    print(f"{stack.profile}: all published {took:.0f} s after the last of {FILES} files landed")
    of_these = "join intake.deliveries using (delivery_id) join intake.files on files.file_id = deliveries.file_id where sha256_received = any(%s)"
    assert live.rows(
        "select count(*), count(distinct (_delivery_id, _record_no)) from raw.police"
        " join intake.deliveries on delivery_id = _delivery_id join intake.files using (file_id) where sha256_received = any(%s)",
        (hashes,),
    ) == [(FILES * RECORDS, FILES * RECORDS)]
    assert live.rows("select count(*) from intake.files where sha256_received = any(%s)", (hashes,)) == [(FILES,)]
    live.wait_until(lambda: sum(map(live.in_triage, hashes)) == FILES * RECORDS, 120, "their records in triage")
    live.wait_until(
        lambda: live.rows(f"select count(*) from alerts.messages {of_these} and sent_at is null", (hashes,)) == [(0,)],
        120,
        "their messages to be sent",
    )
    poor = len([n for n in range(FILES) if n % 5 == 0])
    answered = live.rows(f"select count(distinct delivery_id), count(*) from alerts.messages {of_these}", (hashes,))
    assert answered == [(poor, poor)]
    stack.wait_until_well(120)
