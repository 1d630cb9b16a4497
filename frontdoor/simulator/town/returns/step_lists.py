"""The lists of what was done in the six months before: contacts, referrals, assessments, enquiries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from frontdoor.simulator.town.people import Child
from frontdoor.simulator.town.returns.casefile import Step
from frontdoor.simulator.town.returns.lines import Cells, Line, LookedUp


def contacts(of: LookedUp) -> Iterator[Line]:
    """Yield every contact that was decided, by the day on which it came."""
    for child, step in of.steps("contacts"):
        cells = {"Date of Contact": step.on, "Contact Source": of.source(step)}
        yield _line(of, child, cells, "contact", step)


def referrals(of: LookedUp) -> Iterator[Line]:
    """Yield every referral."""
    for child, step in of.steps("referrals"):
        cells = {
            "Date of Referral": step.on,
            "Referral Source": of.source(step),
            "Referral NFA?": of.yes(is_so=step.is_so),
            "Number of Referrals in Last 12 Months": of.count(child, "referrals"),
            "Allocated Team": child.household.team,
        }
        yield _line(of, child, cells, "referral", step)


def assessments(of: LookedUp) -> Iterator[Line]:
    """Yield those that began in the six months, or were not authorised before them."""
    for child, step in of.steps("assessments", since=date.min):
        done = [each for each in of.of(child, "assessments_authorised") if each.number == step.number]
        if done and done[0].on < of.since:
            continue
        cells: Cells = {"Continuous Assessment Start Date": step.on}
        if done:
            cells["Continuous Assessment Date of Authorisation"] = done[0].on
        yield _line(of, child, cells, "assessment", step)


def enquiries(of: LookedUp) -> Iterator[Line]:
    """Yield every section 47 enquiry, with the conference that followed."""
    for child, step in of.steps("section_47"):
        held = [each for each in of.of(child, "conferences") if each.on >= step.on] if step.is_so else []
        cells = {
            "Strategy discussion initiating Section 47 Enquiry Start Date": step.on,
            "Was an Initial Child Protection Conference deemed unnecessary?": of.yes(is_so=not step.is_so),
            "Number of Section 47 Enquiries in the last 12 months": of.count(child, "section_47"),
            "Number of ICPCs in the last 12 months": of.count(child, "conferences"),
        }
        if held:
            cells["Date of Initial Child Protection Conference"] = held[0].on
            result = "Did the Initial Child Protection Conference Result in a Child Protection Plan"
            cells[result] = of.yes(is_so=held[0].is_so)
        yield _line(of, child, cells, "section 47", step)


def _line(of: LookedUp, child: Child, cells: Cells, word: str, step: Step) -> Line:
    return Line(child, of.child(child) | cells, f"{word} {step.on}", step.name)
