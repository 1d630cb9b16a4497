"""Which worker holds which child: who takes over when somebody leaves, and who waits where there are too few.

In each team the share `unallocated_share` of the children under a plan has no worker: first those whose worker leaves,
then those whose plan begins, then some whom the busiest hand back. After about `unallocated_days` a child gets one, and
another waits instead. Every step is a move.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import NamedTuple

from frontdoor.simulator.town.chance import stream
from frontdoor.simulator.town.people import Worker
from frontdoor.simulator.town.plans import Plan
from frontdoor.simulator.town.scenario import Scenario
from frontdoor.simulator.town.workforce import Workforce


class Move(NamedTuple):
    """A plan goes from one worker to another on a day; none: nobody holds it before, or after."""

    on: date
    plan: Plan
    why: str
    before: Worker | None
    after: Worker | None


class Allocation:
    """Who holds whom in the teams that hold plans."""

    def __init__(self, scenario: Scenario, seed: int, workforce: Workforce) -> None:
        """Begin without any plan."""
        self._scenario, self._seed, self._workforce = scenario, seed, workforce
        self._running: dict[str, dict[int, Plan]] = defaultdict(dict)
        # By team: the plans without a worker and until when at most, whoever waits longest first.
        self._waiting: dict[str, dict[int, date]] = defaultdict(dict)
        self._moves: list[Move] = []

    def moves(self) -> list[Move]:
        """The moves since this was last asked."""
        moves, self._moves = self._moves, []
        return moves

    def begin(self, plan: Plan, day: date) -> None:
        """Find a worker for a new plan, or let it wait."""
        self._running[plan.team][plan.plan_no] = plan
        self._place(plan, day, "plan_began", self._workforce.least_busy(plan.team))

    def end(self, plan: Plan) -> None:
        """Nobody holds a plan that has ended."""
        del self._running[plan.team][plan.plan_no]
        self._waiting[plan.team].pop(plan.plan_no, None)
        if plan.worker:
            plan.worker.cases -= 1

    def of_day(self, day: date) -> None:
        """Let staff come and go, hand over what the leavers held, and bring each team to its share."""
        for leaver, successor in self._workforce.of_day(day):
            for plan in self._running[leaver.team].values():
                if plan.worker is leaver:
                    successor.cases -= 1
                    # Nobody came for the leaver: the team shares out what is left behind.
                    after = successor if successor.joined_on == day else self._workforce.least_busy(plan.team)
                    self._place(plan, day, "worker_left", after)
        for team in self._running:
            self._look_again(team, day)

    def _look_again(self, team: str, day: date) -> None:
        waiting, wanted = self._waiting[team], self._wanted(team, day)
        placed = set()
        for number, until in list(waiting.items()):
            if len(waiting) > wanted or day >= until:
                del waiting[number]
                placed.add(number)
                self._move(self._running[team][number], day, "worker_found", self._workforce.least_busy(team))
        chance = stream(self._seed, "handed back", team, day)
        while len(waiting) < wanted:
            held = [plan for number, plan in self._running[team].items() if number not in placed and plan.worker]
            if not held:
                break
            most = max(plan.worker.cases for plan in held if plan.worker)
            plan = chance.choice([plan for plan in held if plan.worker and plan.worker.cases == most])
            assert plan.worker is not None
            plan.worker.cases -= 1
            self._wait(plan, day, "handed_back")

    def _wanted(self, team: str, day: date) -> int:
        """How many children of a team wait for a worker."""
        return int(self._scenario.value("unallocated_share", day) * len(self._running[team]) + 0.5)

    def _place(self, plan: Plan, day: date, why: str, worker: Worker) -> None:
        """Give a plan to a worker, unless too few of the team's wait yet."""
        if len(self._waiting[plan.team]) < self._wanted(plan.team, day):
            self._wait(plan, day, why)
        else:
            self._move(plan, day, why, worker)

    def _wait(self, plan: Plan, day: date, why: str) -> None:
        longest = 2 * int(self._scenario.value("unallocated_days", day))
        days = stream(self._seed, "waits", plan.name, day).randrange(1, longest)
        self._waiting[plan.team][plan.plan_no] = day + timedelta(days=days)
        self._move(plan, day, why, None)

    def _move(self, plan: Plan, day: date, why: str, after: Worker | None) -> None:
        self._moves.append(Move(day, plan, why, plan.worker, after))
        plan.worker = after
        if after:
            after.cases += 1
