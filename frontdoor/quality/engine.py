"""Run Great Expectations over the records of a batch: ephemeral, read-only, and with counts as its only answer.

Context and data source live as long as the process, connections only as long as one run: nothing is open when a worker
is forked, and no connection idles between deliveries.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from frontdoor import database
from frontdoor.quality.rules import Check
from frontdoor.quality.warm import expectations
from frontdoor.settings import Settings

_SESSION = "-c TimeZone=UTC -c jit=off -c default_transaction_read_only=on"
# What SQLAlchemy's text() would take for a parameter: a colon that is no cast.
_COLON = re.compile(r"(?<!:):(?!:)")
ALL = {"result_format": "BASIC"}
BATCH = "batch"


@dataclass(frozen=True)
class Counted:
    """What one rule came to: records checked (None: not counted) and failed; or None for both, with a reason."""

    checked: int | None
    failed: int | None
    reason: str = ""


def count(settings: Settings, records: str, checks: Sequence[Check]) -> Mapping[str, Counted]:
    """Rule id -> counts, from one validation of `records` (a SELECT over raw.<feed>_read).

    Great Expectations runs a bundle that failed again metric by metric, so a rule that raises is alone in not having
    run. Raises if it cannot run at all; the error may name values, so say no more of it than database.safe_error does.
    """
    ours = expectations()
    source, asset = _source(database.sqlalchemy_url(settings))
    try:
        asset.query = records
        batch = asset.get_batch_definition(BATCH).get_batch()
        suite = ours.gx.ExpectationSuite(name=BATCH, expectations=[_expectation(ours, check) for check in checks])
        results = batch.validate(suite, result_format=ALL).results
        return {result.expectation_config.kwargs["rule_id"]: _counted(result) for result in results}
    finally:
        for engine in (source.get_engine(), source.get_execution_engine().engine):
            engine.dispose()


def batch_query(rows: str, only: str) -> str:
    """The query of a rule over several records, with `batch` as the name of what `{batch}` stands for.

    A relation of its own, so that an author may write `from {batch}` with an alias or without. The join is there
    because Great Expectations gives `{batch}` an alias of its own where it sees none.
    """
    query = rows.replace("{batch}", "batch").rstrip("; \n")
    return (
        "with batch as not materialized (select given.* from {batch} as given cross join (select true) as one) "
        f"select distinct found._delivery_id, found._record_no from ({query}) as found where {only}"
    )


def _expectation(ours: Any, check: Check) -> Any:
    rule = check.rule
    if check.rows:
        # Braces and colons of the contract's SQL are its own, not placeholders.
        query = batch_query(check.rows, check.applies)
        given, parameter = "\x00", "{batch}"
        query = query.replace(parameter, given).replace("{", "{{").replace("}", "}}").replace(given, parameter)
        return ours.ExpectNoUnexpectedRows(
            rule_id=rule.rule_id, unexpected_rows_query=_COLON.sub(r"\\:", query), severity=rule.severity
        )
    return ours.ExpectRecordsToKeepRule(
        rule_id=rule.rule_id, applies_when=check.applies, fails_when=check.fails, severity=rule.severity
    )


def _counted(result: Any) -> Counted:
    said = result.result or {}
    if result.exception_info.get("raised_exception") or "failed" not in said:
        return Counted(None, None, "its check raised")
    return Counted(said.get("checked"), said["failed"])


@lru_cache(maxsize=1)
def _source(url: str) -> Any:
    gx = expectations().gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = gx.get_context(
        project_config=DataContextConfig(
            # Data Docs would be a copy of results on disk.
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
        mode="ephemeral",
    )
    source = context.data_sources.add_postgres(
        "warehouse",
        connection_string=url.replace("$", "\\$"),  # a dollar sign would be looked up in the environment
        create_temp_table=False,
        kwargs={"connect_args": {"options": _SESSION}},
    )
    # One asset, whose query is set anew: to add and delete one costs the context's whole configuration as YAML, thrice.
    asset = source.add_query_asset(BATCH, query="select 1")
    asset.add_batch_definition_whole_table(BATCH)
    return source, asset
