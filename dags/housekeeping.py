"""Keep logs and Airflow's own tables small.

What arrives: time, once a day.
Who owns it: the front door's data engineer.
When it fails: disks and tables grow by a day; nothing of a delivery is touched, and the next day's run does the same.
Run it again: trigger the DAG.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from frontdoor.orchestration.tasks import keep_small

with DAG(
    dag_id="housekeeping",
    schedule=CronTriggerTimetable("30 3 * * *", timezone="Europe/London"),
    catchup=False,
    max_active_runs=1,
    tags=["housekeeping"],
    doc_md=__doc__,
):
    keep_small()
