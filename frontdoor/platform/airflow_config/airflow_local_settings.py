"""Airflow imports this when it starts; only the scheduler finds it on its path.

Its workers are forks of it: what is imported here once costs no task anything. It must never keep the scheduler down.
"""

import importlib
import logging
import sys

__all__: list[str] = []

if "scheduler" in sys.argv[1:2]:
    try:
        # Not an import statement: the platform lies below orchestration, and only Airflow's own process goes up there.
        importlib.import_module("frontdoor.orchestration.preload").warm()
    except Exception as error:
        logging.getLogger(__name__).warning("Nothing was preloaded, tasks will be slower: %s", type(error).__name__)
