"""A compose project for each module, of the profile that the module names."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

# Imported by the modules of the two profiles, and to say what they saw when they fail all the same.
pytest.register_assert_rewrite("tests.containers.asked_of_both", "tests.e2e.test_a_file_lands")

from tests.containers import images  # noqa: E402
from tests.containers.stack import LiveStack, Stack  # noqa: E402


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The project, started and not waited for; everything it kept is taken away afterwards."""
    images.build()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    started = Stack(request.module.PROFILE, f"fdt{os.getpid()}{request.module.PROFILE.replace('-', '')}", port)
    try:
        started.up()
        yield started
    finally:
        started.down()


@pytest.fixture(scope="module")
def live(stack: Stack) -> LiveStack:
    """The same, well in all its parts, for the tests that know a running platform."""
    stack.wait_until_well(240)
    return LiveStack(stack)
