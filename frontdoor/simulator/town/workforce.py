"""Who works for the council: its teams, who comes and who goes, who is of an agency, how many posts are vacant.

A worker is one full-time equivalent. Locality and assessment teams hold the cases; everybody else (the front door,
managers, fostering) is one team that holds none. Vacancies and sickness are counted, not lived: no visit waits for
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from frontdoor.simulator.town.calendar import Calendar
from frontdoor.simulator.town.chance import stream
from frontdoor.simulator.town.people import AGENCY, ASSESSMENT_TEAMS, OTHER_TEAMS, TEAMS, Worker, joiner, workers
from frontdoor.simulator.town.scenario import Scenario

# By the parameter that says how many work in them: `<group>_workers_per_10000`.
GROUPS = {"locality": TEAMS, "assessment": ASSESSMENT_TEAMS, "other": OTHER_TEAMS}
FEWEST = 2
Row = dict[str, Any]


class Workforce:
    """The staff of all teams, day by day. `workers`: everybody who ever worked, in the order in which they came."""

    def __init__(self, scenario: Scenario, calendar: Calendar, seed: int, children: int, first_day: date) -> None:
        """Staff the teams."""
        self._scenario, self._calendar, self._seed, self._children = scenario, calendar, seed, children
        self._teams = {
            team: list(workers(seed, team, self._wanted(group, first_day), first_day))
            for group, teams in GROUPS.items()
            for team in teams
        }
        self.workers = [worker for staff in self._teams.values() for worker in staff]
        share = scenario.value("agency_share", first_day)
        for number, worker in enumerate(self.workers):
            # Every so many, so that small teams have their share too.
            if int((number + 1) * share) > int(number * share):
                worker.role = AGENCY

    def least_busy(self, team: str) -> Worker:
        """Who in the team holds the fewest cases."""
        return min(self._teams[team], key=lambda each: (each.cases, each.worker_id))

    def of_day(self, day: date) -> Iterator[tuple[Worker, Worker]]:
        """Let staff come and go; yield who left and who has taken over all that they held."""
        for group, teams in GROUPS.items():
            wanted = self._wanted(group, day)
            for team in teams:
                yield from self._leavers(team, day)
                yield from self._in_number(team, wanted, day)

    def of_month(self, day: date) -> dict[str, list[Row]]:
        """What the case system tells of staff on the first of a month.

        `workforce`: a row a worker, those who left in the month before among them; `days_lost` in that month.
        `posts`: a row a team, in full-time equivalents; who came and left in that month, agency workers left out.
        """
        since = (day - timedelta(days=1)).replace(day=1)
        staff = [worker for worker in self.workers if worker.left_on is None or worker.left_on >= since]
        return {
            "workforce": [
                {"on": day, "worker_id": worker.worker_id, "role": worker.role, "team": worker.team}
                | {"joined_on": worker.joined_on, "left_on": worker.left_on or "", "cases": worker.cases}
                | {"days_lost": self._days_lost(worker, since, day)}
                for worker in staff
            ],
            "posts": [self._posts(team, staff, since, day) for team in self._teams],
        }

    def _wanted(self, group: str, day: date) -> int:
        """How many work in each team of a group."""
        count = self._scenario.value(f"{group}_workers_per_10000", day) * self._children / 10_000
        return max(FEWEST, round(count / len(GROUPS[group])))

    def _leavers(self, team: str, day: date) -> Iterator[tuple[Worker, Worker]]:
        value, staff = self._scenario.value, self._teams[team]
        shares = {True: value("agency_leavers_share", day) / 365, False: value("turnover_share", day) / 365}
        chance = stream(self._seed, "staff", team, day)
        for at, worker in enumerate(staff):
            if chance.happens(shares[worker.role == AGENCY]):
                staff[at] = self._joins(team, day, instead_of=worker)
                yield _left(worker, staff[at], day)

    def _in_number(self, team: str, wanted: int, day: date) -> Iterator[tuple[Worker, Worker]]:
        """Bring a team to its number: whoever came last goes first."""
        staff = self._teams[team]
        while len(staff) < wanted:
            staff.append(self._joins(team, day))
        while len(staff) > wanted:
            worker = staff.pop()
            yield _left(worker, self.least_busy(team), day)

    def _joins(self, team: str, day: date, instead_of: Worker | None = None) -> Worker:
        """Somebody new: of an agency while fewer of them work here than their share."""
        present = [worker for staff in self._teams.values() for worker in staff if worker is not instead_of]
        agency = sum(worker.role == AGENCY for worker in present)
        wanted = round(self._scenario.value("agency_share", day) * (len(present) + 1))
        worker = joiner(team, len(self.workers), AGENCY if agency < wanted else "social_worker", day)
        self.workers.append(worker)
        return worker

    def _days_lost(self, worker: Worker, since: date, day: date) -> int:
        """Working days of a month that a worker is sick."""
        eve = timedelta(days=1)
        first, last = max(worker.joined_on, since), min(worker.left_on or day, day - eve)
        days = self._calendar.between(first - eve, last)
        share = self._scenario.value("absence_share", since)
        return min(stream(self._seed, "absence", worker.worker_id, day).count(share * days), days)

    def _posts(self, team: str, staff: list[Worker], since: date, day: date) -> Row:
        agency = sum(worker.role == AGENCY for worker in self._teams[team])
        in_post, vacancies = len(self._teams[team]) - agency, self._scenario.value("vacancy_share", day)
        own = [worker for worker in staff if worker.team == team and worker.role != AGENCY]
        return {
            "on": day,
            "team": team,
            "in_post": in_post,
            "agency": agency,
            "vacant": round(in_post * vacancies / (1 - vacancies), 1),
            "starters": sum(since <= worker.joined_on < day for worker in own),
            "leavers": sum(since <= worker.left_on < day for worker in own if worker.left_on),
        }


def _left(worker: Worker, successor: Worker, day: date) -> tuple[Worker, Worker]:
    worker.left_on, worker.successor = day, successor
    successor.cases += worker.cases
    worker.cases = 0
    return worker, successor
