"""The lists that a council hands over for an inspection: a workbook of what its case system knew at midnight.

What was done in the six months before, and who was under a plan in them. A list of nobody is left out, and so are those
of which the town knows nothing (early help, care leavers, adoption).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from frontdoor.contract import House, LayoutList
from frontdoor.simulator.town.people import Child
from frontdoor.simulator.town.plans import Plan
from frontdoor.simulator.town.returns import plan_lists, step_lists
from frontdoor.simulator.town.returns.casefile import CaseFile
from frontdoor.simulator.town.returns.lines import SOURCE, Line, LookedUp
from frontdoor.simulator.town.sent import Told
from frontdoor.simulator.workbook import write_sheets

OF_STEPS: Mapping[str, Callable[[LookedUp], Iterator[Line]]] = {
    **{"list_1": step_lists.contacts, "list_3": step_lists.referrals},
    **{"list_4": step_lists.assessments, "list_5": step_lists.enquiries},
}
OF_PLANS: Mapping[str, Callable[[LookedUp, list[Plan]], Iterator[Line]]] = {
    **{"list_6": plan_lists.in_need, "list_7": plan_lists.protected, "list_8": plan_lists.looked_after}
}
WHO, BY_WHOM = (
    ("Child Unique ID", "Gender", "Ethnicity", "Date of Birth", "Age"),
    ("Allocated Team", "Allocated Worker"),
)


def workbook(
    house: House, on: date, file: CaseFile, plans: list[Plan], children: Mapping[str, Child]
) -> tuple[bytes, list[Told]]:
    """The file handed over on a day, and what its records tell of; `children` by the council's number."""
    of = LookedUp(house, on, file, children)
    plans = plan_lists.listed(of, plans)
    told: list[Told] = []
    sheets: list[tuple[str, list[list[Any]]]] = []
    for listed in house.layouts[SOURCE].lists:
        lines: list[Line] = []
        if listed.code in OF_STEPS:
            lines = list(OF_STEPS[listed.code](of))
        elif listed.code in OF_PLANS:
            lines = list(OF_PLANS[listed.code](of, plans))
        if not lines:
            continue
        header = _header(listed)
        sheets.append((listed.names[0], [header, *([line.cells.get(name, "") for name in header] for line in lines)]))
        told += [
            Told(number, line.reference, line.child.child_id, None, line.defects, listed.code, line.tells_of)
            for number, line in enumerate(lines, start=1)
        ]
    content = io.BytesIO()
    write_sheets(content, sheets)
    return content.getvalue(), told


def _header(listed: LayoutList) -> list[str]:
    """The columns: who the child is, what the list tells, who holds the child."""
    known = [*listed.headers, *listed.beside]
    middle = [name for name in known if name not in (*WHO, *BY_WHOM)]
    return [*WHO, *middle, *(name for name in BY_WHOM if name in known)]
