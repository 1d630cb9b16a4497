"""What is measured. Each figure is one question to the tables or to a place (`places`), asked anew each time.

Labels are our own codes (agency, feed, state, verdict, severity, rule): no text of a file or a record.
All are gauges, also counts, for retention and a replay may lower them. A question that fails leaves its
figure out and is counted in ``frontdoor_figures_failed``: an alert must not rest because nobody could count.

A new figure is a line here, a rule in docker/monitoring/alerts.yml with its cases beside it, and a section in
CONTRIBUTING.md.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2

from frontdoor import clock, database
from frontdoor.monitoring.places import PLACES, Place

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.settings import Settings

log = logging.getLogger(__name__)

PREFIX = "frontdoor_"
# Nobody waits for figures; a scan that takes so long on a busy server is left for the next minute.
PATIENCE = "set local statement_timeout = '10s'; set local lock_timeout = '1s'"

Row = Sequence[Any]


@dataclass(frozen=True)
class Figure:
    """One thing that is measured: its name, what it says, its labels, and the query whose last column is the value."""

    name: str
    help: str
    labels: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class Sample:
    """One value of a figure, and what it is of."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True)
class Measured:
    """All values of one moment, and what each figure says."""

    samples: tuple[Sample, ...]
    helps: dict[str, str]


FROM_TABLES = (
    Figure(
        "deliveries_last_day",
        "Deliveries received within the last 24 hours, and those still on their way, by their state and verdict now.",
        ("agency", "feed", "state", "verdict"),
        "select agency_code, feed, status, coalesce(verdict, 'none'), count(*) from intake.deliveries"
        " where received_at > %(now)s - interval '1 day' or status in ('received', 'loaded', 'checked')"
        " group by agency_code, feed, status, verdict",
    ),
    Figure(
        "publish_seconds",
        "From whole in the landing zone to published, of what was published first within the last hour.",
        ("feed", "quantile"),
        """
        select feed, quantile, percentile_cont(quantile) within group (
            order by extract(epoch from published_at - received_at)
        )
        from intake.deliveries
        cross join (values (0.5), (0.95), (1)) as asked (quantile)
        where published_at > %(now)s - interval '1 hour'
        group by feed, quantile
        """,
    ),
    Figure(
        "unpublished_oldest_seconds",
        "How long ago the delivery that waits longest to be published last moved.",
        (),
        """
        select coalesce(max(extract(epoch from %(now)s - greatest(received_at, moved.at))), 0)
        from intake.deliveries
        cross join lateral (
            select max(at) as at from intake.delivery_events as events
            where events.delivery_id = deliveries.delivery_id
        ) as moved
        where status in ('received', 'loaded', 'checked')
        """,
    ),
    Figure(
        "build_lag_seconds",
        "From published to on the lists, of what was built within the last hour.",
        ("quantile",),
        """
        select quantile, percentile_cont(quantile) within group (
            order by extract(epoch from builds.ended_at - coalesce(last_published_at, published_at))
        )
        from warehouse.builds as builds
        inner join intake.deliveries on builds.build_id = deliveries.built_in
        cross join (values (0.5), (0.95), (1)) as asked (quantile)
        where builds.ended_at > %(now)s - interval '1 hour'
        group by quantile
        """,
    ),
    Figure(
        "unbuilt_oldest_seconds",
        "For how long the delivery that waits longest has been published and not on the lists by a build.",
        (),
        "select coalesce(max(extract(epoch from %(now)s - coalesce(last_published_at, published_at))), 0)"
        " from intake.deliveries where status = 'published' and built_in is null",
    ),
    Figure(
        "records_last_day",
        "Records of what was published first within the last 24 hours.",
        ("agency", "feed"),
        "select agency_code, feed, coalesce(sum(records_loaded), 0) from intake.deliveries"
        " where published_at > %(now)s - interval '1 day' group by agency_code, feed",
    ),
    Figure(
        "findings_last_day",
        "Findings in what was published first within the last 24 hours.",
        ("agency", "feed", "severity"),
        """
        select deliveries.agency_code, deliveries.feed, checks.severity, sum(results.failed_count)
        from intake.deliveries
        inner join quality.check_results as results on deliveries.delivery_id = results.delivery_id
        inner join quality.checks
            on results.rule_id = checks.rule_id and deliveries.contract_version = checks.contract_version
        where deliveries.published_at > %(now)s - interval '1 day' and results.status = 'fail'
        group by deliveries.agency_code, deliveries.feed, checks.severity
        """,
    ),
    Figure(
        "checks_not_run_last_day",
        "Checks that could not run on what was published first within the last 24 hours.",
        ("feed", "rule"),
        """
        select deliveries.feed, results.rule_id, count(*)
        from intake.deliveries
        inner join quality.check_results as results on deliveries.delivery_id = results.delivery_id
        where deliveries.published_at > %(now)s - interval '1 day' and results.status = 'not_run'
        group by deliveries.feed, results.rule_id
        """,
    ),
    Figure(
        "messages_unsent",
        "Messages in the outbox that did not go out yet.",
        (),
        "select count(*) from alerts.messages where sent_at is null and held_at is null",
    ),
    Figure(
        "messages_unsent_oldest_seconds",
        "Age of the oldest message in the outbox.",
        (),
        "select coalesce(max(extract(epoch from %(now)s - created_at)), 0) from alerts.messages"
        " where sent_at is null and held_at is null",
    ),
    Figure(
        "dead_letters_open",
        "What could not be read and nobody has followed up.",
        ("agency",),
        "select files.agency_code, count(*) from quality.dead_letters"
        " inner join intake.files on dead_letters.file_id = files.file_id"
        " where resolved_at is null group by files.agency_code",
    ),
    Figure(
        "dead_letters_overdue",
        "What could not be read and nobody has followed up in time.",
        ("agency",),
        "select files.agency_code, count(*) from quality.dead_letters"
        " inner join intake.files on dead_letters.file_id = files.file_id"
        " where resolved_at is null and due_at < %(now)s group by files.agency_code",
    ),
    Figure(
        "silent_sender_days",
        "Days on which a delivery was due that did not come and has not come since.",
        ("agency", "feed"),
        "select agency_code, feed, count(*) from quality.expected_deliveries"
        " where settled_at is null and state in ('missing', 'unusable') group by agency_code, feed",
    ),
    Figure(
        "build_seconds",
        "How long the last build took that ended.",
        (),
        "select extract(epoch from ended_at - started_at) from warehouse.builds"
        " where ended_at is not null order by build_id desc limit 1",
    ),
    Figure(
        "builds_last_day",
        "Builds that began within the last 24 hours, by what became of them.",
        ("status",),
        "select asked.status, count(builds.build_id)"
        " from (values ('running'), ('succeeded'), ('failed'), ('lost')) as asked (status)"
        " left join warehouse.builds as builds"
        " on asked.status = builds.status and builds.started_at > %(now)s - interval '1 day' group by asked.status",
    ),
    Figure(
        "models_failed",
        "Models that failed in the last build that ended.",
        (),
        "select cardinality(models_failed) from warehouse.builds"
        " where ended_at is not null order by build_id desc limit 1",
    ),
    Figure(
        "tests_failed",
        "Data tests that failed when they last ran.",
        (),
        "select cardinality(tests_failed) from warehouse.builds"
        " where tests_count is not null order by build_id desc limit 1",
    ),
    Figure(
        "records_rescued_last_day",
        "Records that the safety net put on the triage list within the last 24 hours, for no model did.",
        (),
        "select coalesce(sum(rescued_count), 0) from warehouse.builds where started_at > %(now)s - interval '1 day'",
    ),
    Figure(
        "marts_age_seconds",
        "How long ago it was that the marts speak of.",
        (),
        "select extract(epoch from %(now)s - as_of) from warehouse.clock",
    ),
    Figure(
        "archive_bytes",
        "Bytes of all different files that were taken, as received.",
        (),
        "select coalesce(sum(size_bytes), 0) from ("
        "select distinct on (sha256_received) size_bytes from intake.files order by sha256_received, file_id) as kept",
    ),
)


