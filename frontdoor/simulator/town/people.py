"""Who lives and works in the town: households with their children, schools, and the workers of the council's teams.

Children under 18, or born in the first year, in households of one to five. All names, numbers and places are invented
(`invented.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from frontdoor.simulator import invented
from frontdoor.simulator.town.chance import Chance, stream

CHILDREN_OF_A_HOUSEHOLD = {1: 0.46, 2: 0.36, 3: 0.12, 4: 0.04, 5: 0.02}
# A household in ten has most of the trouble; the weights are chosen so that re-referrals come near the published share.
TROUBLE = {0.2: 0.60, 1.0: 0.28, 4.0: 0.09, 9.0: 0.03}
ETHNICITY = {"WBRI": 0.92, "ABAN": 0.03, "BAFR": 0.02, "MWAS": 0.02, "WROM": 0.01}
# A register that gives a birth on a first of January usually does not know it, so nobody here was born on one.
NEVER_BORN = (1, 1)
# Of a child with a younger one before it, how often the two came at once: about one birth in 65 is of twins.
TWINS = 0.03
# Without a factor of ten: every number below a million comes once.
SPREAD = 370_001
# By agency: the letter and the step of its own numbers for children, each as `SPREAD`; no two agencies share a number.
NUMBERS = {
    "wearside_police": ("N", 270_131),
    "wearside_partnership": ("G", 918_307),
    "wearside_health": ("P", 530_017),
    "wearside_schools": ("S", 711_089),
    "wearside_housing": ("B", 463_453),
    "wearside_council": ("K", 829_399),
}
TEAMS = ("locality_north", "locality_south", "locality_coast")
ASSESSMENT_TEAMS = ("assessment_east", "assessment_west")
# The front door's own, managers, fostering: they hold no cases.
OTHER_TEAMS = ("other_social_work",)
ROLES = {"social_worker": 0.8, "senior_social_worker": 0.2}
AGENCY = "agency_social_worker"


@dataclass(slots=True)
class Child:
    """A child. `council_id` is what the case system calls it; other agencies have numbers of their own."""

    child_id: str
    household: Household
    forename: str
    dob: date
    sex: str
    ethnicity: str
    nhs_number: str
    upn: str
    council_id: str

    @property
    def surname(self) -> str:
        """The family's name."""
        return self.household.surname

    def age_on(self, day: date) -> int:
        """Whole years."""
        return day.year - self.dob.year - ((day.month, day.day) < (self.dob.month, self.dob.day))


@dataclass(slots=True)
class Household:
    """A family at an address. `trouble`: how often agencies hear of it, against others."""

    household_id: str
    surname: str
    address: str
    postcode: str
    adult: str
    relation: str
    other_adult: str
    school: str
    surgery: str
    team: str
    trouble: float
    children: list[Child] = field(default_factory=list)


@dataclass(slots=True)
class Worker:
    """A member of staff. `left_on`: the last day, where it is known; `successor`: who has taken over the cases then."""

    worker_id: str
    role: str
    team: str
    joined_on: date
    left_on: date | None = None
    cases: int = 0
    successor: Worker | None = None

    def in_post(self) -> Worker:
        """Who holds now what this worker held."""
        return self.successor.in_post() if self.successor else self


def households(seed: int, children: int, on: date) -> Iterator[Household]:
    """Yield households until there are so many children under 18 on that day, or born in the year after it."""
    made, number, numbers = 0, 0, _nhs_numbers()
    while made < children:
        number += 1
        chance = stream(seed, "household", number)
        home = _household(chance, number)
        # The youngest is of any age, or is born in the year to come.
        age = chance.randrange(-365, 17 * 365)
        for _ in range(min(chance.one_of(CHILDREN_OF_A_HOUSEHOLD), children - made)):
            if age >= 18 * 365:
                break
            made += 1
            home.children.append(_child(chance, made, home, on - timedelta(days=age), next(numbers)))
            # Brothers and sisters are at least a year apart, unless they are twins.
            apart = chance.randrange(370, 1400)
            age += 0 if stream(seed, "twins", made).happens(TWINS) else apart
        if home.children:
            yield home


def number_at(agency: str, child: Child) -> str:
    """What an agency calls a child: nothing in it tells what another calls the same one."""
    return _numbered(agency, int(child.child_id[1:]))


def workers(seed: int, team: str, count: int, on: date) -> Iterator[Worker]:
    """Yield the staff of a team on the first day."""
    chance = stream(seed, "team", team)
    for number in range(1, count + 1):
        joined = on - timedelta(days=chance.randrange(30, 3000))
        yield Worker(f"{_initials(team)}{number:03d}", chance.one_of(ROLES), team, joined)


def joiner(team: str, number: int, role: str, on: date) -> Worker:
    """Who comes to a team on a day."""
    return Worker(f"{_initials(team)}-{number}", role, team, on)


def _household(chance: Chance, number: int) -> Household:
    return Household(
        f"H{number:06d}",
        chance.choice(invented.SURNAMES),
        invented.address(chance),
        invented.postcode(chance),
        chance.choice(invented.FORENAMES),
        chance.choice(invented.RELATIONS),
        chance.choice(invented.FORENAMES),
        chance.choice(invented.SCHOOLS),
        f"{chance.choice(invented.STREETS)} Surgery",
        chance.choice(TEAMS),
        chance.one_of(TROUBLE),
    )


def _child(chance: Chance, number: int, home: Household, dob: date, nhs_number: str) -> Child:
    if (dob.month, dob.day) == NEVER_BORN:
        dob += timedelta(days=1)
    others = {child.forename for child in home.children}
    names = [name for name in invented.FORENAMES if name not in others]
    return Child(
        f"T{number:06d}",
        home,
        chance.choice(names),
        dob,
        chance.choice("MF"),
        chance.one_of(ETHNICITY),
        nhs_number,
        invented.upn(chance),
        _numbered("wearside_council", number),
    )


def _numbered(agency: str, number: int) -> str:
    letter, step = NUMBERS[agency]
    return f"{letter}{number * step % 10**6:06d}"


def _nhs_numbers() -> Iterator[str]:
    """Yield the numbers of the test range, each once, in an order without an order."""
    for number in range(10**6):
        if (found := invented.nhs_number_of(f"999{number * SPREAD % 10**6:06d}")) is not None:
            yield found


def _initials(team: str) -> str:
    return "".join(word[0] for word in team.split("_")).upper()
