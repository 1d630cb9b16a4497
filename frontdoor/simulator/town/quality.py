"""What is looked at once a month: supervision, audits and moderation, the committee's pack, weaknesses, the staff."""

from __future__ import annotations

from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.day import Day
from frontdoor.simulator.town.plans import Plan
from frontdoor.simulator.town.scenario import Scenario
from frontdoor.simulator.town.visiting import Visiting

PACK_ITEMS = 20
FEWEST_AUDITS, PLANS_AN_AUDIT = 4, 40


class Quality:
    """What the council's managers and others look at. Each table draws from a stream of its own."""

    def __init__(self, scenario: Scenario, seed: int, children: int, visiting: Visiting) -> None:
        """Look at nothing yet."""
        self._scenario, self._seed, self._children, self._visiting = scenario, seed, children, visiting

    def look(self, day: Day) -> None:
        """Write the rows of a month, on its first day."""
        running = [plan for plan in self._visiting.plans if plan.ended_on is None]
        self._supervise(day, running)
        self._audit(day, running)
        self._report(day)
        for table, rows in self._visiting.workforce.of_month(day.on).items():
            day.rows[table] += rows

    def _supervise(self, day: Day, running: list[Plan]) -> None:
        chance, late = self._chance("supervision", day), self._scenario.value("supervision_late_share", day.on)
        day.rows["supervision"] += [
            {"on": day.on, "child_id": plan.child.council_id, "team": plan.team, "was_held": not chance.happens(late)}
            for plan in running
        ]

    def _audit(self, day: Day, running: list[Plan]) -> None:
        value, chance = self._scenario.value, self._chance("audits", day)
        for number in range(max(FEWEST_AUDITS, len(running) // PLANS_AN_AUDIT) if running else 0):
            child, is_moderated = chance.choice(running).child, number % 2 == 0
            is_good = chance.happens(value("audits_good_share", day.on))
            agrees = chance.happens(value("moderation_agrees_share", day.on))
            row = {"on": day.on, "audit_no": f"{day.on:%y%m}-{number + 1}", "child_id": child.council_id}
            row |= {"is_good": is_good, "is_moderated": is_moderated}
            day.rows["audits"].append(row | {"moderation_agrees": agrees if is_moderated else ""})

    def _report(self, day: Day) -> None:
        """The pack that the committee gets, and the weaknesses found: by own audit or indicator, or by others."""
        value, chance = self._scenario.value, self._chance("pack", day)
        for item in range(1, PACK_ITEMS + 1):
            is_quality = chance.happens(value("quality_items_share", day.on))
            day.rows["pack_items"].append({"on": day.on, "item_no": item, "is_quality_measure": is_quality})
        chance = self._chance("weaknesses", day)
        for number in range(chance.count(value("weaknesses_per_10000", day.on) * self._children / 10_000 / 12)):
            found_by = "own" if chance.happens(value("self_found_share", day.on)) else "others"
            day.rows["weaknesses"].append({"on": day.on, "finding_no": number + 1, "found_by": found_by})

    def _chance(self, what: str, day: Day) -> Chance:
        return stream(self._seed, what, day.on)
