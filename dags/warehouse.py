"""Build the marts from everything published and not yet built.

What arrives: the bell after a publication; and the clock, hourly and at local midnight, because lists age although
nobody sends.
Who owns it: the front door's data engineer.
When it fails: ``warehouse.builds`` names the models and tests that failed; every record is on the triage list all the
same (the safety net puts there what a model did not), and the next build drains again what this one left.
Run it again: trigger the DAG, or ``frontdoor ingest``. Two builds never run at once: the second finds the lock held
and leaves its work to the first.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from frontdoor.orchestration.bells import PUBLISHED
from frontdoor.orchestration.tasks import build_marts

with DAG(
    dag_id="warehouse",
    schedule=AssetOrTimeSchedule(
        assets=[PUBLISHED],
        timetable=CronTriggerTimetable("0 * * * *", timezone="Europe/London"),
    ),
    catchup=False,
    tags=["warehouse"],
    doc_md=__doc__,
):
    build_marts()
