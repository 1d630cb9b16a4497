"""Import dbt and parse the project once, in the process that forks the workers: seconds saved in every build.

A parsed project is kept by `dbt_runner` and thrown away when a file of it changes, so a fork never builds an old model.
"""

import logging

from frontdoor import database, settings

log = logging.getLogger(__name__)


def warm() -> None:
    """Import dbt, and parse the project if the database is known already. Raises nothing: a build does without."""
    try:
        import dbt.cli.main  # noqa: F401

        from frontdoor.warehouse.dbt_runner import dbt_for

        dbt_for(settings.load()).manifest()
    except Exception as error:
        log.warning("dbt was not warmed: %s", database.safe_error(error))
