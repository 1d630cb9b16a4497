"""Do what no bell announced.

What arrives: time. Events can be lost, doubled or merged; the sweep bounds what that costs to ``SWEEP_SECONDS``.
It also takes files that lie in folders no feed watches, so that they become dead letters with a clock and an owner.
Who owns it: the front door's data engineer.
When it fails: the next sweep does the same work.
Run it again: trigger the DAG, or ``frontdoor ingest``.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, DeltaTriggerTimetable

from frontdoor.orchestration.tasks import sweep_landing_zone
from frontdoor.settings import load

with DAG(
    dag_id="sweep",
    schedule=DeltaTriggerTimetable(timedelta(seconds=load().sweep_seconds)),
    catchup=False,
    max_active_runs=1,
    tags=["sweep"],
    doc_md=__doc__,
):
    sweep_landing_zone()
