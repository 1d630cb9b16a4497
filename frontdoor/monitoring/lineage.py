"""What was done as OpenLineage events, made of the client's own classes: ids, counts, rule ids, relations.

    load_<feed>       landing zone -> raw.<feed>
    judge_<feed>      raw.<feed> -> quality.findings, with each rule that passed or failed as an assertion
    publish_<feed>    raw.<feed>, quality.findings -> alerts.messages
    build_marts       what dbt reads of ours -> everything that people read
    model_<name>      one event when the project changes: from which relations a model is made

A delivery that is published without having been judged is a judging that failed and a publication that did not. A run's
id is made of what it is a run of, so that an event told twice is one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from openlineage.client.event_v2 import InputDataset, Job, JobEvent, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    data_quality_assertions_dataset,
    job_type_job,
    output_statistics_output_dataset,
    tags_run,
)

from frontdoor.database import Server
from frontdoor.monitoring.steps import Built, Move

NAMESPACE = "frontdoor"
PRODUCER = "urn:frontdoor"
# Of our own: the name space of the ids of runs.
_RUNS = UUID("6f1f1a52-6a5b-5d0e-9a0b-7f6d3a9c2b11")

# What begins when a delivery comes to a state, and the state to which it comes when that went well.
BEGINS = {"received": ("load", "loaded"), "loaded": ("judge", "checked"), "checked": ("publish", "published")}


@dataclass(frozen=True)
class Model:
    """A relation that dbt makes, and the relations that it is made from, each as ``schema.name``."""

    name: str
    relation: str
    made_from: tuple[str, ...]


def of_move(move: Move, server: Server) -> Iterator[RunEvent]:
    """The end of the step that brought the delivery here, and the beginning of the next."""
    ended = BEGINS.get(move.status_from or "")
    if ended is not None:
        job, state = ended
        went_well = move.status_to == state
        yield _of_delivery(RunState.COMPLETE if went_well else RunState.FAIL, job, move, move.since or move.at, server)
    if ended is not None and ended[0] == "judge" and move.status_to == "published":
        # Published unjudged: no event of the ledger tells when publishing began.
        for state_of_run in (RunState.START, RunState.COMPLETE):
            yield _of_delivery(state_of_run, "publish", move, move.at, server)
    if move.status_from is None and move.status_to == "dead_letter":
        # Refused when it was taken: nobody began to load it, and a receiver wants to hear of a beginning.
        for state_of_run in (RunState.START, RunState.FAIL):
            yield _of_delivery(state_of_run, "load", move, move.at, server)
    begun = BEGINS.get(move.status_to)
    if begun is not None:
        yield _of_delivery(RunState.START, begun[0], move, move.at, server)


def of_build(built: Built, models: list[Model], server: Server) -> RunEvent:
    """The beginning or the end of a build."""
    if built.step == "START":
        state, at = RunState.START, built.started_at
    else:
        states = {"succeeded": RunState.COMPLETE, "failed": RunState.FAIL}
        state, at = states.get(built.status, RunState.ABORT), built.ended_at or built.started_at
    made = {model.relation for model in models}
    read = {relation for model in models for relation in model.made_from} - made
    return RunEvent(
        eventTime=_iso(at),
        producer=PRODUCER,
        eventType=state,
        run=Run(str(uuid5(_RUNS, f"build/{built.build_id}/{_iso(built.started_at)}")), _tags(build_id=built.build_id)),
        job=_job("build_marts"),
        inputs=[InputDataset(*_table(server, relation)) for relation in sorted(read)],
        outputs=[OutputDataset(*_table(server, relation)) for relation in sorted(made)],
    )


def of_model(model: Model, at: datetime, server: Server) -> JobEvent:
    """From what a model is made, whenever it is."""
    return JobEvent(
        eventTime=_iso(at),
        producer=PRODUCER,
        job=_job(f"model_{model.name}"),
        inputs=[InputDataset(*_table(server, relation)) for relation in model.made_from],
        outputs=[OutputDataset(*_table(server, model.relation))],
    )


def _of_delivery(state: RunState, job: str, move: Move, began_at: datetime, server: Server) -> RunEvent:
    raw, has_ended = _table(server, f"raw.{move.feed}"), state is not RunState.START
    inputs: list[InputDataset] = []
    outputs: list[OutputDataset] = []
    if job == "load":
        inputs = [InputDataset(NAMESPACE, f"landing/{move.agency}/{move.source}")]
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=move.records)
        outputs = [OutputDataset(*raw, outputFacets={"outputStatistics": statistics} if has_ended else {})]
    elif job == "judge":
        inputs = [InputDataset(*raw, inputFacets=_assertions(move) if has_ended else {})]
        outputs = [OutputDataset(*_table(server, "quality.findings"))]
    else:
        inputs = [InputDataset(*raw), InputDataset(*_table(server, "quality.findings"))]
        outputs = [OutputDataset(*_table(server, "alerts.messages"))]
    return RunEvent(
        eventTime=_iso(move.at),
        producer=PRODUCER,
        eventType=state,
        run=Run(
            str(uuid5(_RUNS, f"{job}/{move.delivery_id}/{_iso(began_at)}")),
            _tags(delivery_id=move.delivery_id, agency=move.agency),
        ),
        job=_job(f"{job}_{move.feed}"),
        inputs=inputs,
        outputs=outputs,
    )


def _assertions(move: Move) -> dict[str, Any]:
    told = [each.rsplit(":", 1) for each in move.results]
    if not told:
        return {}
    return {
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[
                # A check that could not run is not one that passed.
                data_quality_assertions_dataset.Assertion(assertion=rule, success=status == "pass")
                for rule, status in told
            ]
        )
    }


def _job(name: str) -> Job:
    kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="FRONTDOOR", jobType="STEP")
    return Job(NAMESPACE, name, {"jobType": kind})


def _tags(**tags: object) -> dict[str, Any]:
    said = [tags_run.TagsRunFacetFields(key, str(value), source="FRONTDOOR") for key, value in tags.items()]
    return {"tags": tags_run.TagsRunFacet(tags=said)}


def _table(server: Server, relation: str) -> tuple[str, str]:
    """Name space and name as OpenLineage wants them of a relation in Postgres."""
    return f"postgres://{server.host}:{server.port}", f"{server.name}.{relation}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
