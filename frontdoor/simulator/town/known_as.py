"""As whom an agency knows a child: one child looks like two to whoever compares what agencies say.

A difference belongs to an agency and a child for good, and is no defect: nobody can ask the sender to mend it, but who
links records must not be misled by it (DOMAIN section 6). Which differences there are stands in `truth/known_as.csv`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from frontdoor.simulator import invented
from frontdoor.simulator.good import Record
from frontdoor.simulator.town.chance import Chance, stream
from frontdoor.simulator.town.people import Child

SPELLINGS = (("ph", "f"), ("y", "i"), ("ck", "k"), ("x", "ks"), ("v", "w"), ("c", "k"), ("d", "t"), ("a", "e"))
# Nothing must follow from a date of birth that is a little wrong: these are at school and not grown in a town of years.
AGES = range(6, 15)


@dataclass(frozen=True)
class KnownAs:
    """What an agency holds of a child that is not so. `told`: properties of a record, by name."""

    child_id: str
    agency: str
    difference: str
    told: Mapping[str, str | date]

    def on(self, record: Record) -> Record:
        """A record of that agency, as it tells it."""
        told = dict(self.told)
        if "address" in told and record.get("incident_address") == record["address"]:
            told["incident_address"] = told["address"]
        return record | told


def known_as(seed: int, child: Child, agency: str, share: float, on: date) -> KnownAs | None:
    """How this agency knows that child, if otherwise than it is; this share of them are. `on`: the town's first day."""
    chance = stream(seed, "known as", agency, child.child_id)
    if not chance.happens(share):
        return None
    name = chance.choice([*DIFFERENCES])
    told = DIFFERENCES[name](child, chance) if name not in OF_AGE or child.age_on(on) in AGES else {}
    return KnownAs(child.child_id, agency, name, told) if told else None


def _double_barrelled(child: Child, chance: Chance) -> Record:
    return {"surname": f"{child.surname}-{_other_surname(child, chance)}"}


def _former_surname(child: Child, chance: Chance) -> Record:
    return {"surname": _other_surname(child, chance)}


def _transliterated(child: Child, _chance: Chance) -> Record:
    for ours, theirs in SPELLINGS:
        if ours in child.forename[1:]:
            return {"forename": child.forename[0] + child.forename[1:].replace(ours, theirs, 1)}
    return {}


def _day_and_month_swapped(child: Child, _chance: Chance) -> Record:
    born = child.dob
    return {"dob": date(born.year, born.day, born.month)} if born.day <= 12 and born.day != born.month else {}


def _a_day_out(child: Child, chance: Chance) -> Record:
    return {"dob": child.dob + timedelta(days=chance.choice((-1, 1)))}


def _carers_address(_child: Child, chance: Chance) -> Record:
    return {"address": invented.address(chance), "postcode": invented.postcode(chance)}


def _other_surname(child: Child, chance: Chance) -> str:
    return chance.choice([name for name in invented.SURNAMES if name != child.surname])


DIFFERENCES: Mapping[str, Callable[[Child, Chance], Record]] = {
    "double_barrelled": _double_barrelled,
    "former_surname": _former_surname,
    "transliterated": _transliterated,
    "day_and_month_swapped": _day_and_month_swapped,
    "a_day_out": _a_day_out,
    "carers_address": _carers_address,
}
OF_AGE = ("day_and_month_swapped", "a_day_out")
