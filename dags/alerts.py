"""Send what is left in the outbox.

What arrives: messages in ``alerts.messages`` that the feed's own run could not send (the mail server was away).
Who owns it: the front door's data engineer.
When it fails: messages stay unsent with their number of attempts; pauses between attempts grow; nothing is dropped.
Run it again: trigger the DAG, or ``frontdoor ingest``.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, DeltaTriggerTimetable

from frontdoor.orchestration.tasks import send_messages

with DAG(
    dag_id="alerts",
    schedule=DeltaTriggerTimetable(timedelta(minutes=5)),
    catchup=False,
    max_active_runs=1,
    tags=["alerts"],
    doc_md=__doc__,
):
    send_messages()
