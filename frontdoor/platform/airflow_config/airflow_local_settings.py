"""Airflow imports this when it starts; only the part whose forks do the work finds it on its path.

That is the scheduler on one machine, and else a worker: what it imports here once costs no task anything. It must never
keep that part down.
"""

import importlib
import logging
import sys

__all__: list[str] = []

if sys.argv[1:2] == ["scheduler"] or sys.argv[1:3] == ["celery", "worker"]:
    try:
        # Not an import statement: the platform lies below orchestration, and only Airflow's own process goes up there.
        importlib.import_module("frontdoor.orchestration.preload").warm()
    except Exception as error:
        logging.getLogger(__name__).warning("Nothing was preloaded, tasks will be slower: %s", type(error).__name__)
