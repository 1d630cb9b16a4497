"""Build the marts: one build at a time, each draining a bounded claim of what was published, until nothing is left.

Whoever publishes calls `build`. One process holds the lock and loops; another that finds it taken goes home at once,
because the holder looks again after it has let go: a delivery published before its neighbour tried the lock is seen
by that look. A process that is killed leaves a build that says `running`; the next holder marks it lost and drains
the same records again, which changes nothing where they were built, because models delete and insert by key.

A build commits in three steps: the claim (so that models see what the news is), the models of dbt one by one, and at
the end the safety net together with what is built. Records of a feed for which a model failed stay unbuilt and are on
the work list all the same; they are tried again by the next call, once, after everything fresh.

Data tests come last, when nothing waits, a few at a time: news stops them, and they stop no model. A test that fails is
a finding about us, recorded with the build.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import sleep

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from frontdoor import clock, database, logbook
from frontdoor.settings import Settings
from frontdoor.warehouse import safety_net, slices
from frontdoor.warehouse.dbt_runner import PROJECT, Dbt, dbt_for

log = logging.getLogger(__name__)

TRIAGE_MODEL = "triage"
# A build by time alone is wanted no oftener: several bells at once are one news.
STALE_AFTER = timedelta(minutes=1)
# Tests speak of the whole of the marts; under a stream of files they need not run after each.
TESTS_EVERY = timedelta(minutes=5)
TESTS_AT_A_TIME = 20
# So many deliveries on their way to being published are a burst; the next build waits so long for them.
A_BURST = 10
GATHER_SECONDS = 4.0


@dataclass(frozen=True)
class BuildResult:
    """What one call did, in all its builds. `seconds` by phase: claim, models, safety_net, tests."""

    builds_count: int = 0
    deliveries_count: int = 0
    records_count: int = 0
    rescued_count: int = 0
    models_failed: tuple[str, ...] = ()
    tests_failed: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: BuildResult) -> BuildResult:
        """Both results as one."""
        phases = {**self.seconds, **other.seconds}
        return BuildResult(
            self.builds_count + other.builds_count,
            self.deliveries_count + other.deliveries_count,
            self.records_count + other.records_count,
            self.rescued_count + other.rescued_count,
            tuple(sorted({*self.models_failed, *other.models_failed})),
            tuple(sorted({*self.tests_failed, *other.tests_failed})),
            {phase: round(self.seconds.get(phase, 0.0) + other.seconds.get(phase, 0.0), 3) for phase in phases},
        )


@dataclass
class _Call:
    """What one call of `build` remembers from build to build."""

    connection: Connection
    dbt: Dbt
    even_if_nothing: bool
    # Deliveries that failed in this call: the next call tries them again, or this one would never end.
    tried: set[int] = field(default_factory=set)
    is_done_with_retries: bool = False
    turn_of_large: bool = False

    def claim(self) -> slices.Claim:
        """What is to be built next; empty when only what this call has given up is left."""
        claim = slices.claim(self.connection, tried=self.tried, turn_of_large=self.turn_of_large)
        self.connection.commit()
        return slices.Claim() if claim.is_retry and self.is_done_with_retries else claim

    def made_of(self) -> str:
        """What a build that begins now makes its relations of: the project, and the columns of raw."""
        with self.connection.cursor() as cursor:
            cursor.execute("select raw.columns_fingerprint()")
            (columns,) = cursor.fetchone() or ("",)
        return f"{self.dbt.made_of()} {columns}"

    def all_relations_stand(self) -> bool:
        """Tell whether no relation of a model is missing: one that somebody dropped must be made, and made whole."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                "select bool_and(to_regclass(name) is not null) from unnest(%s) as name", (self.dbt.relations(),)
            )
            (stand,) = cursor.fetchone() or (False,)
        return bool(stand)


def build(settings: Settings, *, even_if_nothing: bool = False, project: Path = PROJECT) -> BuildResult:
    """Build everything published and unbuilt; return what was done, nothing when another process is at it.

    `even_if_nothing`: move the marts' clock forward although no news came, unless that was done within a minute.
    Raises psycopg2's errors when the database goes away; whatever dbt does is recorded and raises nothing.
    """
    total = BuildResult()
    connection = database.connect(settings, application_name="frontdoor_build")
    try:
        call = _Call(connection, dbt_for(settings, project), even_if_nothing)
        while True:
            with database.advisory_lock(connection, "warehouse", "build", wait=False) as is_ours:
                if not is_ours:
                    return total
                total += _drain(call)
            # Looked at again after the lock is free: whoever came in vain while it was held has left its news to us.
            if not call.claim().slices:
                return total
    finally:
        connection.close()


def _drain(call: _Call) -> BuildResult:
    """Build until nothing is left but what failed in this call; then test."""
    _mark_lost(call.connection)
    total = BuildResult()
    even_if_nothing = call.even_if_nothing and _is_stale(call.connection)
    call.even_if_nothing = False
    while True:
        if total.builds_count:
            _let_a_burst_gather(call.connection)
        claim = call.claim()
        if not claim.slices and not even_if_nothing:
            break
        even_if_nothing = False
        done, undone = _one_build(call, claim)
        total += done
        call.tried |= undone
        call.is_done_with_retries |= claim.is_retry and bool(undone)
        call.turn_of_large = not claim.has_large
    return total + _test(call) if total.builds_count else total


