"""The warehouse's side of Python: the tables it owns, the reference rows, and the only runner of dbt.

Nothing here imports dbt when it is imported itself; `warm` does so on purpose, once, before workers fork.
"""

from frontdoor.warehouse.builds import BuildResult, build
from frontdoor.warehouse.checks import publish_checks
from frontdoor.warehouse.raw_tables import ensure_partition, ensure_raw_tables
from frontdoor.warehouse.reference_tables import load_reference
from frontdoor.warehouse.schema import migrate

__all__ = [
    "BuildResult",
    "build",
    "ensure_partition",
    "ensure_raw_tables",
    "load_reference",
    "migrate",
    "publish_checks",
]
