"""A file lands, and its agency's information is judged, published and answered.

What arrives: files in ``landing/<agency>/<feed or layout>/``. One DAG per feed or layout, found in ``expectations/``.
Who owns it: the front door's data engineer.
When it fails: nothing is lost; the file stays in the landing zone, or its delivery in ``intake.deliveries`` short of
``published``, and the sweep tries again within a minute. ``frontdoor status`` says where each delivery stands.
Run it again: trigger the DAG, or ``frontdoor ingest``; both drain what is there and are safe beside each other.
"""

from __future__ import annotations

from airflow.sdk import DAG

from frontdoor.contract import sources
from frontdoor.orchestration.bells import landed
from frontdoor.orchestration.tasks import take_judge_publish_send

for source in sources():
    with DAG(
        dag_id=f"feed_{source}",
        schedule=[landed(source)],
        catchup=False,
        tags=["feed"],
        doc_md=__doc__,
    ) as dag:
        take_judge_publish_send(source)
    globals()[dag.dag_id] = dag