def _let_a_burst_gather(connection: Connection) -> None:
    """Wait a few seconds while many deliveries are on their way: a build for each few takes the processor from them."""
    until = clock.monotonic() + GATHER_SECONDS
    while clock.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "select count(*) >= %s from intake.deliveries where status in ('received', 'loaded', 'checked')",
                (A_BURST,),
            )
            (is_burst,) = cursor.fetchone() or (False,)
        connection.commit()
        if not is_burst:
            return
        sleep(0.2)


def _one_build(call: _Call, claim: slices.Claim) -> tuple[BuildResult, set[int]]:
    """Build one claim; return what was done and the deliveries of it that are still not built."""
    connection, started = call.connection, clock.monotonic()
    with connection.cursor() as cursor:
        feeds = {each.feed for each in claim.slices}
        made_of = call.made_of()
        is_made = bool(feeds) and made_of == slices.last_made_of(cursor) and call.all_relations_stand()
        build_id = slices.begin(cursor, claim.slices, clock.now(), made_of)
        connection.commit()
        claimed = clock.monotonic()
        outcome = call.dbt.run_models(feeds if is_made else None)
        modelled = clock.monotonic()
        caught = safety_net.catch(
            cursor, build_id, _worklist_feeds(cursor, claim), is_triage_built=TRIAGE_MODEL in outcome.succeeded
        )
        undone = feeds if outcome.is_void else feeds & (outcome.feeds_failed() | caught.feeds_torn)
        slices.finish(cursor, build_id, [each for each in claim.slices if each.feed not in undone])
        seconds = {
            "claim": round(claimed - started, 3),
            "models": round(modelled - claimed, 3),
            "safety_net": round(clock.monotonic() - modelled, 3),
        }
        cursor.execute(
            "update warehouse.builds set"
            " status = %s, ended_at = %s, models_failed = %s, rescued_count = %s, seconds = %s where build_id = %s",
            (
                "failed" if outcome.failed or caught.feeds_torn else "succeeded",
                clock.now(),
                sorted(outcome.failed),
                caught.rescued_count,
                Json(seconds),
                build_id,
            ),
        )
        connection.commit()
    with logbook.about(build_id=build_id):
        if outcome.failed:
            log.error("these models failed: %s", ", ".join(sorted(outcome.failed)))
        if caught.rescued_count:
            log.error("the safety net listed %s record(s)", caught.rescued_count)
        logbook.steps.info(
            "built %s deliveries in %.3f s",
            len({each.delivery_id for each in claim.slices if each.feed not in undone}),
            sum(seconds.values()),
        )
    return BuildResult(
        builds_count=1,
        deliveries_count=len({each.delivery_id for each in claim.slices if each.feed not in undone}),
        records_count=sum(each.records for each in claim.slices if each.feed not in undone),
        rescued_count=caught.rescued_count,
        models_failed=tuple(sorted(outcome.failed)),
        seconds=seconds,
    ), {each.delivery_id for each in claim.slices if each.feed in undone}


def _test(call: _Call) -> BuildResult:
    """Run the data tests, a few at a time, until all ran or news came; record what failed with the last build."""
    connection, started = call.connection, clock.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("select max(build_id), max(tests_at) from warehouse.builds")
        build_id, last = cursor.fetchone() or (None, None)
        connection.commit()
        if last is not None and timedelta(0) <= clock.now() - last < TESTS_EVERY:
            return BuildResult()
        names = call.dbt.test_names()
        failed: set[str] = set()
        count = 0
        while count < len(names) and not call.claim().slices:
            some = names[count : count + TESTS_AT_A_TIME]
            failed |= call.dbt.run_tests(some).failed
            count += len(some)
        seconds = round(clock.monotonic() - started, 3)
        cursor.execute(
            "update warehouse.builds set tests_failed = %s, tests_count = %s, tests_at = %s, seconds = seconds || %s"
            " where build_id = %s",
            (sorted(failed), count, clock.now() if count == len(names) else None, Json({"tests": seconds}), build_id),
        )
        connection.commit()
    if failed:
        with logbook.about(build_id=build_id):
            log.error("these data tests failed: %s", ", ".join(sorted(failed)))
    return BuildResult(tests_failed=tuple(sorted(failed)), seconds={"tests": seconds})


def _worklist_feeds(cursor: Cursor, claim: slices.Claim) -> set[str]:
    """The feeds of the claim whose records belong on the work list: unless the contract says that they do not."""
    cursor.execute("select feed from reference.feeds where worklist is null")
    return {each.feed for each in claim.slices} - {feed for (feed,) in cursor.fetchall()}


def _mark_lost(connection: Connection) -> None:
    with connection.cursor() as cursor:
        lost = slices.mark_lost(cursor, clock.now())
    connection.commit()
    if lost:
        log.warning("%s build(s) died on the way; what they drained is drained again", lost)


def _is_stale(connection: Connection) -> bool:
    """Tell whether the marts speak as of a minute ago or more, or the last build failed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select clock.as_of, builds.status from warehouse.clock as clock"
            " left join warehouse.builds as builds on clock.build_id = builds.build_id"
        )
        row = cursor.fetchone()
    connection.commit()
    return row is None or row[1] != "succeeded" or not timedelta(0) <= clock.now() - row[0] < STALE_AFTER
