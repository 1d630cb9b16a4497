"""The profile `one-machine`: tasks run beside the scheduler."""

from tests.containers.asked_of_both import *  # noqa: F403  the same is asked of either profile
from tests.e2e.test_a_file_lands import *  # noqa: F403  and all that is asked of a running platform

PROFILE = "one-machine"
