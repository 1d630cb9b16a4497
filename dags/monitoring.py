"""Tell whoever keeps the platform running how it does: figures for alert rules, and lineage.

What arrives: time, every ``SWEEP_SECONDS``; only where ``FRONTDOOR_METRICS`` or ``FRONTDOOR_LINEAGE`` says to whom.
Who owns it: the front door's data engineer.
When it fails: no delivery waits for it; figures are measured anew by the next run, lineage waits for a week.
Run it again: trigger the DAG, or look with ``frontdoor metrics``.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, DeltaTriggerTimetable

from frontdoor.orchestration.tasks import tell_monitoring
from frontdoor.settings import load

here = load()
if here.metrics or here.lineage:
    with DAG(
        dag_id="monitoring",
        schedule=DeltaTriggerTimetable(timedelta(seconds=here.sweep_seconds)),
        catchup=False,
        max_active_runs=1,
        tags=["monitoring"],
        doc_md=__doc__,
    ):
        tell_monitoring()