def measure(connection: Connection, settings: Settings) -> Measured:
    """Answer every question; what cannot be answered is left out and counted. Raises only when the database is away."""
    samples: list[Sample] = []
    failed = 0
    asked: list[tuple[Collection[str], Callable[[], list[Sample]]]] = [
        *(((figure.name,), _of_table(connection, figure)) for figure in FROM_TABLES),
        *((place.helps, _of_place(place, settings)) for place in PLACES),
    ]
    for names, answer in asked:
        try:
            samples.extend(answer())
        except Exception as error:
            if isinstance(error, psycopg2.Error):
                if connection.closed:
                    raise
                connection.rollback()
            failed += len(names)
            said = type(error).__name__ if isinstance(error, OSError) else database.safe_error(error)
            log.warning("%s could not be measured: %s", " and ".join(names), said)
    samples.append(_sample("figures_failed", (), failed))
    # When this was written is the machine's time, as a collector's is, also where ours is pinned.
    samples.append(_sample("measured_timestamp_seconds", (), time.time()))  # noqa: TID251
    return Measured(tuple(samples), helps())


def helps() -> dict[str, str]:
    """Name -> what it says, of all figures, with the prefix."""
    said = {figure.name: figure.help for figure in FROM_TABLES}
    for place in PLACES:
        said |= place.helps
    said["figures_failed"] = "Figures that could not be measured this time."
    said["measured_timestamp_seconds"] = "When these figures were measured, in seconds since 1970."
    return {PREFIX + name: text for name, text in said.items()}


def _of_table(connection: Connection, figure: Figure) -> Callable[[], list[Sample]]:
    def answer() -> list[Sample]:
        with connection, connection.cursor() as cursor:
            cursor.execute(PATIENCE)
            cursor.execute(figure.sql, {"now": clock.now()})
            return [_sample(figure.name, zip(figure.labels, row[:-1], strict=True), row[-1]) for row in cursor]

    return answer


def _of_place(place: Place, settings: Settings) -> Callable[[], list[Sample]]:
    return lambda: [_sample(name, labels.items(), value) for name, labels, value in place.look(settings)]


def _sample(name: str, labels: Iterable[tuple[str, Any]], value: Any) -> Sample:
    said = tuple((label, f"{of:g}" if isinstance(of, float) else str(of)) for label, of in labels)
    return Sample(PREFIX + name, said, float(value))
