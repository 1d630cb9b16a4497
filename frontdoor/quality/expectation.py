# ruff: noqa: TID253  imported by frontdoor.quality.warm alone, inside a function
"""Our expectation, `expect_records_to_keep_rule`: how many records a rule applies to, and how many break it.

Great Expectations bundles aggregates of one table domain into one query. The metric below is such an aggregate, so all
record rules of a batch cost one scan, however many they are. It returns two counts and never a value of a record.
Only `frontdoor.quality.warm` imports this module, because it imports Great Expectations.
"""

from typing import Any, ClassVar

import great_expectations as gx
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_partial
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from sqlalchemy import literal_column


class RecordsAndFailures(TableMetricProvider):
    """[records that the rule applies to, records that break it]; SQL's null neither applies nor breaks."""

    metric_name = "record_rule.counts"
    value_keys = ("applies_when", "fails_when")

    @metric_partial(
        engine=SqlAlchemyExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _sqlalchemy(
        cls,
        execution_engine: Any,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        applies, fails = metric_value_kwargs["applies_when"], metric_value_kwargs["fails_when"]
        counts = f"array[count(*) filter (where ({applies})), count(*) filter (where ({applies}) and ({fails}))]"
        return literal_column(counts), metric_domain_kwargs, {}


class ExpectRecordsToKeepRule(BatchExpectation):
    """Expect that no record to which a rule applies breaks it."""

    rule_id: str
    applies_when: str = "true"
    fails_when: str

    metric_dependencies: ClassVar[tuple[str, ...]] = ("record_rule.counts",)
    success_keys: ClassVar[tuple[str, ...]] = ("applies_when", "fails_when")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: dict[str, Any] | None = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        checked, failed = metrics["record_rule.counts"]
        return {"success": failed == 0, "result": {"checked": checked, "failed": failed}}


class ExpectNoUnexpectedRows(gx.expectations.UnexpectedRowsExpectation):
    """The stock expectation, counted only.

    The stock one also fetches what the query finds: it would run the query twice, show at most 200 keys, and hold the
    keys of a million records in memory. The keys go from table to table in the database instead.
    """

    rule_id: str

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: dict[str, Any] | None = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        failed = metrics["unexpected_rows_query.row_count"]
        return {"success": failed == 0, "result": {"failed": failed}}
