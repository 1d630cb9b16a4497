"""What an assessment finds at its end: the census codes of its factors, as often as they are published (DfE c3).

An assessment that names any may name several; one that names none has the code for that. The census has other codes of
physical and sexual abuse since 2021; a town has those of before.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from math import prod

from frontdoor.simulator.town.chance import Chance
from frontdoor.simulator.town.scenario import Scenario

# By code: the parameter is `factor_<name>_share`, of all assessments that name a factor. A: the child, B: a parent, C:
# somebody else in the home. Factors that nobody had in the year to March 2018, or too few to publish, are left out.
FACTORS = {
    **{"1A": "alcohol_child", "1B": "alcohol_parent", "1C": "alcohol_other"},
    **{"2A": "drugs_child", "2B": "drugs_parent", "2C": "drugs_other"},
    **{"3A": "domestic_abuse_child", "3B": "domestic_abuse_parent", "3C": "domestic_abuse_other"},
    **{"4A": "mental_health_child", "4B": "mental_health_parent", "4C": "mental_health_other"},
    **{"5A": "learning_disability_child", "5B": "learning_disability_parent", "5C": "learning_disability_other"},
    **{"6A": "physical_disability_child", "6B": "physical_disability_parent", "6C": "physical_disability_other"},
    **{"7A": "young_carer", "10A": "missing", "11A": "sexual_exploitation", "12A": "trafficking", "13A": "gangs"},
    **{"14A": "unacceptable_behaviour", "15A": "self_harm", "16A": "neglect", "17A": "emotional_abuse"},
    **{"18A": "physical_abuse", "19A": "sexual_abuse", "20": "not_listed"},
}
NONE_FOUND = "21"
ENOUGH_ROUNDS = 60


def factors_found(scenario: Scenario, chance: Chance, day: date) -> list[str]:
    """Codes of the factors of an assessment that names at least one."""
    published = {code: scenario.value(f"factor_{name}_share", day) for code, name in FACTORS.items()}
    drawn = _drawn(tuple(published.values()))
    if not any(drawn):
        return [chance.one_of(published)]
    while True:
        found = [code for code, share in zip(published, drawn, strict=True) if chance.happens(share)]
        if found:
            return found


@cache
def _drawn(published: tuple[float, ...]) -> tuple[float, ...]:
    """How often to draw each factor, so that each is as often as published where none at all is drawn again.

    All zero where the published shares add up to one at most: then each assessment names a single one.
    """
    if sum(published) <= 1:
        return (0.0,) * len(published)
    any_found = 1.0
    for _ in range(ENOUGH_ROUNDS):
        any_found = 1 - prod(1 - share * any_found for share in published)
    return tuple(share * any_found for share in published)
